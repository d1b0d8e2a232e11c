"""The address book: a directory of everybody on this server, and NSPI over HTTP.

`directory` is the copy of the store's directory that a process keeps; `view` is one state of it, with tables,
look-ups and name resolution, and what other rooms use; `names` are distinguished names and entry ids, pure.
`endpoint` answers the nineteen request types of MS-OXCMAPIHTTP 2.2.5 by the rules of MS-OXNSPI 3.1.4,
`client` asks them of any server.
"""
