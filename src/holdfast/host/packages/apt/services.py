"""Units and the packages that bring them: which run, which have to be stopped, and which still use what is gone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from holdfast.base.process import run
from holdfast.host.packages.apt.database import INFO
from holdfast.host.packages.change import Stale
from holdfast.host.steps import UnitJob
from holdfast.host.units.spared import spared

_UNIT = re.compile(
    r"^/(?:usr/)?lib/systemd/system/([^/]+\.(?:service|socket|timer|path|mount|target))$", re.M
)
_DELETED = re.compile(r"^\S+ \S+ \S+ \S+ [1-9]\d* +(/(?:usr|lib|lib64|bin|sbin|opt)/.*) \(deleted\)$", re.M)


def systemd_runs() -> bool:
    return Path("/run/systemd/system").is_dir()  # what sd_booted(3) looks at


def units_of(package: str, architecture: str) -> tuple[str, ...]:
    """Units that an installed package brings; templates are left out."""
    name = package.partition(":")[0]
    for listed in (f"{INFO}/{name}:{architecture}.list", f"{INFO}/{name}.list"):
        with suppress(OSError):
            found: list[str] = _UNIT.findall(Path(listed).read_text(errors="replace"))
            return tuple(sorted({unit for unit in found if "@." not in unit}))
    return ()


def active_units(units: Iterable[str]) -> tuple[str, ...]:
    """Those that run now."""
    return tuple(unit for unit, shown in _show(units).items() if shown.get("ActiveState") in _RUNS)


_RUNS = ("active", "activating", "reloading")


def stop(units: Iterable[str]) -> None:
    """Stop units and wait until they are.

    Raises:
        ProcessError: one does not stop.
    """
    names = tuple(units)
    if names:
        run(["systemctl", "stop", "--", *names])


def start_again(units: Iterable[str]) -> None:
    """Start what ran before and does not now; what cannot be started is left for a person to see in its failed state."""
    names = tuple(units)
    idle = [name for name in names if name not in active_units(names)] if names else []
    if idle:
        run(["systemctl", "daemon-reload"])
        run(["systemctl", "start", "--", *idle], check=False)


def run_jobs(jobs: Iterable[UnitJob]) -> None:
    """Do what packages wanted to do to their services; what fails is left for a person to see in its failed state."""
    for job in jobs:
        run(["systemctl", job.verb, "--", job.unit], check=False)


def jobs_asked(asked: Iterable[tuple[str, str]], stopped: Iterable[str]) -> tuple[UnitJob, ...]:
    """What the packages wanted to do to services, as jobs: what Debian's own scripts would have done by now.

    A unit that is disabled and does not run is left alone, as deb-systemd-invoke(1p) does.
    """
    actions: dict[str, str] = {}
    for name, action in asked:
        unit = name if "." in name else f"{name}.service"
        if actions.get(unit) not in ("restart", "start"):
            actions[unit] = action
    for unit in stopped:
        actions.setdefault(unit, "start")
    jobs: list[UnitJob] = []
    for unit, shown in _show(actions).items():
        runs = shown.get("ActiveState") in _RUNS
        action = actions[unit]
        if shown.get("LoadState") != "loaded":
            continue
        if runs and "reload" in action:
            jobs.append(UnitJob(unit, "reload", "its package was upgraded"))
        elif runs and action != "start":
            jobs.append(UnitJob(unit, "restart", "its package was upgraded"))
        elif not runs and "reload" not in action and shown.get("UnitFileState") not in ("disabled", "masked"):
            jobs.append(UnitJob(unit, "start", "its package brought it"))
    return tuple(jobs)


def _show(units: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
    names = tuple(dict.fromkeys(units))
    if not names:
        return {}
    words = [f"--property={name}" for name in ("ActiveState", "LoadState", "UnitFileState")]
    answers = run(["systemctl", "show", *words, "--", *names], check=False).text.split("\n\n")
    return {
        name: dict(re.findall(r"^(\w+)=(.*)$", answer, re.M))
        for name, answer in zip(names, answers, strict=False)
    }


def find_stale() -> tuple[Stale, ...]:
    """Units whose processes run, or have mapped, files that were replaced or removed, see proc_pid_maps(5)."""
    files: dict[str, set[str]] = {}
    processes: dict[str, list[str]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            gone = _deleted(entry)
            if gone:
                unit = _unit_of(entry)
                if unit.startswith("holdfast"):
                    continue  # ourselves: gone in a moment
                files.setdefault(unit, set()).update(gone)
                name = (entry / "comm").read_text(errors="replace").strip()
                processes.setdefault(unit, []).append(f"{name} ({entry.name})")
    return tuple(
        Stale(unit, tuple(processes[unit]), tuple(sorted(found))) for unit, found in sorted(files.items())
    )


def stale_jobs(stale: Iterable[Stale]) -> tuple[UnitJob, ...]:
    """Restart what uses files that are gone, but for what a restart would harm."""
    return tuple(
        UnitJob(one.unit, "restart", f"it still uses {one.files[0]}, which was replaced")
        for one in stale
        if one.unit.endswith(".service") and spared(one.unit) is None and not one.unit.startswith("holdfast")
    )


def _deleted(process: Path) -> set[str]:
    maps = (process / "maps").read_text(errors="replace")
    return set(_DELETED.findall(maps))


def _unit_of(process: Path) -> str:
    group = (process / "cgroup").read_text(errors="replace").strip().rpartition(":")[2]
    for name in reversed(group.split("/")):
        if name.endswith((".service", ".scope")):
            return name
    return "init.scope" if process.name == "1" else ""
