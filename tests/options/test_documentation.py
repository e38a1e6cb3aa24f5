"""The options as data for the reference and `holdfast options`."""

from __future__ import annotations

import json

from holdfast.options import INT, STR, Diagnostics, OptionSet, document, lazy, option
from tests.options.samples import SETS, Web


class Documented(OptionSet, path="documented"):
    plain = option(INT, default=3, doc="A number.", example=4)
    computed = option(STR, default=lazy(lambda c: c[Web].user))
    worded = option(STR, default=lazy(lambda c: c[Web].user), default_text="the web user")
    needed = option(STR)
    hidden = option(STR, internal=True)


def test_one_record_per_option() -> None:
    records = {record["path"]: record for record in document([Documented])}
    assert list(records) == [
        "documented.computed",
        "documented.needed",
        "documented.plain",
        "documented.worded",
    ]
    declared = records["documented.plain"].pop("declared")
    assert declared["module"] == __name__ and declared["line"] == 12
    assert records["documented.plain"] == {
        "path": "documented.plain",
        "set": f"{__name__}.Documented",
        "option": "plain",
        "type": "an integer",
        "schema": {"type": "integer"},
        "default": "3",
        "example": "4",
        "doc": "A number.",
        "read_only": False,
        "internal": False,
    }
    assert records["documented.computed"]["default"] == "computed from other options"
    assert records["documented.worded"]["default"] == "the web user"
    assert records["documented.needed"]["default"] is None


def test_submodules_keyed_sets_and_extensions_are_there() -> None:
    paths = [record["path"] for record in document([*SETS, Diagnostics])]
    assert paths == sorted(paths)
    for path in (
        "files",
        'files."*".mode',
        "kernel.sysctl",
        'systemd.services."*".user',
        'systemd.services."*".hardening.strict',
        "web.enable",
    ):
        assert path in paths
    assert not any(path.startswith("diagnostics") for path in paths)
    assert any(record["path"] == "diagnostics.warnings" for record in document([Diagnostics], internal=True))


def test_it_is_json() -> None:
    assert json.loads(json.dumps(document(SETS))) == document(SETS)


def test_a_submodule_within_itself_is_described_once() -> None:
    assert len(document(SETS)) < 40
