"""SMTP: a transport that hands messages to a submission server (by `smtplib`); SENDMAIL: to a program."""

from __future__ import annotations

import contextlib
import shlex
import smtplib
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO

from quintet.mapi import convert, pr
from quintet.mapi.bag import Bag, Item
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import base, identity
from quintet.mapi.providers.allowance import Allowance
from quintet.mapi.providers.base import Failure, Opened, Option, Service
from quintet.mapi.providers.nntp import CONTROL

TIMEOUT_S = 60.0
MAX_REPLY = 256 * 1024  # bytes, as `allowance` counts; one to EHLO has some twenty lines
_TEMPFAIL = 75  # of sysexits.h


def address_of(one: Bag) -> str:
    """A recipient's or sender's SMTP address; "" for none."""
    for tag in (pr.SMTP_ADDRESS, pr.EMAIL_ADDRESS):
        value = str(one.get(tag) or "").strip()
        if "@" in value and not CONTROL.search(value):
            return value
    return ""


def sender_of(item: Item) -> str:
    for name in ("SENDER_SMTP_ADDRESS", "SENDER_EMAIL_ADDRESS", "SENT_REPRESENTING_EMAIL_ADDRESS"):
        value = str(item.props.get(getattr(pr, name)) or "").strip()
        if "@" in value and not CONTROL.search(value):
            return value
    return ""


def letter_of(item: Item) -> bytes:
    """What leaves: without the blind copies, with the Date and the Message-ID that it has."""
    return b"".join(convert.to_mime(item, bcc=False))


def context(options: Mapping[str, str]) -> ssl.SSLContext | None:
    """Certificates that are trusted; None: no TLS at all."""
    if options["tls"] == "no":
        return None
    return ssl.create_default_context(cafile=options.get("ca_file") or None)


class _Replies:
    """What a server says; each reply has an end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.allowance = Allowance(MAX_REPLY)

    def readline(self, most: int) -> bytes:
        line = self._file.readline(most)
        self.allowance.spend_line(line)
        return line

    def close(self) -> None:
        self._file.close()


class _Bounded(smtplib.SMTP):
    file: _Replies | None  # what `smtplib` reads lines of

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            assert self.sock is not None
            self.file = _Replies(self.sock.makefile("rb"))
        self.file.allowance.renew()
        return super().getreply()


class _BoundedTls(_Bounded, smtplib.SMTP_SSL):
    pass


class SmtpTransport(base.Transport):
    """One session a message.  ``options``: host, port, tls, ca_file, user, password."""

    name = "SMTP"

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options

    def send(self, item: Item, recipients: Sequence[int]) -> list[Failure]:
        to = {number: address_of(item.recipients[number]) for number in recipients}
        failures = [
            Failure(number, "no address that SMTP knows", Code.INVALID_PARAMETER)
            for number, address in to.items()
            if not address
        ]
        reached = sorted({address for address in to.values() if address})
        if reached:
            refused = self._deliver(sender_of(item), reached, letter_of(item))
            failures += [
                Failure(number, text) for number, address in to.items() if (text := refused.get(address))
            ]
        return failures

    def _deliver(self, sender: str, to: list[str], letter: bytes) -> dict[str, str]:
        """Who was refused, and in which words."""
        try:
            session = self._session()
            try:
                refused = self._deliver_by(session, sender, to, letter)
            finally:
                with contextlib.suppress(
                    OSError, smtplib.SMTPException
                ):  # it has the letter, whatever it says
                    session.quit()
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
            if all(_is_later(code) for code, _ in refused.values()):
                raise MapiError(Code.SERVER_BUSY, _text(next(iter(refused.values()))[1])) from error
        except smtplib.SMTPResponseException as error:
            code = next((code for kind, code in _MEANINGS if isinstance(error, kind)), Code.NOT_COMPLETED)
            if _is_later(error.smtp_code):
                code = Code.SERVER_BUSY
            elif error.smtp_code < 200:  # none of the protocol's
                code = Code.NETWORK_ERROR
            raise MapiError(code, _text(error.smtp_error)) from error
        except smtplib.SMTPNotSupportedError as error:  # AUTH, SMTPUTF8 or STARTTLS
            raise MapiError(Code.NOT_SUPPORTED, str(error)) from error
        except (OSError, smtplib.SMTPException) as error:
            raise MapiError(Code.NETWORK_ERROR, f"{self._options['host']}: {error}") from error
        return {address: f"{code} {_text(words)}" for address, (code, words) in refused.items()}

    def _deliver_by(
        self, session: smtplib.SMTP, sender: str, to: list[str], letter: bytes
    ) -> dict[str, tuple[int, bytes]]:
        if self._options["user"]:
            try:
                session.login(self._options["user"], self._options["password"])
            except UnicodeError:  # its text would tell a piece of the password
                raise MapiError(
                    Code.LOGON_FAILED, "this server takes names and passwords of ASCII alone"
                ) from None
        options = ["SMTPUTF8"] if not "".join([sender, *to]).isascii() else []
        return session.sendmail(sender, to, letter, mail_options=options)

    def _session(self) -> smtplib.SMTP:
        host, port, tls = self._options["host"], int(self._options["port"]), self._options["tls"]
        trusted = context(self._options)
        if tls == "yes":
            return _BoundedTls(host, port, timeout=TIMEOUT_S, context=trusted)
        session = _Bounded(host, port, timeout=TIMEOUT_S)
        if tls == "starttls":
            try:
                session.starttls(context=trusted)
            except BaseException:
                session.close()
                raise
        return session


_MEANINGS = (
    (smtplib.SMTPAuthenticationError, Code.LOGON_FAILED),
    (smtplib.SMTPSenderRefused, Code.SEND_AS_DENIED),
)


def _is_later(code: int) -> bool:
    """Whether an answer means: not now (RFC 5321 4.2.1)."""
    return 400 <= code < 500


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words


class Sendmail(base.Transport):
    """``command`` takes the message on its standard input, and addresses behind its own words."""

    name = "sendmail"

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)

    def send(self, item: Item, recipients: Sequence[int]) -> list[Failure]:
        to = [(number, address_of(item.recipients[number])) for number in recipients]
        reached = sorted({address for _, address in to if address})
        failures = [
            Failure(number, "no address that sendmail knows", Code.INVALID_PARAMETER)
            for number, address in to
            if not address
        ]
        if reached:
            words = [*self._command, "-f", sender_of(item), "--", *reached]
            try:
                done = subprocess.run(
                    words, input=letter_of(item), capture_output=True, timeout=TIMEOUT_S, check=False
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise MapiError(Code.NETWORK_ERROR, str(error)) from error
            if done.returncode:
                code = Code.SERVER_BUSY if done.returncode == _TEMPFAIL else Code.NOT_COMPLETED
                raise MapiError(code, done.stderr.decode("utf-8", "replace").strip()[:500])
        return failures


SMTP = Service(
    name="SMTP",
    title="Submission by SMTP",
    open=lambda options: Opened(
        transport=SmtpTransport(options), identity=identity.of(options["address"], options["name"])
    ),
    options=(
        Option("host", "the server"),
        Option("port", "its port", "465"),
        Option("tls", "yes, starttls or no", "yes"),
        Option("ca_file", "certificates to trust instead of the system's", ""),
        Option("user", "the account; empty: no login", ""),
        Option("password", "its password", "", secret=True),
        Option("address", "the sender's address", ""),
        Option("name", "how the person is called", ""),
    ),
    resources=frozenset(("transport",)),
)
SENDMAIL = Service(
    name="SENDMAIL",
    title="A program like sendmail",
    open=lambda options: Opened(
        transport=Sendmail(shlex.split(options["command"])),
        identity=identity.of(options["address"], options["name"]),
    ),
    options=(
        Option("command", "the program with its options", "/usr/sbin/sendmail -oi"),
        Option("address", "the sender's address; empty: the login at this host", ""),
        Option("name", "how the person is called", ""),
    ),
    resources=frozenset(("transport",)),
)
