"""Quintet: one messaging server that speaks SMTP, POP3, IMAP4, NNTP and MAPI over one store.

This file holds the version and nothing else: importing ``quintet`` costs nothing and starts nothing.
"""

__version__ = "0.1.0"
