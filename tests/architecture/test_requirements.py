"""The committed lock of Python requirements is complete, hashed, free of addresses, and agrees with pyproject.toml."""

from __future__ import annotations

import re

import pytest
import tomllib

from tests.architecture.checkout import ROOT


def requirement_lines() -> list[str]:
    text = (ROOT / "requirements" / "dev.in").read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_dev_in_agrees_with_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
        "editables",  # what hatchling needs for an editable installation
    ]
    assert requirement_lines() == wanted


@pytest.mark.parametrize("lock", ["dev.lock", "peers.lock"])
def test_every_locked_requirement_has_a_version_and_hashes_and_nothing_else(lock: str) -> None:
    lines = (ROOT / "requirements" / lock).read_text().splitlines()
    for number, line in enumerate(lines, 1):
        assert re.fullmatch(
            r"[a-z0-9][a-z0-9._-]*==[0-9][\w.+!]*( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line
        ), f"requirements/{lock}:{number}: {line}"


def test_every_requirement_is_locked() -> None:
    lock = (ROOT / "requirements" / "dev.lock").read_text()
    locked = set(re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE))
    wanted = {re.split(r"[<>=!~ ;]", line)[0].lower() for line in requirement_lines()}
    assert wanted - locked == set()
