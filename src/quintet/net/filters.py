"""What lies between a socket and a protocol: TLS and DEFLATE, as pure transformations of bytes.

Our own TLS filter, because asyncio's keeps a 256 KiB buffer for each connection; this one keeps what
OpenSSL keeps (its buffers are released while idle).  Neither class touches a socket.
"""

from __future__ import annotations

import hashlib
import ssl
import zlib

from cryptography import x509

from quintet.net.seam import CHUNK, TlsInfo

RECORD = 16 * 1024  # bytes of a TLS record (RFC 8446 5.1); larger writes would let OpenSSL's buffer grow


class TlsFilter:
    """One side of a TLS connection over memory."""

    __slots__ = ("_incoming", "_outgoing", "_ssl", "ended")

    def __init__(
        self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self.ended = False  # the peer said that nothing more comes

    def handshake(self) -> bool:
        """Goes on shaking hands; True once it is done.  Raises ssl.SSLError when it fails."""
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def feed(self, data: bytes | memoryview) -> None:
        """Takes what came from the socket."""
        self._incoming.write(data)

    def decrypted(self) -> list[bytes]:
        """What it meant, in pieces.  Raises ssl.SSLError on damage."""
        pieces: list[bytes] = []
        try:
            while self._incoming.pending or self._ssl.pending():
                piece = self._ssl.read(RECORD)
                if not piece:
                    self.ended = True
                    break
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self.ended = True
        return pieces

    def encrypt(self, data: bytes) -> bytes:
        """What must go to the socket, with anything that TLS itself wants to say."""
        if len(data) <= RECORD:
            self._ssl.write(data)
            return self._outgoing.read()
        view = memoryview(data)
        records = []
        for start in range(0, len(view), RECORD):
            self._ssl.write(view[start : start + RECORD])
            records.append(self._outgoing.read())
        return b"".join(records)

    def outgoing(self) -> bytes:
        """What TLS itself wants to say."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def close(self) -> bytes:
        """The farewell of TLS (close_notify); the peer's is not waited for."""
        try:
            self._ssl.unwrap()
        except (ssl.SSLError, ValueError):
            pass  # wants the peer's answer, or the connection is broken already: nothing to add
        return self.outgoing()

    @property
    def certificate(self) -> bytes:
        """The peer's certificate (DER), verified or not; empty when it showed none."""
        return self._ssl.getpeercert(True) or b""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificates that the peer showed (DER), its own first, none of them verified."""
        public = getattr(self._ssl, "get_unverified_chain", None)  # from Python 3.13 on
        if public is not None:
            return tuple(public() or ())
        # the same call before it had a public name; typeshed knows neither
        found = getattr(self._ssl, "_sslobj").get_unverified_chain() or ()  # noqa: B009
        return tuple(ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in found)

    def info(self, *, server_side: bool) -> TlsInfo:
        """What is known once the handshake is done."""
        name, _, bits = self._ssl.cipher() or ("", "", 0)
        context = self._ssl.context
        theirs = self.certificate
        if server_side:
            end_point = getattr(context, "end_point", b"")
        else:
            end_point = server_end_point(theirs) if theirs else b""
        return TlsInfo(
            version=self._ssl.version() or "",
            cipher=name,
            bits=bits or 0,
            sni=getattr(self._ssl, "server_name", "") or ""
            if server_side
            else self._ssl.server_hostname or "",
            peer_certificate=theirs if context.verify_mode != ssl.CERT_NONE else b"",
            server_end_point=end_point,
        )

    @property
    def application_protocol(self) -> str:
        """What ALPN agreed on, "" for nothing (RFC 7301)."""
        return self._ssl.selected_alpn_protocol() or ""


def server_end_point(certificate: bytes) -> bytes:
    """The channel binding tls-server-end-point of a DER certificate (RFC 5929 4.1).

    The hash of the certificate's own signature, SHA-256 where that is MD5, SHA-1 or none.
    """
    algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    name = algorithm.name if algorithm is not None else "sha256"
    if name in ("md5", "sha1"):
        name = "sha256"
    return hashlib.new(name, certificate).digest()


class DeflateFilter:
    """Raw DEFLATE both ways (RFC 4978, RFC 8054); every write ends on a byte boundary.

    ``held`` keeps compressed bytes that were not needed yet, so that a small packet cannot swell
    into more than `CHUNK` bytes at once.
    """

    __slots__ = ("_compress", "_decompress", "held")

    def __init__(self) -> None:
        self._compress = zlib.compressobj(6, zlib.DEFLATED, -15, 8)
        self._decompress = zlib.decompressobj(-15)
        self.held = b""

    def compress(self, data: bytes) -> bytes:
        return self._compress.compress(data) + self._compress.flush(zlib.Z_SYNC_FLUSH)

    def finish(self, data: bytes) -> bytes:
        """The last that is said: the stream of DEFLATE is ended, so that the peer sees where."""
        return self._compress.compress(data) + self._compress.flush(zlib.Z_FINISH)

    @property
    def rest(self) -> bytes:
        """What came after the end of the peer's stream, if it ended it."""
        return self._decompress.unused_data

    def decompress(self, data: bytes) -> bytes:
        """At most `CHUNK` bytes; call again with b"" while ``held``.  Raises zlib.error."""
        piece = self._decompress.decompress(self.held + data, CHUNK)
        self.held = self._decompress.unconsumed_tail
        return piece
