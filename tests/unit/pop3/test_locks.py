"""The lock on a maildrop: whose it is, and until when (RFC 1939 4)."""

from __future__ import annotations

import os
from pathlib import Path

from quintet.pop3.locks import Locks


def test_a_process_has_one_lock_file_until_its_last_user_goes(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    one, two = Locks.shared(tmp_path / "run/pop3"), Locks.shared(tmp_path / "run/pop3")
    assert one is two
    assert one.take(1)
    assert not two.take(1)
    assert two.take(2)
    one.close()
    assert not two.take(1)  # the other one's user is still there
    two.close()
    assert set(os.listdir("/proc/self/fd")) <= before  # what others left may be closed meanwhile
    again = Locks.shared(tmp_path / "run/pop3")
    assert again.take(1)
    again.free(1)
    assert again.take(1)
    again.close()
