"""Everything that has to be exactly old or exactly new after an interrupted run, as told by the machine itself."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jeepney import DBusAddress, Properties

from holdfast.base.bus import SYSTEMD, unit_path
from holdfast.base.codec import encode
from holdfast.host.live import Live
from holdfast.host.planning.facts import read_recorded_state
from holdfast.host.units.systemd import Systemd
from tests.host.crash.systems import SYSCTL

Look = dict[str, Any]  # Any: JSON
_ROOTS = ("/etc", "/home", "/srv", "/opt", "/usr/local", "/var/lib/systemd/linger")
_REBUILT = re.compile(
    r"/etc/(ld\.so\.cache|(passwd|group|shadow|gshadow|subuid|subgid)-|\.pwd\.lock|\.updated)"
)
"""Caches, backups and locks."""
_AGED = re.compile(rb"^([^:]*:[^:]*):\d+:", re.MULTILINE)
"""In shadow(5): the day on which a password was set, which is another one after midnight."""
_OURS = ("workload-", "life-", "theirs", "dpkg-db-backup.timer")
HOME = Path("/var/lib/holdfast/host")
_known: dict[tuple[int, int, int, int], str] = {}


def look(live: Live, *, recorded: bool = True) -> Look:
    """The machine as one document. Not ``recorded``: without what Holdfast keeps for itself."""
    assert live.systemd is not None
    found: Look = {
        "tree": dict(_tree(_ROOTS)),
        "units": _units(live.systemd),
        "packages": _packages(),
        "settings": {
            "sysctl": Path("/proc/sys", SYSCTL.replace(".", "/")).read_text(),
            "tmpfiles": dict(
                _tree(
                    str(path)
                    for path in sorted([*Path("/run").glob("workload-[AB]"), *Path("/run").glob("life")])
                )
            ),
        },
    }
    if recorded:
        found |= {"state": _state(live), "kept": sorted(path.name for path in (HOME / "kept").iterdir())}
        found["left"] = sorted(path.name for path in HOME.iterdir())
    document: Look = json.loads(json.dumps(found))
    return document


def _tree(roots: Iterable[str]) -> Iterable[tuple[str, list[object]]]:
    for root in roots:
        yield root, _see(root)
        for directory, folders, names in os.walk(root):
            for name in (*folders, *names):
                path = f"{directory}/{name}"
                if not _REBUILT.fullmatch(path):
                    with suppress(FileNotFoundError):
                        yield path, _see(path)


def _see(path: str) -> list[object]:
    status = os.lstat(path)
    content = ""
    if stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)  # noqa: PTH115  (thousands of them)
    elif stat.S_ISREG(status.st_mode):
        key = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        content = _known.get(key) or _known.setdefault(key, _digest(path))
    mode = stat.filemode(status.st_mode)
    return [mode, status.st_uid, status.st_gid, content]


def _digest(path: str) -> str:
    data = Path(path).read_bytes()
    if path == "/etc/shadow":
        data = _AGED.sub(rb"\1::", data)
    return hashlib.sha256(data).hexdigest()


def _units(systemd: Systemd) -> Mapping[str, list[object]]:
    """Load, active and sub state, whether systemd knows its present file, and which version runs."""
    found: dict[str, list[object]] = {}
    states = systemd.states()
    for name, state in states.items():
        if name.startswith(_OURS):
            if (state.load, state.active) == ("not-found", "inactive"):
                continue  # something that is loaded names it; it is nothing
            if (state.active, state.sub) == ("inactive", "dead"):
                continue  # whether systemd has one loaded that does nothing is its own affair
            stale = _property(systemd, name, "Unit", "NeedDaemonReload")
            found[name] = [state.load, state.active, state.sub, stale, version(systemd, name)]
    found["failed"] = [name for name, state in states.items() if state.active == "failed"]
    return found


def version(systemd: Systemd, name: str) -> object:
    """What the running main process was started with; None where none runs."""
    if name.endswith(".socket"):
        return _property(systemd, name, "Socket", "Listen")
    if name.endswith(".timer"):
        timers = _property(systemd, name, "Timer", "TimersMonotonic")
        return (
            [one[1] for one in timers if isinstance(one, (list, tuple))] if isinstance(timers, list) else None
        )
    told = Path("/run", name.removesuffix(".service"), "version")
    if told.exists():
        return told.read_text().strip()
    variables = Path("/proc", str(main_process(systemd, name)), "environ")
    with suppress(OSError):
        match = re.search(rb"(?:^|\0)VERSION=([^\0]*)", variables.read_bytes())
        return match[1].decode() if match else ""
    return None


def main_process(systemd: Systemd, name: str) -> object:
    return _property(systemd, name, "Service", "MainPID")


def _property(systemd: Systemd, name: str, interface: str, key: str) -> object:
    unit = DBusAddress(unit_path(name), bus_name=SYSTEMD, interface=f"{SYSTEMD}.{interface}")
    (value,) = systemd._bus.request(Properties(unit).get(key), "v")
    assert isinstance(value, tuple)
    return value[1]


def _packages() -> Mapping[str, str]:
    """Name to architecture, version, status and mark."""
    found: dict[str, str] = {}
    for stanza in Path("/var/lib/dpkg/status").read_text().split("\n\n"):
        fields = dict(re.findall(r"^(Package|Architecture|Version|Status): (.*)$", stanza, re.MULTILINE))
        if fields and "installed" in fields["Status"].split():
            found[fields["Package"]] = f"{fields['Architecture']} {fields['Version']} {fields['Status']}"
    with suppress(FileNotFoundError):
        for stanza in Path("/var/lib/apt/extended_states").read_text().split("\n\n"):
            fields = dict(re.findall(r"^(Package|Auto-Installed): (.*)$", stanza, re.MULTILINE))
            if fields.get("Package") in found:
                found[fields["Package"]] += f" {fields['Auto-Installed']}"
    return found


def _state(live: Live) -> Mapping[str, Any]:  # Any: JSON
    """What is recorded, without what differs from run to run."""
    state = read_recorded_state(live.root)
    if state is None:
        return {}
    document = encode(state)
    assert isinstance(document, dict)
    current = os.readlink(HOME / "current") if state.active else ""  # noqa: PTH115
    same = current.rpartition("/")[2] == str(state.generation) if state.active else current == ""
    paths = document["paths"]
    assert isinstance(paths, dict)
    plain = {path: one for path, one in paths.items() if not path.startswith(str(HOME))}
    return {**document, "transaction": "", "generation": "", "paths": plain, "current": same}


def differences(found: Look, wanted: Look) -> list[str]:
    """What differs, for people: part, name, what is there, what should be."""
    told: list[str] = []
    for part, value in wanted.items():
        have = found.get(part)
        if isinstance(value, dict) and isinstance(have, dict):
            for name in sorted({*value, *have}):
                if value.get(name) != have.get(name):
                    told.append(f"{part} {name}: {_short(have.get(name))}, not {_short(value.get(name))}")
        elif value != have:
            told.append(f"{part}: {_short(have)}, not {_short(value)}")
    return told


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 400 else f"{text[:400]}…"
