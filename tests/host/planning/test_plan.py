"""Laws of plan and apply, on roots and manifests that hypothesis makes up."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Union

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.base.codec import canonical_json
from holdfast.base.errors import HoldfastError
from holdfast.host.accounts.ids import Ids
from holdfast.host.files.apply import apply_plan
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.planning.facts import read_facts, read_recorded_state
from holdfast.host.planning.plan import Plan, make_plan
from holdfast.manifest.model import Directory, Entry, Link, Manifest, TextFile, User
from tests.host.roots import EPOCH, Seen, a_manifest, blobs_of, make_root, snapshot

OWNED = (
    "/etc/hostname",
    "/etc/hosts",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/default",
    "/var/lib/holdfast",
)

_names = st.sampled_from(["a", "b", "c d", "\N{SNOWMAN}", "-x", "a\nb", "." + "n" * 240])
_paths = st.lists(_names, min_size=1, max_size=3).map(lambda names: "/srv/" + "/".join(names))
_modes = st.integers(0, 0o7777).map(lambda mode: f"{mode:04o}")
_owners = st.sampled_from(["root", "daemon", "4321"]) if os.geteuid() == 0 else st.just("root")
_texts = st.text(st.characters(codec="utf-8"), max_size=20)
_entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(TextFile, text=_texts, mode=_modes, user=_owners),
    st.builds(Link, target=st.sampled_from(["x", "/srv/a", "../..", "/", "nowhere/at/all"])),
    st.builds(Directory, mode=_modes, group=_owners.map(lambda name: name)),
)
_systems = st.dictionaries(_paths, _entries, max_size=5)
Before = Union[str, None]
_roots = st.dictionaries(
    _paths, st.one_of(_texts, st.none(), st.sampled_from(["->/srv/a", "->.."])), max_size=5
)

_bounded = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_thorough = settings(_bounded, max_examples=200)


def _make(root: Path, before: dict[str, Before]) -> None:
    make_root(root)
    for path, what in sorted(before.items()):
        place = root / path.lstrip("/")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if what is None:
                place.mkdir(mode=0o750)
            elif what.startswith("->"):
                place.symlink_to(what[2:])
            else:
                place.write_text(what)
        except OSError:
            continue  # a file where the next path needs a directory: any root will do


def _plan(directory: RootDirectory, manifest: Manifest) -> Plan:
    state = read_recorded_state(directory)
    facts = read_facts(directory, manifest, state, ids=Ids(), epoch=EPOCH)
    return make_plan(facts, state, manifest, ids=Ids(), epoch=EPOCH)


def _apply(directory: RootDirectory, plan: Plan) -> None:
    apply_plan(directory, plan, blobs=blobs_of())


def _possible(directory: RootDirectory, root: Path, manifest: Manifest) -> Plan | None:
    """The plan; None when there can be none, and then nothing was touched."""
    before = snapshot(root)
    try:
        return _plan(directory, manifest)
    except HoldfastError:
        assert snapshot(root) == before
        return None


def _holds(root: Path, path: str, entry: Entry) -> bool:
    place = root / path.lstrip("/")
    if isinstance(entry, Link):
        return place.is_symlink() and str(place.readlink()) == entry.target
    mode = f"{place.stat().st_mode & 0o7777:04o}"
    if isinstance(entry, Directory):
        return place.is_dir() and mode == entry.mode
    return isinstance(entry, TextFile) and place.read_bytes() == entry.text.encode() and mode == entry.mode


def _undeclared(seen: dict[str, Seen], declared: dict[str, Entry]) -> dict[str, Seen]:
    parents = {path.rsplit("/", count)[0] for path in declared for count in range(1, path.count("/"))}
    return {path: what for path, what in seen.items() if path not in declared and path not in parents}


def _a_plan_reaches_the_manifest_and_touches_nothing_else(
    before: dict[str, Before], files: dict[str, Entry]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        _make(root, before)
        untouched = snapshot(root, without=OWNED)
        manifest = a_manifest(files=files)
        with RootDirectory(root) as directory:
            plan = _possible(directory, root, manifest)
            if plan is None:
                return
            _apply(directory, plan)
            assert _plan(directory, manifest).actions == ()
            # Links in a made-up root may be absolute: only a resolver that knows the root can follow them.
            real = {directory.locate(path).real: entry for path, entry in files.items()}
        assert all(_holds(root, path, entry) for path, entry in real.items())
        after = snapshot(root, without=OWNED)
        assert _undeclared(after, real).items() == _undeclared(untouched, real).items()


def _undoing_a_plan_is_identity(
    before: dict[str, Before], first: dict[str, Entry], second: dict[str, Entry]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        _make(root, before)
        with RootDirectory(root) as directory:
            empty = snapshot(root)
            one = _possible(directory, root, a_manifest(files=first))
            if one is None:
                return
            _apply(directory, one)
            between = snapshot(root)
            manifest = a_manifest(files=second, users={"ann": User(linger=True)})
            two = _possible(directory, root, manifest)
            if two is not None:
                _apply(directory, two)
                _apply(directory, two.inverse())
                assert snapshot(root) == between
            _apply(directory, one.inverse())
            assert snapshot(root) == empty


def _undeclaring_everything_brings_back_what_was(first: dict[str, Entry], second: dict[str, Entry]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        _make(root, {"/srv/a": "file", "/srv/b/c d": "file"})
        with RootDirectory(root) as directory:
            before = snapshot(root, without=OWNED)
            for files in (first, second, {}):
                plan = _possible(directory, root, a_manifest(files=files))
                assert plan is not None or files
                if plan is not None:
                    _apply(directory, plan)
            assert snapshot(root, without=OWNED) == before


_LAWS = pytest.mark.parametrize(
    ("law", "given_any"),
    [
        pytest.param(law, given(**strategies), id=law.__name__.strip("_"))
        for law, strategies in (
            (
                _a_plan_reaches_the_manifest_and_touches_nothing_else,
                {"before": _roots, "files": _systems},
            ),
            (_undoing_a_plan_is_identity, {"before": _roots, "first": _systems, "second": _systems}),
            (_undeclaring_everything_brings_back_what_was, {"first": _systems, "second": _systems}),
        )
    ],
)
Law = Callable[..., None]


@_LAWS
def test_it_holds(law: Law, given_any: Callable[[Law], Law]) -> None:
    _bounded(given_any(law))()


@pytest.mark.slow
@_LAWS
def test_it_holds_for_many(law: Law, given_any: Callable[[Law], Law]) -> None:
    _thorough(given_any(law))()


def test_a_plan_is_data_with_reasons(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    with RootDirectory(root) as directory:
        plan = _plan(directory, a_manifest(files={"/srv/x": TextFile("x")}, users={"ann": User()}))
        assert all(action.reason for action in plan.actions)
        assert canonical_json(plan.actions) == canonical_json(
            _plan(directory, a_manifest(files={"/srv/x": TextFile("x")}, users={"ann": User()})).actions
        )
        assert plan.record[-1].path == "/var/lib/holdfast/host/state.json"
