"""Line ends of batch files: any chunking gives the same, and the result is what was meant."""

from hypothesis import given
from hypothesis import strategies as st

from quintet.smtp.batch import Endings

PIECES = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b".", b"MAIL", b"\0", b"\xff"]), max_size=40)


def mended(pieces: list[bytes]) -> bytes:
    endings = Endings()
    return b"".join(map(endings.feed, pieces)) + endings.finish()


@given(PIECES)
def test_any_chunking_gives_the_same(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    whole = mended([data])
    assert mended(pieces) == whole
    assert mended([data[at : at + 1] for at in range(len(data))]) == whole


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b""))))
def test_both_kinds_of_file_mean_the_same(lines: list[bytes]) -> None:
    wanted = b"".join(line + b"\r\n" for line in lines)
    assert mended([wanted]) == wanted
    assert mended([wanted.replace(b"\r\n", b"\n")]) == wanted


@given(st.binary(max_size=60))
def test_file_with_crlf_is_never_changed(rest: bytes) -> None:
    assert mended([b"EHLO x\r\n" + rest]) == b"EHLO x\r\n" + rest
