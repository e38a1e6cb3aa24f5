"""What the kernel is told, and what systemd-tmpfiles makes: steps beside files, which take effect at once and can be taken back.

See sysctl.d(5), modules-load.d(5), tmpfiles.d(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.host.files.content import remove_directory
from holdfast.host.files.nodes import Folder
from holdfast.host.files.tmpfiles import TMPFILES, is_untouched
from holdfast.host.live import Live
from holdfast.host.steps import CreateTmpfiles, LoadModules, SetSysctl, Step


def plan_sysctl(
    wanted: Mapping[str, str], given: Mapping[str, str], found: Mapping[str, str | None]
) -> tuple[SetSysctl | None, Mapping[str, str]]:
    """The step, if one is needed, and what each of our parameters was before us (pure).

    ``given`` is that record as it was; ``found`` the values there are, None for a parameter that the kernel does not have.
    """
    ours = {name: given.get(name, found.get(name) or "") for name in wanted}
    values = {name: value for name, value in wanted.items() if _words(found.get(name)) != _words(value)}
    for name, value in given.items():
        known = found.get(name) is not None and value != ""  # a module of ours may have brought the parameter
        if name not in wanted and known and _words(found[name]) != _words(value):
            values[name] = value
    before = {name: found.get(name) or "" for name in values}
    return (SetSysctl(values, before) if values else None), ours


def _words(value: str | None) -> list[str] | None:
    return None if value is None else value.split()


def read_sysctl(names: Iterable[str], live: Live) -> Mapping[str, str | None]:
    """Values of kernel parameters; None where the kernel has none of that name, or does not tell it."""
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = _place(name, live).read_text().strip()
        except OSError:
            found[name] = None
    return found


def _place(name: str, live: Live) -> Path:
    """Where a parameter is below /proc/sys: as sysctl.d(5) has it, the first separator says what separates."""
    first = next((letter for letter in name if letter in "./"), ".")
    path = name if first == "/" else name.translate(str.maketrans("./", "/."))
    return live.path / "proc/sys" / path.lstrip("/")


def read_modules(live: Live) -> frozenset[str]:
    """Kernel modules that are loaded, with ``_`` for ``-`` as the kernel has it."""
    try:
        lines = (live.path / "proc/modules").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(line.split(" ", 1)[0] for line in lines)


def plan_modules(wanted: Iterable[str], loaded: frozenset[str]) -> LoadModules | None:
    """The step, if a module is missing (pure). One that is built in is found by modprobe(8), which then does nothing."""
    missing = tuple(name for name in wanted if name.replace("-", "_") not in loaded)
    return LoadModules(missing) if missing else None


def do(step: Step, live: Live) -> None:
    """Raises HoldfastError: the kernel or systemd-tmpfiles refuses; names what."""
    if isinstance(step, SetSysctl):
        _set(step.values, live)
    elif isinstance(step, LoadModules):
        for module in step.modules:
            process.run(["modprobe", "--", module])
    elif isinstance(step, CreateTmpfiles) and step.when == "do":
        _create_tmpfiles(live)


def undo(step: Step, live: Live) -> None:
    """Where nothing runs (another machine's disk, or early at boot) the kernel is another one: there is nothing of it to take back.

    Raises:
        HoldfastError: as :func:`do`.
    """
    if isinstance(step, CreateTmpfiles) and step.when == "do":
        _remove_tmpfiles(step.made, live)
    elif not live.running:
        return
    elif isinstance(step, SetSysctl):
        # After a reboot a parameter may be gone with its module or its device, and what it was with it.
        there = [name for name, value in step.before.items() if value and _place(name, live).exists()]
        _set({name: step.before[name] for name in there}, live)
    elif isinstance(step, LoadModules):
        for module in reversed(step.modules):
            # In use by now, built in, or never loaded, where there is no modprobe, too: each leaves it as it is, and harms nothing.
            with suppress(HoldfastError):
                process.run(["modprobe", "--remove", "--quiet", "--", module], check=False)
    elif isinstance(step, CreateTmpfiles):
        _create_tmpfiles(live)


def _set(values: Mapping[str, str], live: Live) -> None:
    refused: list[str] = []
    for name, value in sorted(values.items()):
        try:
            _place(name, live).write_text(f"{value}\n")
        except FileNotFoundError:
            refused.append(f"{name}: this kernel has no such parameter")
        except OSError as error:
            refused.append(f"{name} = {value}: {error.strerror}")
    if refused:
        raise HoldfastError(
            "kernel parameters cannot be set",
            details="\n".join(refused),
            resolution="A container shares its host's kernel: such parameters are the host's to set.",
        )


def _create_tmpfiles(live: Live) -> None:
    if not (live.path / TMPFILES.lstrip("/")).exists():
        return
    process.run(["systemd-tmpfiles", "--create", TMPFILES])


def _remove_tmpfiles(made: Mapping[str, str], live: Live) -> None:
    """Take away what the rules have just made, the deepest first, unless somebody has filled it meanwhile."""
    for path in sorted(made, reverse=True):
        located = live.root.locate(path)
        if located.blocked or located.real != path or not is_untouched(made[path], located.node):
            continue
        with live.root.parent(path) as (directory, name):
            if isinstance(located.node, Folder):
                remove_directory(directory, name)
            else:
                os.unlink(name, dir_fd=directory)
