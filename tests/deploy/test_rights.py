"""The password goes over stdin alone, and what the program is to read comes after it whether sudo asked or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.base.process import run
from holdfast.deploy.rights import Rights, with_rights

ASKING = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift\nIFS= read -r given\n[ "$given" = hush ] || exit 1\nexec "$@"\n'
TRUSTING = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift\nexec "$@"\n'


def test_roots_own_commands_stay_as_they_are() -> None:
    assert with_rights(["id"], Rights()) == (["id"], b"")
    assert with_rights(["id"], Rights("sudo")) == (["sudo", "-n", "--", "id"], b"")


@pytest.mark.parametrize("sudo", [ASKING, TRUSTING], ids=["asking", "trusting"])
def test_the_program_reads_its_own_input(tmp_path: Path, sudo: str) -> None:
    (tmp_path / "sudo").write_text(sudo)
    (tmp_path / "sudo").chmod(0o755)
    argv, prelude = with_rights(["cat"], Rights("password", "hush"))
    assert "hush" not in " ".join(argv)
    done = run(argv, stdin=prelude + b"own\ninput\x00", env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert done.stdout == b"own\ninput\x00"


def test_a_wrong_password_is_one_try(tmp_path: Path) -> None:
    (tmp_path / "sudo").write_text("#!/bin/sh\nwhile IFS= read -r given; do echo try; done; exit 1\n")
    (tmp_path / "sudo").chmod(0o755)
    argv, prelude = with_rights(["id"], Rights("password", "wrong", tried=False))
    done = run(argv, stdin=prelude, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False)
    assert done.stdout == b"try\n"


def test_a_password_is_not_shown() -> None:
    assert "hush" not in repr(Rights("password", "hush"))
