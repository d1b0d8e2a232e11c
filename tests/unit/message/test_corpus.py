"""Real and ugly messages: the same digest in every chunking, and the same tree as the standard library's."""

from __future__ import annotations

import email
import email.message
import importlib.util
from pathlib import Path

import pytest

from quintet.message import keys, render, text
from quintet.message.digest import Digest, Part
from quintet.message.scan import Scanner, scan
from tests.support import imaplist
from tests.support.shared import shared_dir

# Where our tree is another one than the standard library's, and why ours is wanted:
# - it reads the fields of message/delivery-status and message/external-body as messages; IMAP does not
#   (RFC 3501 has nested parts for message/rfc822 alone);
_FIELDS_ONLY = {"message/delivery-status", "message/external-body"}
_OTHER_TREE = {
    "msg_15.txt": "one boundary inside and outside: we close the inner multipart first",
    "msg_39.txt": "the same",
    "msg_37.txt": "delimiters without a part between them: an empty part keeps the numbers of the others",
}
_OTHER_FIELDS = {
    "raw_email_incorrect_header.eml": "a line that is no field ends their header, not ours",
    "example13.eml": "the same",
}


def _paths() -> list[Path]:
    shared = shared_dir()
    found = sorted(shared.glob("corpus/**/*.eml")) if shared else []
    spec = importlib.util.find_spec("test.test_email")  # some distributions leave the tests out
    if spec and spec.submodule_search_locations:
        found += sorted(Path(spec.submodule_search_locations[0], "data").glob("*.txt"))
    return found


PATHS = _paths()
pytestmark = pytest.mark.skipif(
    not PATHS, reason="neither the shared corpus nor the interpreter's own is here"
)


def _content(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _ours(part: Part) -> list[object]:
    if part.message is not None:
        return [part.content_type, [_ours(part.message.body)]]
    return (
        [part.content_type, [_ours(child) for child in part.children]]
        if part.children
        else [part.content_type]
    )


def _theirs(message: email.message.Message) -> list[object]:
    kind = message.get_content_type()
    if message.is_multipart() and kind not in _FIELDS_ONLY:
        return [kind, [_theirs(one) for one in message.get_payload()]]
    return [kind]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_tree_and_fields_are_the_standard_librarys(path: Path) -> None:
    content = _content(path)
    digest, theirs = scan(content), email.message_from_bytes(content)
    assert (_ours(digest.root) == _theirs(theirs)) is (path.name not in _OTHER_TREE)
    names = [name.decode("latin-1").lower() for name, _ in digest.headers]
    assert (names == [name.lower() for name in theirs]) is (path.name not in _OTHER_FIELDS)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_everything_about_it_can_be_said(path: Path) -> None:
    content = _content(path)
    digest = scan(content)
    for size in (1, 7, 64, 1000):
        scanner = Scanner()
        for at in range(0, len(content), size):
            scanner.feed(content[at : at + size])
        assert scanner.finish() == digest
    assert Digest.from_bytes(digest.to_bytes()) == digest
    rendered = render.everything(digest)
    assert len(imaplist.read(rendered.envelope)) == 10
    imaplist.check_body(imaplist.read(rendered.bodystructure), extended=True)
    imaplist.check_body(imaplist.read(rendered.body), extended=False)
    keys.sort_keys(digest)
    assert all(
        isinstance(piece, str) for piece in text.body_texts(digest, lambda start, end: content[start:end])
    )
    assert len(text.preview(digest, lambda start, end: content[start:end])) <= 200
