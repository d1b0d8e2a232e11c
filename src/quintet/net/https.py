"""One bounded question to a web server that proves itself: a GET or a POST, no redirects, no cookies.

aiohttp over our own name service, loaded when first needed.  For policies (RFC 8461 3.3) and reports
(RFC 8460 5.4); names are checked against DNS names of the certificate only (RFC 6125 6.4).
"""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import socket
import ssl
from typing import Any

from quintet.errors import Problem, Reason, TryLater
from quintet.net.dns import Resolver
from quintet.net.tls import client_context
from quintet.values import dataclass

CHUNK = 16 * 1024  # bytes taken at once


@dataclass(frozen=True, slots=True)
class Response:
    """What came back."""

    status: int
    type: str  # media type in lower case, without parameters
    body: bytes


class NotProved(TryLater):
    """The server's certificate is not to be believed."""


class TooLong(TryLater):
    """The answer is longer than it may be."""


class Https:
    """One a process.  ``ca_file`` holds the authorities we trust, None: those of the system.

    ``private`` lets it connect to addresses that are not the Internet's; else a name that leads into our own
    network is an error, because others choose these names.
    """

    def __init__(self, resolver: Resolver, *, ca_file: str | None = None, private: bool = False) -> None:
        self._resolver, self._ca_file, self._private = resolver, ca_file, private
        self._context: ssl.SSLContext | None = None

    async def ask(
        self,
        url: str,
        *,
        timeout_s: float,
        max_bytes: int,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """GET, or POST where there is ``data``; at most ``max_bytes`` of an answer in ``timeout_s``.

        Raises:
            NotProved, TooLong: as they say.
            TryLater(TIMEOUT, CLOSED): no answer.
        """
        library = await asyncio.to_thread(_import)
        resolver = _lookup(library, self._resolver, self._private)
        connector = library.TCPConnector(resolver=resolver, ssl=self._verifying(), limit=1, force_close=True)
        try:
            async with (
                asyncio.timeout(timeout_s),
                library.ClientSession(
                    connector=connector,
                    trust_env=False,
                    auto_decompress=False,
                    cookie_jar=library.DummyCookieJar(),
                ) as session,
                session.request(
                    "GET" if data is None else "POST",
                    url,
                    data=data,
                    allow_redirects=False,
                    headers={"Accept-Encoding": "identity", "User-Agent": "quintet", **(headers or {})},
                ) as response,
            ):
                body = await _body(response, max_bytes)
                return Response(response.status, response.content_type.lower(), body)
        except TimeoutError as error:
            raise TryLater(Reason.TIMEOUT, "no answer in time") from error
        except (library.ClientConnectorCertificateError, library.ClientConnectorSSLError) as error:
            raise NotProved(Reason.CLOSED, _short(error)) from error
        except (library.ClientError, OSError, ValueError) as error:
            raise TryLater(Reason.CLOSED, _short(error)) from error

    def _verifying(self) -> ssl.SSLContext:
        """Made when first needed: reading every CA costs time."""
        if self._context is None:
            self._context = client_context(True, ca_file=self._ca_file)
            self._context.hostname_checks_common_name = False
        return self._context


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:300]


async def _body(response: Any, max_bytes: int) -> bytes:  # Any: aiohttp's, loaded late
    data = b""
    async for piece in response.content.iter_chunked(CHUNK):
        data += piece
        if len(data) > max_bytes:
            raise TooLong(Reason.TOO_BIG, f"the answer is longer than {max_bytes} bytes")
    return data


def _import() -> Any:
    """A quarter of a second and ten megabytes, so only where somebody must be asked."""
    return importlib.import_module("aiohttp")


def _lookup(library: Any, resolver: Resolver, private: bool) -> Any:  # Any: a class of the library's
    """Our own name service for the library."""

    class Lookup(library.abc.AbstractResolver):  # type: ignore[misc]  # known only at run time
        async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
            try:
                found = await resolver.addresses(host)
            except Problem as problem:
                raise OSError(problem.text) from problem
            usable = [each for each in found if private or ipaddress.ip_address(each).is_global]
            if not usable:
                raise OSError(f"{host} has no address" if not found else f"{host} is no public address")
            return [
                {
                    "hostname": host,
                    "host": each,
                    "port": port,
                    "family": socket.AF_INET6 if ":" in each else socket.AF_INET,
                    "proto": 0,
                    "flags": socket.AI_NUMERICHOST,
                }
                for each in usable
            ]

        async def close(self) -> None:
            return

    return Lookup()
