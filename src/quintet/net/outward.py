"""Ways out of the house: through a SOCKS5 or HTTP proxy, and from one of several source addresses.

The name of the host goes to the proxy as it is: who needs a proxy often has no other name service.
RFC 1928 (SOCKS5), RFC 1929 (its passwords), RFC 9110 9.3.6 (CONNECT).
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from quintet.config.proxies import MAX_WORD, Proxy
from quintet.errors import BadSyntax, Hangup, Reason

if TYPE_CHECKING:
    from quintet.net.client import Client

MAX_HEADERS = 100  # lines of a proxy's answer

_TURNS = itertools.count()


async def through(client: Client, proxy: Proxy, host: str, port: int) -> None:
    """Has a connected proxy connect on.  Raises Hangup(CLOSED) in its words when it will not."""
    ask = _socks5 if proxy.kind == "socks5" else _http
    try:
        await ask(client, proxy, host.strip("[]"), port)
    except BadSyntax as error:
        raise Hangup(Reason.TOO_LONG, "the proxy's answer is too long") from error


# --- SOCKS5 ---------------------------------------------------------------------------------------

VERSION: Final = 5
NO_LOGIN: Final = 0
PASSWORD: Final = 2
CONNECT: Final = 1
IPV4: Final = 1
NAME: Final = 3
IPV6: Final = 4

REPLIES = {  # RFC 1928 6
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "time to live expired",
    7: "command not supported",
    8: "address type not supported",
}


async def _socks5(client: Client, proxy: Proxy, host: str, port: int) -> None:
    methods = bytes((NO_LOGIN, PASSWORD) if proxy.user else (NO_LOGIN,))
    await client.write(bytes((VERSION, len(methods))) + methods)
    version, method = await _exactly(client, 2)
    if version != VERSION:
        raise _no("what came is no SOCKS5")
    if method == PASSWORD and proxy.user:
        await _log_in(client, proxy)
    elif method != NO_LOGIN:
        raise _no("it wants a login that we do not have")
    await client.write(bytes((VERSION, CONNECT, 0)) + _address(host) + port.to_bytes(2, "big"))
    version, reply, _, kind = await _exactly(client, 4)
    if version != VERSION:
        raise _no("what came is no SOCKS5")
    if reply:
        raise _no(REPLIES.get(reply, f"error {reply}"))
    sizes = {IPV4: 4, IPV6: 16}
    size = sizes[kind] if kind in sizes else (await _exactly(client, 1))[0]
    await _exactly(client, size + 2)  # where it connects from: of no use to us


async def _log_in(client: Client, proxy: Proxy) -> None:
    """RFC 1929 2."""
    user, password = proxy.user.encode(), proxy.password.encode()
    await client.write(bytes((1, len(user))) + user + bytes((len(password),)) + password)
    _, status = await _exactly(client, 2)
    if status:
        raise _no("it does not take our password")


def _address(host: str) -> bytes:
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii", "strict") if host.isascii() else host.encode("idna")
        if not 0 < len(name) <= MAX_WORD:
            raise _no(f"a host's name has at most {MAX_WORD} bytes") from None
        return bytes((NAME, len(name))) + name
    return bytes((IPV4 if ip.version == 4 else IPV6,)) + ip.packed


async def _exactly(client: Client, size: int) -> bytes:
    return b"".join([piece async for piece in client.counted(size)])


# --- HTTP -----------------------------------------------------------------------------------------

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: (.*))?")
_UNSAFE = re.compile(r"[^ -~]+")


async def _http(client: Client, proxy: Proxy, host: str, port: int) -> None:
    if not re.fullmatch(r"[A-Za-z0-9._:-]+", host):
        raise _no("no name that can be asked for")
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.user:
        secret = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {secret}")  # RFC 7617 2
    await client.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    found = _STATUS.fullmatch(await client.line())
    if found is None:
        raise _no("what came is no HTTP")
    for _ in range(MAX_HEADERS):
        if not await client.line():
            break
    else:
        raise _no("its answer has no end")
    if not found[1].startswith(b"2"):
        words = _UNSAFE.sub("?", (found[2] or b"").decode("latin-1"))[:200]
        raise _no(f"{found[1].decode()} {words}".strip())


def _no(text: str) -> Hangup:
    return Hangup(Reason.CLOSED, f"the proxy refuses: {text}")


# --- where we come from -----------------------------------------------------------------------------


def source(pool: Sequence[str], target: str, *, by_turn: bool = False) -> str:
    """The address of ``pool`` to come from on the way to the IP address ``target``; "" for an empty pool.

    Of those of the target's family one by its hash, so that a host always sees us from the same address,
    or ``by_turn`` each in its turn.

    Raises:
        Hangup(CLOSED): there is none of that family, so that another address of the host is tried.
    """
    if not pool:
        return ""
    version = ipaddress.ip_address(target.partition("%")[0]).version
    fitting = [each for each in pool if ipaddress.ip_address(each).version == version]
    if not fitting:
        raise Hangup(Reason.CLOSED, f"no source address is IPv{version}")
    if by_turn:
        return fitting[next(_TURNS) % len(fitting)]
    digest = hashlib.blake2b(target.encode(), digest_size=8).digest()
    return fitting[int.from_bytes(digest, "big") % len(fitting)]
