"""Control messages: articles that ask the server for something (RFC 5537 5, RFC 8315, RFC 5536 3.2.3).

`orders` reads what an article asks for; `acts` files it and does what is done in the same transaction:
cancel and Supersedes.
"""
