"""Feeds: articles on their way to other servers, and those fetched from them.

`select` says which articles a peer gets, `link` what a connection to one is, `feeder` sends, `runner` holds
one feeder a peer, `output` writes to files and pipes, `puller` fetches.
"""
