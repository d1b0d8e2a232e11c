"""MAPI: the structures of Exchange's clients as values (MS-OXCDATA, MS-OXCFXICS, MS-OXCRPC, MS-OXRTFCP).

So far the codecs only: bytes to values and back, pure, bounded; no store, no socket, no door yet.
"""
