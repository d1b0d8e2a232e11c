"""SMTP, submission and LMTP: commands in, replies out, and the client side (RFC 5321, 6409, 2033)."""
