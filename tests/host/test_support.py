"""Whether a change may be made on a machine at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.host.failures import RefusedError
from holdfast.host.live import open_live
from holdfast.host.support import check_support, failing_checks, parse_os_release, run_checks
from holdfast.manifest.model import Check, Distribution
from tests.host.roots import a_manifest, blobs_of, make_root

TRIXIE = {
    "ID": "debian",
    "VERSION_ID": "13",
    "VERSION_CODENAME": "trixie",
    "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)",
}
SID = {"ID": "debian", "VERSION_CODENAME": "forky", "PRETTY_NAME": "Debian GNU/Linux forky/sid"}
NOBLE = {"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_CODENAME": "noble", "PRETTY_NAME": "Ubuntu 24.04 LTS"}
MINT = {
    "ID": "linuxmint",
    "ID_LIKE": "ubuntu debian",
    "VERSION_CODENAME": "wilma",
    "PRETTY_NAME": "Linux Mint 22",
}
FEDORA = {"ID": "fedora", "PRETTY_NAME": "Fedora Linux 42"}  # fmt: skip


@pytest.mark.parametrize(
    ("release", "wanted", "anything", "problem", "warning"),
    [
        (TRIXIE, "trixie", False, "", ""),
        (TRIXIE, "forky", False, "runs Debian GNU/Linux 13 (trixie), and the definition is for forky", ""),
        (TRIXIE, "sid", False, "and the definition is for sid", ""),
        (TRIXIE, "forky", True, "and the definition is for forky", ""),
        (SID, "forky", False, "", ""),
        (SID, "sid", False, "", ""),
        (NOBLE, "noble", False, "", ""),
        (NOBLE, "jammy", False, "runs Ubuntu 24.04 LTS", ""),
        (MINT, "trixie", False, "", "Linux Mint 22 is not tested: it says that it is like ubuntu debian"),
        (FEDORA, "trixie", False, "runs Fedora Linux 42, and the definition is for debian trixie", ""),
        (FEDORA, "trixie", True, "", "Fedora Linux 42 is not tested"),
        ({}, "trixie", False, "an unknown distribution", ""),
    ],
)
def test_distributions(
    release: dict[str, str], wanted: str, anything: bool, problem: str, warning: str
) -> None:
    manifest = replace(
        a_manifest(), distribution=Distribution("debian", wanted, "amd64"), allow_any_distribution=anything
    )
    problems, warnings = check_support(release, manifest)
    assert (len(problems), len(warnings)) == (bool(problem), bool(warning))
    assert problem in "".join(problems) and warning in "".join(warnings)


def test_os_release_is_read() -> None:
    text = "# a comment\nID=debian\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nX='single'\n\nnothing\n"
    assert parse_os_release(text) == {
        "ID": "debian",
        "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)",
        "X": "single",
    }


def test_every_check_that_fails_is_told(tmp_path: Path) -> None:
    checks = {
        "fine": Check(("true",)),
        "said": Check(("/bin/sh", "-c", "echo port 80 is taken >&2; exit 1")),
        "silent": Check(("false",)),
        "told": Check(("false",), "make room first"),
        "missing": Check(("/nowhere/program",)),
    }
    manifest = a_manifest(checks=checks)
    missing, said, silent, told = failing_checks(manifest)
    assert missing.startswith("missing: ") and said == "said: port 80 is taken"
    assert (silent, told) == ("silent: exit code 1", "told: make room first")
    with open_live(make_root(tmp_path / "root"), blobs=blobs_of()) as live:
        with pytest.raises(RefusedError, match="4 of the definition's checks failed") as caught:
            run_checks(manifest, live)
        assert "- said: port 80 is taken" in caught.value.details
        run_checks(a_manifest(checks={"fine": checks["fine"]}), live)
