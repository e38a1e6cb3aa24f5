"""What is asked of apt, and what is made of its answer: tables, and laws that hold for any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.codec import decode, encode
from holdfast.base.debian_versions import older
from holdfast.base.digests import digest_bytes
from holdfast.host.packages.apt.database import Database, Installed
from holdfast.host.packages.apt.facts import Holder, PackageFacts, Simulated, Simulation
from holdfast.host.packages.apt.intent import intend
from holdfast.host.packages.apt.planning import plan_packages
from holdfast.host.packages.change import PackageChange, PackageFile, PackageOptions
from holdfast.host.packages.record import PackageRecord, PackageState
from holdfast.host.packages.wanted import SCHEMA, WantedPackage, WantedPackages
from tests.examples import at_most

_DIGEST = digest_bytes(b"")


def there(
    name: str,
    version: str = "1",
    *,
    automatic: bool = False,
    held: bool = False,
    depends: str = "",
    **more: bool,
) -> Installed:
    groups = tuple((word,) for word in depends.split())
    return Installed(
        name,
        "amd64",
        version,
        "installed",
        held=held,
        automatic=automatic,
        depends=groups,
        essential=more.get("essential", False),
    )


def database(*packages: Installed) -> Database:
    return Database("amd64", {one.name: one for one in packages})


def wanted(
    packages: Mapping[str, str], install: str | None = None, remove: str = "", hold: str = ""
) -> WantedPackages:
    asked = tuple(packages) if install is None else tuple(install.split())
    return WantedPackages(
        SCHEMA,
        "debian",
        "trixie",
        "amd64",
        tuple(
            WantedPackage(name, version, "amd64", 1, _DIGEST, name not in asked)
            for name, version in packages.items()
        ),
        asked,
        tuple(remove.split()),
        tuple(hold.split()),
    )


def record(
    version: str | None, before: str | None = None, *, automatic: bool = False, before_automatic: bool = False
) -> PackageRecord:
    return PackageRecord(version, automatic, before, before_automatic, "amd64", "amd64", _DIGEST)


def facts(
    base: Database, *steps: Simulated, again: tuple[Simulated, ...] | None = None, **more: object
) -> PackageFacts:
    known = PackageFacts(
        base,
        frozenset({"trixie"}),
        "Debian GNU/Linux 13 (trixie)",
        simulation=Simulation(steps),
        again=Simulation(again) if again is not None else None,
        old={name: PackageFile(name, one.version, "amd64", "kept") for name, one in base.packages.items()},
        free=1 << 40,
    )
    return replace(known, **more)  # type: ignore[arg-type]


def step(name: str, before: str | None, after: str | None) -> Simulated:
    return Simulated(name, "amd64", before, after)


@pytest.mark.parametrize(
    ("installed", "asked", "records", "mode", "words"),
    [
        ((), wanted({"a": "1"}), {}, "forward", {"a=1"}),
        ((there("a"),), wanted({"a": "1"}), {}, "forward", set()),
        ((there("a"),), wanted({"a": "2"}), {}, "forward", {"a=2"}),
        ((there("a"),), wanted({"a": "2"}, install=""), {}, "forward", set()),
        ((there("a"),), wanted({"a": "2"}, install=""), {"a": record("1")}, "forward", {"a=2"}),
        ((there("a", "3"),), wanted({"a": "2"}), {}, "exact", set()),
        ((there("a", "3"),), wanted({"a": "2"}), {"a": record("2")}, "exact", {"a=2"}),
        ((there("a", "3"),), wanted({"a": "2"}), {"a": record("2")}, "back", set()),
        ((there("a", "3"),), wanted({"a": "2"}), {"a": record("3")}, "back", {"a=2"}),
        ((there("a", "3"),), wanted({"a": "2"}), {"a": record("3", "3")}, "exact", set()),
        ((there("a", "2"),), None, {"a": record("2")}, "forward", {"a-"}),
        ((there("a", "2"),), None, {}, "back", set()),
        ((there("a", "2"),), None, {"a": record("2", "1")}, "forward", set()),
        ((there("a", "2"),), None, {"a": record("2", "1")}, "back", {"a=1"}),
        ((there("a", "3"),), None, {"a": record("2", "1")}, "back", set()),
        ((), None, {"a": record(None, "1")}, "forward", {"a=1"}),
        ((), wanted({}, remove="a"), {"a": record(None, "1")}, "forward", set()),
        ((there("a"),), wanted({}, remove="a"), {}, "forward", {"a-"}),
        ((there("a", held=True),), wanted({"a": "2"}), {}, "forward", set()),
        ((there("a"), there("b", depends="a")), None, {"a": record("1")}, "forward", set()),
        (
            (there("a"), there("b", depends="a")),
            None,
            {"a": record("1"), "b": record("1")},
            "forward",
            {"a-", "b-"},
        ),
        ((there("a"),), None, {"a": record("1", automatic=True)}, "forward", set()),
        ((there("a", essential=True),), None, {"a": record("1")}, "forward", set()),
        ((there("python3"),), None, {"python3": record("1")}, "forward", set()),
    ],
)
def test_what_apt_is_asked(
    installed: tuple[Installed, ...],
    asked: WantedPackages | None,
    records: dict[str, PackageRecord],
    mode: str,
    words: set[str],
) -> None:
    options = PackageOptions(mode=mode)  # type: ignore[arg-type]
    intent = intend(database(*installed), asked, PackageState(records), (), options)
    assert {ask.word for ask in intent.asks.values()} == words
    assert not intent.problems


@pytest.mark.parametrize(
    ("installed", "asked", "problem"),
    [
        ((), wanted({}, install="a"), "brings no packages"),
        ((there("a"),), wanted({"a": "1"}, remove="a"), "to be installed and to be removed"),
        ((there("a", held=True),), wanted({}, remove="a"), "on hold"),
        ((there("a", essential=True),), wanted({}, remove="a"), "does not work without it"),
        ((there("openssh-server"),), wanted({}, remove="openssh-server"), "the way in"),
        ((there("linux-image-6.12"),), wanted({}, remove="linux-image-6.12"), "the kernel that runs"),
        ((), wanted({}, hold="a"), "is to be held, but it is not installed"),
    ],
)
def test_what_is_refused_before_apt_is_asked(
    installed: tuple[Installed, ...], asked: WantedPackages, problem: str
) -> None:
    intent = intend(database(*installed), asked, PackageState(), (), PackageOptions(), kernel="6.12")
    assert [one for one in intent.problems if problem in one], intent.problems
    allowed = intend(
        database(*installed), asked, PackageState(), (), PackageOptions(protected=True), kernel="6.12"
    )
    assert bool(allowed.problems) == (
        problem not in ("does not work without it", "the way in", "the kernel that runs")
    )


def test_consequences_are_judged() -> None:
    base = database(there("a"), there("theirs", "5"), there("frozen", held=True))
    asked = wanted({"b": "1"})
    new = step("b", None, "1")

    def problems(*steps: Simulated) -> tuple[str, ...]:
        return plan_packages(facts(base, *steps), asked, PackageState()).problems

    assert problems(new) == ()
    assert (
        "theirs would have to be removed, which Holdfast did not install"
        in problems(new, step("theirs", "5", None))[0]
    )
    assert "theirs would have to go back from 5 to 4" in problems(new, step("theirs", "5", "4"))[0]
    assert problems(new, step("theirs", "5", "6")) == ()
    assert "frozen is on hold" in problems(new, step("frozen", "1", "2"))[0]


def test_the_machine_is_judged() -> None:
    known = facts(database(there("dpkg")), step("a", None, "1"))
    asked = wanted({"a": "1"})

    def problems(**more: object) -> str:
        return "\n".join(plan_packages(replace(known, **more), asked, PackageState()).problems)  # type: ignore[arg-type]

    assert problems() == ""
    assert "locked for trixie, but this machine is Ubuntu" in problems(
        releases=frozenset({"noble"}), distribution="Ubuntu"
    )
    assert "dpkg was interrupted" in problems(interrupted=True)
    half = replace(there("h"), status="half-configured")
    with_half = database(there("dpkg"), half, replace(there("c"), status="config-files"))
    assert "left h (half-configured): run `dpkg --configure -a`" in problems(database=with_half)
    assert problems(database=with_half, busy=Holder(7, "apt-get")) == ""  # it is being configured just now
    gone = plan_packages(facts(with_half, step("h", "1", None)), wanted({}, remove="h"), PackageState())
    assert not gone.problems
    assert "not below a directory" in problems(live=False)
    assert "has no dpkg" in problems(database=Database())
    assert "this machine's are arm64" in problems(database=replace(known.database, architecture="arm64"))
    assert "need 65 MB, and 0 MB are free" in problems(free=1, sizes={"a": 1 << 20})
    assert "not there): E: no" in problems(simulation=Simulation(error="E: no"))
    busy = plan_packages(replace(known, busy=Holder(7, "apt-get")), asked, PackageState())
    assert busy.notes == ("apt-get (process 7) is changing packages: it is waited for",) and not busy.problems


def test_without_the_old_file_there_is_no_way_back() -> None:
    known = replace(facts(database(there("a")), step("a", "1", "2")), old={})
    refused = plan_packages(known, wanted({"a": "2"}), PackageState())
    assert refused.irreversible == ("a 1",) and "packages irreversible" in refused.problems[0]
    allowed = plan_packages(
        known, wanted({"a": "2"}), PackageState(), options=PackageOptions(irreversible=True)
    )
    assert allowed.irreversible == ("a 1",) and not allowed.problems


def test_going_back_gives_way_to_what_others_need() -> None:
    base = database(there("a", "2"), there("theirs", depends="a"))
    state = PackageState({"a": record("2", "1")})
    known = facts(base, step("a", "2", "1"), step("theirs", "1", None), again=())
    change = plan_packages(known, None, state, options=PackageOptions(mode="back"))
    assert not change.problems and not change.actions and "a stays as it is" in change.notes[0]


def test_marks_of_others_come_back() -> None:
    base = database(there("a", automatic=True))
    taken = plan_packages(facts(base), wanted({"a": "1"}), PackageState())
    assert [(one.package, one.automatic) for one in taken.marks] == [("a", False)]
    ours = database(there("a", automatic=False))
    given = plan_packages(facts(ours), None, taken.after)
    assert [(one.package, one.automatic) for one in given.marks] == [("a", True)]
    assert given.after == PackageState()
    assert plan_packages(facts(ours), wanted({"a": "1"}), taken.after).empty


NAMES = ["a", "b", "c", "d", "e"]
VERSIONS = ["1", "2", "3"]
machines = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from(VERSIONS), st.booleans(), st.lists(st.sampled_from(NAMES), max_size=2)),
    max_size=5,
).map(
    lambda found: database(
        *(
            there(name, version, automatic=auto, depends=" ".join(needs))
            for name, (version, auto, needs) in found.items()
        )
    )
)
requests = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VERSIONS), max_size=4).flatmap(
    lambda locked: st.builds(
        lambda install, remove: wanted(locked, " ".join(sorted(install)), " ".join(sorted(remove))),
        st.sets(st.sampled_from(sorted(locked) or ["none"])).map(lambda names: names & locked.keys()),
        st.sets(st.sampled_from(NAMES), max_size=1).map(lambda names: names - locked.keys()),
    )
)
modes = st.sampled_from(["forward", "back", "exact"]).map(lambda mode: PackageOptions(mode=mode))  # type: ignore[arg-type]


def obey(
    base: Database, asked: WantedPackages | None, state: PackageState, options: PackageOptions
) -> tuple[PackageFacts, PackageChange]:
    """An apt that does just what it is asked."""
    intent = intend(base, asked, state, (), options)
    steps = [
        step(name, one.version if (one := base.whole(name)) is not None else None, ask.version)
        for name, ask in intent.asks.items()
    ]
    known = facts(base, *steps)
    return known, plan_packages(known, asked, state, options=options)


def made(base: Database, change: PackageChange) -> Database:
    after = dict(base.packages)
    for action in change.actions:
        if action.after is None:
            after.pop(action.package)
        else:
            old = after.get(action.package)
            after[action.package] = (
                replace(old, version=action.after) if old else there(action.package, action.after)
            )
    for mark in change.marks:
        after[mark.package] = replace(after[mark.package], automatic=mark.automatic)
    return Database("amd64", after)


def triples(base: Database) -> set[tuple[str, str, bool]]:
    return {(one.name, one.version, one.automatic) for one in base.packages.values()}


@at_most(80)
@given(machines, requests, modes)
def test_what_we_do_is_what_we_undo(base: Database, asked: WantedPackages, options: PackageOptions) -> None:
    _, change = obey(base, asked, PackageState(), options)
    if change.problems:
        return
    assert decode(PackageChange, encode(change), what="change") == change
    for action in change.actions:
        assert action.before is None or action.after is None or older(action.before, action.after), (
            "nothing of others goes back"
        )
        assert action.after is not None or action.package in asked.remove, "nothing of others is removed"
    after = made(base, change)
    _, again = obey(after, asked, change.after, options)
    assert again.empty and again.after == change.after, "the second time there is nothing to do"
    _, back = obey(after, None, change.after, PackageOptions(mode="back"))
    if not back.problems and not any(" stays" in note for note in back.notes):
        assert triples(made(after, back)) == triples(base) and back.after == PackageState()
