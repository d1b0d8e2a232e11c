"""Letters and articles for tests of the store."""

from __future__ import annotations

from quintet.store.content import Content, content_of

PREFIX = b"Return-Path: <zoe@example.org>\r\nReceived: from a by b; Fri, 21 Nov 2025 09:00:01 +0000\r\n"


def letter(number: int, *, lines: int = 3, subject: str = "") -> Content:
    """A small letter, different for each number."""
    text = "".join(f"Line {i} of letter {number}.\r\n" for i in range(lines))
    return content_of(
        f"From: Zoe <zoe@example.org>\r\nTo: Alice <alice@example.org>\r\n"
        f"Subject: {subject or f'letter {number}'}\r\nDate: Fri, 21 Nov 2025 09:00:00 +0000\r\n"
        f"Message-ID: <l{number}@example.org>\r\nReferences: <l0@example.org>\r\n\r\n{text}".encode()
    )
