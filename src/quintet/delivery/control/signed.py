"""PGP signatures of control messages and notices, checked by gpgv against a keyring of the administrator's.

The field X-PGP-Sig signs the header fields that it names, and the body (the format of pgpverify and
signcontrol); a notice is one clear-signed text (OpenPGP).  The text that was signed is built here and is
all that counts.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from quintet import log
from quintet.values import dataclass

TIMEOUT_S = 20.0  # for one check; gpgv needs some milliseconds
MAX_SIGNED = 1024 * 1024  # bytes of an article whose signature is checked; INN's largest article
MAX_ANSWER = 64 * 1024  # bytes of gpgv's status lines
AT_ONCE = 2  # checks at a time

_SIGNATURE = re.compile(
    rb"(\S{1,80})\s+([!-9;-~]{1,1000})((?:\s+[A-Za-z0-9+/]{1,76}={0,2}){1,200})\s+(=[A-Za-z0-9+/]{4})\s*"
)
_FIELD = re.compile(rb"^([!-9;-~]+):[ \t](.*(?:\n[ \t].*)*)", re.MULTILINE)
_BLANKS = re.compile(rb"(?<![ \t])[ \t]+$", re.MULTILINE)  # a run of them is looked at once
_BEGIN, _MIDDLE, _END = (
    b"-----BEGIN PGP SIGNED MESSAGE-----",
    b"-----BEGIN PGP SIGNATURE-----",
    b"-----END PGP SIGNATURE-----",
)

logger = log.get("control")


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed, if the signature is good."""

    names: tuple[str, ...] = ()  # user ids; the fingerprints of key and primary key
    why: str = ""  # what is wrong; "" when it is good

    def __bool__(self) -> bool:
        return not self.why

    def is_key(self, name: str) -> bool:
        """By a user id, the address in it, or a fingerprint."""
        wanted = name.lower()
        for one in self.names:
            own = one.lower()
            if own == wanted or own.partition("<")[2].rstrip("> ") == wanted:
                return True
        return False


def detached(header: bytes, body: bytes) -> tuple[bytes, bytes] | None:
    """The signed text and the armoured signature of X-PGP-Sig; None without one, or where it cannot be read.

    Fields are named with their case and must be there once; one that is missing was signed as empty.
    """
    fields = _FIELD.findall(_lines(header))  # folded as they came: so they were signed
    found = [value for name, value in fields if name.lower() == b"x-pgp-sig"]
    match = _SIGNATURE.fullmatch(found[0].strip()) if len(found) == 1 else None
    if match is None:
        return None
    version, names, lines, check = match.groups()
    values: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        values.setdefault(name.lower(), []).append(value)
    text = [b"X-Signed-Headers: " + names]
    for name in names.split(b","):
        own = values.get(name.lower(), [b""])
        if len(own) > 1:
            return None
        text.append(name + b": " + own[0])
    data = b"\n".join(text) + b"\n\n" + _lines(body)
    armour = [b"-----BEGIN PGP SIGNATURE-----", b"Version: " + version, b"", *lines.split(), check, _END, b""]
    return _BLANKS.sub(b"", data), b"\n".join(armour)


def _lines(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")


def cleartext(body: bytes) -> tuple[bytes, bytes] | None:
    """The text that a clear-signed body signs, and the whole block for gpgv; None without exactly one."""
    text = _lines(body)
    if text.count(_BEGIN) != 1 or text.count(_MIDDLE) != 1 or text.count(_END) != 1:
        return None
    start, middle, end = text.find(_BEGIN), text.find(b"\n" + _MIDDLE), text.find(_END)
    if not start < middle < end or (start and text[start - 1 : start] != b"\n"):
        return None
    _, blank, inside = text[start : middle + 1].partition(
        b"\n\n"
    )  # armour headers (Hash:) end at a blank line
    if not blank:
        return None
    plain = b"\n".join(line[2:] if line.startswith(b"- ") else line for line in inside.split(b"\n"))
    return plain, text[start : end + len(_END)] + b"\n"


class Verifier:
    """Runs gpgv; one a process."""

    def __init__(self, program: str, keyring: str) -> None:
        self._program, self._keyring = program, keyring
        self._room = asyncio.Semaphore(AT_ONCE)

    @property
    def ready(self) -> bool:
        """There is a keyring at all."""
        return bool(self._keyring) and Path(self._keyring).is_file()

    async def article(self, header: bytes, body: bytes) -> Signer:
        """Whose X-PGP-Sig it is."""
        parts = detached(header, body)
        if parts is None:
            return Signer(why="no signature that can be read")
        return await self._check(parts[1], parts[0])

    async def block(self, block: bytes) -> Signer:
        """Whose clear-signed text it is."""
        return await self._check(block, None)

    async def _check(self, signature: bytes, data: bytes | None) -> Signer:
        if not self.ready:
            return Signer(why="no keyring is configured")
        if len(signature) + len(data or b"") > MAX_SIGNED:
            return Signer(why="too large to be checked")
        async with self._room:
            with tempfile.TemporaryDirectory(prefix="quintet-pgp-") as folder:
                await asyncio.to_thread((Path(folder) / "signature").write_bytes, signature)
                names = [str(Path(folder) / "signature")]
                if data is not None:
                    await asyncio.to_thread((Path(folder) / "data").write_bytes, data)
                    names.append(str(Path(folder) / "data"))
                return await self._run(names, folder)

    async def _run(self, names: Sequence[str], home: str) -> Signer:
        try:
            process = await asyncio.create_subprocess_exec(
                self._program,
                *("--homedir", home, "--status-fd", "1", "--keyring", self._keyring, "--"),
                *names,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            logger.error("gpgv cannot be run", program=self._program, text=error.strerror)  # noqa: TRY400
            return Signer(why=f"{self._program} cannot be run")
        assert process.stdout is not None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = b""
                while len(answer) < MAX_ANSWER and (chunk := await process.stdout.read(MAX_ANSWER)):
                    answer += chunk
                await process.wait()
        except TimeoutError:
            return Signer(why="the check took too long")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return signer(answer.decode("utf-8", "replace"), process.returncode or 0)


def signer(status: str, code: int) -> Signer:
    """What gpgv's status lines say (DETAILS of GnuPG)."""
    names: list[str] = []
    good = valid = False
    for line in status.splitlines():
        word, *rest = line.removeprefix("[GNUPG:] ").split(" ", 2)
        if word == "GOODSIG" and len(rest) == 2:
            good = True
            names.append(rest[1].strip())
        elif word == "VALIDSIG" and rest:
            valid = True
            names += [rest[0], line.rsplit(" ", 1)[1]]
        elif word in ("BADSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"):
            return Signer(why=_TROUBLE[word])
        elif word == "NO_PUBKEY":
            return Signer(why="signed with a key that is not in the keyring")
    if code == 0 and good and valid:
        return Signer(tuple(names))
    return Signer(why="the signature cannot be checked")


_TROUBLE = {
    "BADSIG": "the signature is wrong",
    "EXPSIG": "the signature has expired",
    "EXPKEYSIG": "the key has expired",
    "REVKEYSIG": "the key was revoked",
}
