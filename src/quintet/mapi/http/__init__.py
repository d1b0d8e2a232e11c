"""MAPI over HTTP: requests, sessions that outlive connections, who may enter (MS-OXCMAPIHTTP).

What a request means is an endpoint's business (`endpoint.Endpoint`): the mailbox's is `mailbox`, the address
book's stands in `quintet.mapi.nspi`.
"""
