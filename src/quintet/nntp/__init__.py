"""NNTP: the news reader's side of the store (RFC 3977, 4642, 4643, 6048, 2980).

`wire` turns bytes into commands, `commands` lists what a client can ask, `session` says when it may,
and the other files answer by family.
"""
