"""POP3: a folder as a maildrop (RFC 1939, 2449, 2595, 3206, 5034, 6856)."""
