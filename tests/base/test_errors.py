from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError, explain_os_errors


def test_an_error_reads_as_brief_evidence_and_next_step() -> None:
    assert str(HoldfastError("it broke")) == "it broke"
    error = HoldfastError("it broke", details="line 3", resolution="Mend it.")
    assert str(error) == "it broke\nline 3\nMend it."
    assert (error.brief, error.details, error.resolution) == ("it broke", "line 3", "Mend it.")


def test_the_path_and_the_reason_are_told(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError) as caught, explain_os_errors("read the list"):
        (tmp_path / "absent").read_bytes()
    assert caught.value.brief == f"cannot read the list: No such file or directory: {tmp_path}/absent"
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize(
    ("number", "reason", "step"),
    [
        (errno.ENOSPC, "the disk is full", "Free some space"),
        (errno.EDQUOT, "the disk quota is used up", "free some space"),
        (errno.EBUSY, "Device or resource busy", "findmnt"),
        (errno.EROFS, "Read-only file system", "remount it"),
        (errno.EACCES, "Permission denied", "sudo"),
        (errno.EPERM, "Operation not permitted", "sudo"),
        (errno.EMFILE, "Too many open files", "ulimit -n"),
        (errno.EIO, "Input/output error", ""),
    ],
)
def test_what_the_system_refuses_has_a_next_step(
    number: int, reason: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HoldfastError, match=reason) as caught, explain_os_errors("write the blob"):
        raise OSError(number, os.strerror(number))
    assert caught.value.brief.startswith("cannot write the blob: ")
    assert step in caught.value.resolution and bool(step) == bool(caught.value.resolution)


def test_root_is_not_told_to_become_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(HoldfastError) as caught, explain_os_errors("change /etc/motd"):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    assert "lsattr -d" in caught.value.resolution and "sudo" not in caught.value.resolution


def test_other_errors_pass_unchanged() -> None:
    told = HoldfastError("already told")
    with pytest.raises(HoldfastError) as caught, explain_os_errors("x"):
        raise told
    assert caught.value is told
    with pytest.raises(ZeroDivisionError), explain_os_errors("x"):
        raise ZeroDivisionError


def test_an_error_without_number_keeps_its_words() -> None:
    with pytest.raises(HoldfastError, match="cannot connect: timed out"), explain_os_errors("connect"):
        raise TimeoutError("timed out")
