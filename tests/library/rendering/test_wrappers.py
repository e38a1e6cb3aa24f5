from __future__ import annotations

import grp
import os
import pwd
import subprocess
from pathlib import Path

import pytest

from holdfast.library.rendering.wrappers import Wrapper, check_wrapper, render_wrappers

USER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name


def run(place: Path, *wrappers: Wrapper) -> None:
    script = render_wrappers(str(place), wrappers)
    subprocess.run(["/bin/sh", "-e", "-c", script], check=True, capture_output=True)


def test_the_script_replaces_all_wrappers_at_once(tmp_path: Path) -> None:
    source = tmp_path / "it's a program"
    source.write_text("one")
    place = tmp_path / "place"
    place.mkdir()
    run(place, Wrapper("a", str(source), USER, GROUP, "4750"), Wrapper("b", str(source), USER, GROUP, "0755"))
    made = place / "bin" / "a"
    assert made.read_text() == "one"
    assert made.stat().st_mode & 0o7777 == 0o4750
    assert (place / "bin").resolve().stat().st_mode & 0o7777 == 0o755
    source.write_text("two")
    run(place, Wrapper("b", str(source), USER, GROUP, "0755"))
    assert sorted(path.name for path in (place / "bin").iterdir()) == ["b"]
    assert (place / "bin" / "b").read_text() == "two"
    assert len(list(place.iterdir())) == 2


def test_one_that_cannot_be_made_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    source = tmp_path / "program"
    source.write_text("one")
    place = tmp_path / "place"
    place.mkdir()
    good = Wrapper("a", str(source), USER, GROUP, "0755", ())
    run(place, good)
    with pytest.raises(subprocess.CalledProcessError):
        run(
            place,
            Wrapper("b", str(source), USER, GROUP),
            Wrapper("gone", str(tmp_path / "gone"), USER, GROUP),
        )
    assert [path.name for path in (place / "bin").iterdir()] == ["a"]
    run(place, good)
    assert len(list(place.iterdir())) == 2


def test_capabilities_are_set_after_the_copy() -> None:
    lines = render_wrappers(
        "/run/wrappers", [Wrapper("ping", "/usr/bin/ping", capabilities=("cap_b", "cap_a"))]
    )
    copy, setcap = lines.splitlines()[2:4]
    assert copy.startswith("install --owner='root' --group='root' --mode=0755 ")
    assert setcap == "setcap 'cap_a,cap_b+ep' \"$new\"/ping"


def test_wrappers_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="gives no rights"):
        check_wrapper(Wrapper("a", "/bin/a"))
    with pytest.raises(ValueError, match="name of a program"):
        check_wrapper(Wrapper("../a", "/bin/a", mode="4755"))
