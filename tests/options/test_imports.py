"""What importing the module system loads: an evaluation lasts little longer than its imports."""

from __future__ import annotations

import sys

from holdfast.base.process import run

SLOW = {
    "typing",
    "dataclasses",
    "inspect",
    "re",
    "enum",
    "pathlib",
    "json",
    "traceback",
    "difflib",
    "ast",
    "rich",
    "click",
}


def test_an_evaluation_loads_nothing_slow() -> None:
    code = (
        "import sys; from holdfast.options import BOOL, LINES, PORT, KeyedSet, Module, OptionSet, evaluate, list_of, null_or, option\n"
        "class A(OptionSet):\n x = option(list_of(PORT))\n y = option(null_or(LINES))\n"
        "class B(KeyedSet[A], path='b'): pass\n"
        "def m(m): m[B]['a'].x = [1]\n"
        "c = evaluate([m], sets=[B]); assert c.verify() == (); c.data()\n"
        "print(*sys.modules)"
    )
    loaded = set(
        run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"])
        .stdout.decode()
        .split()
    )
    assert loaded & SLOW == set()
    assert not [
        name
        for name in loaded
        if name.startswith("holdfast.") and name.split(".")[1] not in ("base", "options")
    ]


def test_names_are_looked_up_when_asked_for() -> None:
    import holdfast
    import holdfast.options

    for name in dir(holdfast.options):
        assert getattr(holdfast.options, name) is not None
    assert {"Module", "lazy", "System"} <= set(dir(holdfast))
    assert holdfast.Module is holdfast.options.Module
