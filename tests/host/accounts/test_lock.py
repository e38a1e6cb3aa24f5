from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.host.accounts.lock import account_lock
from holdfast.host.files.rooted import RootDirectory

pytestmark = pytest.mark.slow  # it starts programs or waits for them

HOLDER = "import fcntl,sys; f=open(sys.argv[1],'w'); fcntl.lockf(f,fcntl.LOCK_EX); print('held',flush=True); sys.stdin.read()"


def test_it_excludes_other_programs(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    lock = tmp_path / "etc/.pwd.lock"
    with RootDirectory(tmp_path) as root:
        with account_lock(root):
            assert lock.stat().st_mode & 0o777 == 0o600
        command = [sys.executable, "-c", HOLDER, str(lock)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with (
                pytest.raises(HoldfastError, match="another program has been changing accounts"),
                account_lock(root, seconds=0.15),
            ):
                raise AssertionError("both hold it")
            holder.communicate()
        with account_lock(root, seconds=0):
            pass
