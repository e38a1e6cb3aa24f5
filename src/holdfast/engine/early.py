"""What happens when the machine is booted: a generation that waits for it becomes current, a change that nobody confirmed is
taken back, and what a power cut interrupted is put right. All of it before the services start that it may concern.

The unit is only there while something waits for it. It runs before systemd's own early units read sysctl.d, modules-load.d and
tmpfiles.d, and changes files alone: no unit runs yet that would have to be restarted. Afterwards systemd reads its units anew and
starts what the new ones ask for.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from holdfast.base.atomic import replace_link, sync_directory, write_atomically
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import message
from holdfast.base.process import run
from holdfast.base.style import Style
from holdfast.engine.launch import ENGINE_HOME
from holdfast.engine.outcome import Outcome, Place, demand_root
from holdfast.host.units.own import EARLY_UNIT

_UNITS = "etc/systemd/system"
_WANTS = f"{_UNITS}/sysinit.target.wants"
_TEXT = f"""\
# Made by Holdfast, and removed by it when nothing waits for a boot any more.
[Unit]
Description=What Holdfast has to do at boot
DefaultDependencies=no
After=local-fs.target systemd-remount-fs.service
Before=sysinit.target systemd-sysctl.service systemd-modules-load.service systemd-tmpfiles-setup.service shutdown.target
Conflicts=shutdown.target
RequiresMountsFor=/var/lib/holdfast /etc /usr /home
ConditionPathExists={ENGINE_HOME}/current/run

[Service]
Type=oneshot
ExecStart=/bin/sh {ENGINE_HOME}/current/run early
TimeoutStartSec=15min
SyslogIdentifier=holdfast
"""


def install(root: Path) -> None:
    """Let :func:`early` run at the next boot.

    Raises:
        HoldfastError: the engine is not installed there, or the unit cannot be written.
    """
    if not (root / ENGINE_HOME.lstrip("/") / "current/run").exists():
        raise HoldfastError(
            "the engine is not installed, so it could not act at the next boot",
            resolution="Run `python3 engine.pyz install` first."
            if root == Path("/")
            else "It does not run: `holdfast switch --root` changes it at once.",
        )
    unit, wants = root / _UNITS / EARLY_UNIT, root / _WANTS
    with explain_os_errors("write the unit that acts at boot"):
        if not unit.exists() or unit.read_text() != _TEXT:
            wants.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_atomically(unit, _TEXT.encode())
        replace_link(wants / EARLY_UNIT, f"../{EARLY_UNIT}")
        sync_directory(wants)


def remove_if_idle(root: Path, home: Path) -> None:
    """Take the unit away when nothing waits for a boot.

    Raises:
        HoldfastError: it cannot be removed.
    """
    if (home / "pending").exists() or (home / "unconfirmed.json").exists():
        return
    with explain_os_errors("remove the unit that acts at boot"):
        for path in (root / _WANTS / EARLY_UNIT, root / _UNITS / EARLY_UNIT):
            with suppress(FileNotFoundError):
                path.unlink()
                sync_directory(path.parent)
        with suppress(OSError):  # other units may be wanted there
            (root / _WANTS).rmdir()


def early(options: argparse.Namespace, _style: Style) -> Outcome:
    """`holdfast early`: what the unit runs."""
    from holdfast.engine.confirming import settle
    from holdfast.engine.refs import keep_generations
    from holdfast.host import operations
    from holdfast.host.generations import Generations
    from holdfast.host.home import home_path
    from holdfast.host.planning.facts import read_recorded_state

    demand_root("act at boot")
    place = Place(options.root)
    done: list[str] = []
    with place.live() as running:
        # No unit may be waited for, and no package manager run, that early.
        live = replace(running, systemd=None, running=False)
        before = operations.status(live).generation
        if operations.recover(live) is not None:
            done.append("an interrupted run was put right")
        settle(place, live)
        pending = operations.status(live).pending
        if pending is not None:
            message(f"Activating generation {pending}")
            try:
                operations.activate(live, pending)
            except HoldfastError:  # what failed at one boot is not tried again at every other
                Generations(home_path(live), read_recorded_state(live.root)).set_pending(None)
                remove_if_idle(place.root, home_path(live))
                raise
        after = operations.status(live).generation
        keep_generations(place, live)
        remove_if_idle(place.root, home_path(live))
        if (before != after or done) and running.systemd is not None:
            run(["systemctl", "daemon-reload"])
            run(["systemctl", "start", "--no-block", "default.target"])
    return Outcome(None, (f"Generation {after} is current.",))
