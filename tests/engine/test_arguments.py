from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.engine.arguments import GENERATIONS, VERBS, UsageError, make_parser, verb_of

A = digest_bytes(b"a")


@pytest.mark.parametrize("verb", [*VERBS.values(), *GENERATIONS.values()], ids=lambda verb: verb.function)
def test_every_verb_is_there(verb: object) -> None:
    module, _, name = str(getattr(verb, "function", "")).partition(":")
    assert callable(getattr(import_module(f"holdfast.engine.{module}"), name))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("version", {"as_json": False, "root": Path("/"), "wait": 0}),
        ("switch", {"file": None, "artifact": None, "confirm": None, "dry_run": False}),
        (f"switch --artifact {A} --confirm 60 --wait 5", {"artifact": A, "confirm": 60, "wait": 5}),
        (f"plan --artifact {A[7:]}", {"artifact": A}),
        ("switch manifest.json", {"file": Path("manifest.json")}),
        ("rollback", {"number": None}),
        ("rollback 3 --json", {"number": 3, "as_json": True}),
        ("repair /etc/motd /etc/a --dry-run", {"paths": ["/etc/motd", "/etc/a"], "dry_run": True}),
        ("generations prune --keep 2", {"keep": 2}),
        ("generations activate", {"number": None}),
        ("generations show 7 --root /tmp", {"number": 7, "root": Path("/tmp")}),
    ],
)
def test_lines_that_mean_something(line: str, wanted: dict[str, object]) -> None:
    options = vars(make_parser().parse_args(line.split()))
    assert {name: options[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    "line",
    [
        "",
        "swich",
        "generations",
        "switch --artifact abc",
        f"switch manifest.json --artifact {A}",
        "switch --confirm 0",
        "switch --confirm soon",
        "switch --conf 60",
        "rollback two",
        "status --root /nowhere/at/all",
        "generations delete",
        "plan --unknown",
    ],
)
def test_lines_that_mean_nothing(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_parser().parse_args(line.split())
    assert caught.value.exit_code == 2
    assert caught.value.details.startswith("usage:")


def test_what_changes_the_machine_works_in_a_unit_of_its_own() -> None:
    changing = {name for name, verb in VERBS.items() if verb.changes}
    assert changing >= {"switch", "boot", "rollback", "adopt", "repair", "deactivate", "recover", "import"}
    assert verb_of(make_parser().parse_args(["generations", "activate"])).changes
    assert not verb_of(make_parser().parse_args(["generations", "list"])).changes
