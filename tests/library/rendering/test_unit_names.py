from __future__ import annotations

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.process import run
from holdfast.library.rendering.unit_names import check_unit_name, escape, escape_path, unit_name
from tests.examples import at_most

SAMPLES = ["hello", "a b", "a-b", ".hidden", "x\\y", "é", "%i", "a.b", "a:b_c", "50%"]
PATHS = ["/", "/srv", "/srv/my data", "/srv/my-data", "/srv/.x", "/.x/y", "/a/é"]


@pytest.mark.parametrize(
    ("path", "name"),
    [("/", "-"), ("/srv/data", "srv-data"), ("/srv/my-data", "srv-my\\x2ddata"), ("/.snap", "\\x2esnap")],
)
def test_paths_become_names(path: str, name: str) -> None:
    assert escape_path(path) == name


@pytest.mark.skipif(shutil.which("systemd-escape") is None, reason="systemd-escape is not installed")
def test_escaping_is_that_of_systemd_escape() -> None:
    theirs = run(["systemd-escape", *SAMPLES]).stdout.decode().strip().split(" ")
    assert [escape(sample) for sample in SAMPLES] == theirs
    theirs = run(["systemd-escape", "--path", *PATHS]).stdout.decode().strip().split(" ")
    assert [escape_path(path) for path in PATHS] == theirs


@at_most(50)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_what_is_escaped_is_a_valid_name(text: str) -> None:
    if len(escape(text)) < 240:
        check_unit_name(escape(text) + ".service")


@pytest.mark.parametrize("name", ["hello", "getty@", "getty@tty1", "foo.bar", "dev-disk\\x2dx", "a:b"])
def test_valid_names_get_their_suffix(name: str) -> None:
    assert unit_name(name, "service") == f"{name}.service"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hello.service", "write 'hello'"),
        ("hello.timer", "names a .timer unit"),
        ("my service", r"systemd-escape would write my\\x20service.service"),
        ("a@b@c", "one @"),
        ("", "letters, digits"),
        ("../x", "letters, digits"),
        ("x" * 250, "longer than 255"),
    ],
)
def test_invalid_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        unit_name(name, "service")


def test_full_names_need_a_suffix() -> None:
    with pytest.raises(ValueError, match="lacks a suffix"):
        check_unit_name("hello")
