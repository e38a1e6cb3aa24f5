"""Reading the facts that a change of packages is planned from: nothing is changed, and apt is only asked when it matters."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from holdfast.base.errors import explain_os_errors
from holdfast.base.events import stage
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.live import Live
from holdfast.host.packages.apt.apt import Apt
from holdfast.host.packages.apt.conffiles import read_conffiles
from holdfast.host.packages.apt.database import EXTENDED_STATES, STATUS, UPDATES, Database, key, parse
from holdfast.host.packages.apt.facts import PackageFacts, Simulation
from holdfast.host.packages.apt.files import find_old, fingerprint, kept_stanza, wanted_stanza
from holdfast.host.packages.apt.intent import Ask, Intent, intend
from holdfast.host.packages.apt.locks import package_lock_holder
from holdfast.host.packages.change import PackageOptions
from holdfast.host.packages.record import PackageState
from holdfast.host.packages.wanted import WantedPackages
from holdfast.host.state import State


def read_package_facts(
    live: Live,
    wanted: WantedPackages | None,
    state: State | None,
    options: PackageOptions = PackageOptions(),
    declared: Iterable[str] = (),
) -> PackageFacts:
    """Look at a machine's packages; ``declared`` are the paths of the definition's files.

    A few milliseconds where nothing is to be done; otherwise apt is asked what it would do.

    Raises:
        HoldfastError: something cannot be read.
    """
    recorded = state.packages if state is not None else PackageState()
    with explain_os_errors("read what is known of packages"):
        facts = _look(live, state, tuple(sorted(declared)))
    intent = intend(
        facts.database,
        wanted,
        recorded,
        state.holds if state is not None else (),
        options,
        kernel=facts.kernel,
    )
    if not intent.asks or intent.problems or not facts.live or facts.interrupted:
        return facts
    with stage("Asking apt what it would do"), TemporaryDirectory(prefix="holdfast-apt-") as place:
        return _ask(facts, live, wanted, recorded, intent, options, Path(place))


def read_database(root: RootDirectory) -> Database:
    return parse(root.read(STATUS) or b"", root.read(EXTENDED_STATES))


def _look(live: Live, state: State | None, declared: tuple[str, ...]) -> PackageFacts:
    root = live.root
    status, extended = root.read(STATUS) or b"", root.read(EXTENDED_STATES)
    fields = _os_release(root)
    database = parse(status, extended)
    return PackageFacts(
        database,
        release_names(fields),
        fields.get("PRETTY_NAME", ""),
        live=live.running,
        interrupted=any(name.isdigit() for name in root.scan(UPDATES)),
        kernel=os.uname().release if live.running else "",
        busy=package_lock_holder() if live.running else None,
        declared=declared,
        conffiles=read_conffiles(root, database, state, declared),
        fingerprint=fingerprint(status, extended),
    )


def _os_release(root: RootDirectory) -> dict[str, str]:
    text = (root.read("/etc/os-release") or root.read("/usr/lib/os-release") or b"").decode(
        "utf-8", "replace"
    )
    return {name: value.strip("\"'") for name, value in re.findall(r"^([A-Z_]+)=(.*)$", text, re.M)}


def release_names(fields: dict[str, str]) -> frozenset[str]:
    """Code names of the release that os-release(5) tells of. Testing and unstable share everything but the last word of their name: ``Debian GNU/Linux forky/sid``."""
    last = fields.get("PRETTY_NAME", "").rpartition(" ")[2]
    names = {fields.get("VERSION_CODENAME", ""), *(last.split("/") if "/" in last else ())}
    return frozenset(names - {""})


def _ask(
    facts: PackageFacts,
    live: Live,
    wanted: WantedPackages | None,
    recorded: PackageState,
    intent: Intent,
    options: PackageOptions,
    place: Path,
) -> PackageFacts:
    native = facts.database.architecture
    (place / "files").mkdir()
    apt = Apt(place, place / "files")
    offered: set[tuple[str, str, str]] = set()
    stanzas: list[str] = []
    sizes: dict[str, int] = {}
    for package in wanted.packages if wanted is not None else ():
        name = key(package.name, package.architecture, native)
        there = facts.database.whole(name)
        if there is not None and there.version == package.version:
            continue  # apt knows it already
        stanza = wanted_stanza(live.blobs, package)
        if stanza is not None:
            stanzas.append(stanza)
            offered.add((package.name, package.version, package.architecture))
            sizes[name] = _size(stanza)
    for ask in intent.asks.values():
        if ask.file is not None and ask.file.source == "kept" and (stanza := kept_stanza(ask.file)):
            stanzas.append(stanza)
            offered.add((ask.file.name, ask.file.version, ask.file.architecture))
    apt.offer(stanzas, recommends=wanted.recommends if wanted is not None else False)
    simulation = simulate(apt, tuple(intent.asks.values()), intent, options)
    again = None
    if any(ask.back for ask in intent.asks.values()):
        again = simulate(apt, tuple(ask for ask in intent.asks.values() if not ask.back), intent, options)
    touched = [
        facts.database.packages[name]
        for step in (*simulation.steps, *(again.steps if again is not None else ()))
        if step.before is not None
        and (name := key(step.name, step.architecture, native)) in facts.database.packages
    ]
    with suppress(OSError):
        usage = os.statvfs("/usr")
        facts = replace(facts, free=usage.f_bavail * usage.f_frsize)
    return replace(
        facts,
        offered=frozenset(offered),
        simulation=simulation,
        again=again,
        old=find_old(touched, native, recorded.packages, live.blobs),
        sizes=sizes,
    )


def simulate(apt: Apt, asks: tuple[Ask, ...], intent: Intent, options: PackageOptions) -> Simulation:
    if not asks:
        return Simulation()
    return apt.simulate([ask.word for ask in asks], *switches(held=bool(intent.holds), options=options))


def switches(*, held: bool, options: PackageOptions) -> tuple[str, ...]:
    """apt-get(8)'s options that let it do what it was asked; what it may do is judged by the plan."""
    chosen = ["--allow-downgrades"]
    if held:
        chosen.append("--allow-change-held-packages")
    if options.protected:
        chosen.append("--allow-remove-essential")
    return tuple(chosen)


def _size(stanza: str) -> int:
    found = re.search(r"^Installed-Size: (\d+)$", stanza, re.M)
    return int(found[1]) * 1024 if found else 0
