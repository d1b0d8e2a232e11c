"""Keys made for one test, and articles signed as signcontrol signs them.  Needs gpg (Debian: gnupg)."""

import shutil
import subprocess
from pathlib import Path

SIGNED = "Subject,Control,Message-ID,Date,From,Sender"


def missing() -> str:
    """What is not here; "" when all is."""
    return next((f"{name} is not installed" for name in ("gpg", "gpgv") if shutil.which(name) is None), "")


class Ring:
    """One secret key in a home of its own, and a keyring for gpgv."""

    def __init__(self, home: Path, name: str = "news.announce.newgroups") -> None:
        self.home, self.name = home, name
        home.mkdir(mode=0o700, parents=True)
        self._gpg("--passphrase", "", "--quick-gen-key", name, "ed25519", "sign", "never")
        self.keyring = home / "ring.gpg"
        self._gpg("--output", str(self.keyring), "--export", name)

    def close(self) -> None:
        """Ends the agent that gpg started for this home."""
        subprocess.run(
            ["gpgconf", "--homedir", str(self.home), "--kill", "gpg-agent"],
            check=False, capture_output=True, timeout=20,
        )  # fmt: skip

    def _gpg(self, *words: str, data: bytes = b"") -> bytes:
        ran = subprocess.run(
            ["gpg", "--homedir", str(self.home), "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback",
             "--no-tty", *words],
            input=data, capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        return ran.stdout

    def sign(self, article: bytes, names: str = SIGNED) -> bytes:
        """The article (CRLF) with X-PGP-Sig over the fields named, and the body."""
        header, _, body = article.replace(b"\r\n", b"\n").partition(b"\n\n")
        lines = header.split(b"\n")
        text = f"X-Signed-Headers: {names}\n".encode()
        for name in names.split(","):
            found = [line for line in lines if line.lower().startswith(name.lower().encode() + b":")]
            value = found[0].partition(b":")[2].strip() if found else b""
            text += (name.encode() + b": " + value).rstrip() + b"\n"
        text += b"\n" + b"\n".join(line.rstrip() for line in body.split(b"\n"))
        armour = self._gpg("--armor", "--detach-sign", "--textmode", data=text).decode().split("\n")
        inside = [line for line in armour[1:] if line and not line.startswith("-") and ": " not in line]
        field = f"X-PGP-Sig: GnuPG {names}\n\t" + "\n\t".join(inside)
        return (header + b"\n" + field.encode() + b"\n\n" + body).replace(b"\n", b"\r\n")

    def clearsign(self, text: bytes) -> bytes:
        """A clear-signed text, LF."""
        return self._gpg("--clearsign", "--textmode", data=text)
