"""Reads IMAP parenthesised lists strictly, and judges body structures by RFC 3501 section 9."""

from __future__ import annotations

from typing import Any

Value = Any  # None, int, bytes, or a list of values: the grammar is recursive and mixed


def read(raw: bytes) -> list[Value]:
    """Return the list in ``raw``; AssertionError where IMAP4rev1's grammar does not allow it."""
    value, at = _value(raw, 0)
    assert at == len(raw), raw[at:]
    assert isinstance(value, list)
    return value


def _value(raw: bytes, at: int) -> tuple[Value, int]:
    byte = raw[at : at + 1]
    if byte == b"(":
        return _list(raw, at + 1)
    if byte == b'"':
        return _quoted(raw, at + 1)
    if byte == b"{":
        end = raw.index(b"}\r\n", at)
        size = int(raw[at + 1 : end])
        text = raw[end + 3 : end + 3 + size]
        assert len(text) == size
        assert b"\0" not in text
        return text, end + 3 + size
    if raw[at : at + 3] == b"NIL":
        return None, at + 3
    end = at
    while raw[end : end + 1].isdigit():
        end += 1
    assert end > at, raw[at : at + 20]
    return int(raw[at:end]), end


def _list(raw: bytes, at: int) -> tuple[list[Value], int]:
    items: list[Value] = []
    assert raw[at : at + 1] != b")", "an empty list is written NIL"
    while True:
        item, at = _value(raw, at)
        items.append(item)
        if raw[at : at + 1] == b")":
            return items, at + 1
        if raw[at : at + 1] == b" ":
            at += 1
        else:  # only addresses and bodies stand side by side without a space
            assert raw[at : at + 1] == b"("
            assert isinstance(item, list)


def _quoted(raw: bytes, at: int) -> tuple[bytes, int]:
    out = bytearray()
    while (byte := raw[at]) != 0x22:
        if byte == 0x5C:
            at += 1
            byte = raw[at]
            assert byte in b'"\\'
        assert byte not in b"\r\n\0"
        assert byte < 0x80
        out.append(byte)
        at += 1
    return bytes(out), at + 1


def check_body(body: Value, *, extended: bool) -> None:
    """Judge BODY or BODYSTRUCTURE: ``body`` of RFC 3501 section 9."""
    if isinstance(body[0], list):
        children = [item for item in body if isinstance(item, list)]
        count = next(number for number, item in enumerate(body) if not isinstance(item, list))
        for child in body[:count]:
            check_body(child, extended=extended)
        assert isinstance(body[count], bytes)
        rest = body[count + 1 :]
        assert len(rest) == (4 if extended else 0)
        if extended:
            _check_params(rest[0])
            _check_extension(rest[1:])
        assert children
        return
    main, sub, params, ident, description, encoding, size = body[:7]
    assert isinstance(main, bytes)
    assert isinstance(sub, bytes)
    _check_params(params)
    assert ident is None or isinstance(ident, bytes)
    assert description is None or isinstance(description, bytes)
    assert isinstance(encoding, bytes)
    assert isinstance(size, int)
    rest = body[7:]
    if main == b"text":
        assert isinstance(rest.pop(0), int)
    elif main == b"message" and sub in {b"rfc822", b"global"}:
        assert len(rest.pop(0)) == 10
        check_body(rest.pop(0), extended=extended)
        assert isinstance(rest.pop(0), int)
    assert len(rest) == (4 if extended else 0)
    if extended:
        assert rest[0] is None or isinstance(rest[0], bytes)
        _check_extension(rest[1:])


def _check_params(params: Value) -> None:
    assert params is None or (len(params) % 2 == 0 and all(isinstance(one, bytes) for one in params))


def _check_extension(rest: list[Value]) -> None:
    disposition, language, location = rest
    if disposition is not None:
        kind, params = disposition
        assert isinstance(kind, bytes)
        _check_params(params)
    assert language is None or isinstance(language, (bytes, list))
    assert location is None or isinstance(location, bytes)
