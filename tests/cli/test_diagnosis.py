from __future__ import annotations

import json
import shutil

import pytest

from tests.cli.projects import CommandLine


def test_who_works_on_this_machine_alone_needs_no_ssh(
    holdfast: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which

    def without_ssh(name: str, mode: int = 1, path: str | None = None) -> str | None:
        return None if name == "ssh" else which(name, mode, path)

    monkeypatch.setattr(shutil, "which", without_ssh)
    holdfast("doctor", "--json")
    (found,) = (check for check in json.loads(holdfast.out) if check["name"] == "ssh")
    assert (found["status"], found["mend"]) == ("warn", "apt-get install openssh-client")
