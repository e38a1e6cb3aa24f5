"""Upgrades by themselves: a timer that brings the machine to what its definition says now."""

from __future__ import annotations

from holdfast.library.packages import Packages
from holdfast.library.systemd import Systemd
from holdfast.library.types import ABSOLUTE_PATH, PROGRAM, SPAN, STRINGS
from holdfast.options import BOOL, Module, OptionSet, implements, lazy, null_or, option

UNIT = "holdfast-upgrade"


class AutoUpgrade(OptionSet, path="auto-upgrade"):
    """Run a command at fixed times that brings the machine to what is wanted now.

    For many machines, releases that are signed, tried and taken back by themselves are the better way: this is for few.
    """

    enable = option(BOOL, default=False, doc="Upgrade by a timer.")
    command = option(
        PROGRAM,
        default=["/usr/local/bin/holdfast", "switch"],
        doc="The command. It must fail when the upgrade fails: the unit is then failed, which is what monitoring sees.",
        example=["/usr/local/bin/holdfast", "switch", "web"],
    )
    checkout = option(
        null_or(ABSOLUTE_PATH),
        doc="A git checkout on the machine with the definition: it is updated first (`git pull --ff-only`), and the command runs in it. "
        "Whoever can push to its branch then decides what runs on the machine as root.",
        example="/srv/systems",
    )
    calendar = option(
        STRINGS,
        default=["04:40"],
        doc="Times, see systemd.time(7).",
        example=["Mon..Fri 04:40"],
    )
    randomized_delay = option(
        SPAN,
        default=0,
        doc="Wait a random time up to this, so that many machines do not start together.",
        example="45min",
    )
    fixed_random_delay = option(
        BOOL, default=False, doc="Make that time the same on every run of one machine."
    )
    persistent = option(
        BOOL, default=True, doc="Catch up at once when a time passed while the machine was off."
    )


@implements(AutoUpgrade)
def auto_upgrade(m: Module) -> None:
    """A timer and the service that it starts, which an upgrade neither restarts nor stops while it runs."""
    with m.when(lambda c: c[AutoUpgrade].enable):
        work = m[Systemd].services[UNIT]
        work.description = "Upgrade to what is wanted now"
        work.type = "oneshot"
        work.exec_start = lazy(lambda c: c[AutoUpgrade].command)
        work.working_directory = lazy(lambda c: c[AutoUpgrade].checkout)
        work.environment["HOME"] = "/root"
        work.after = ["network-online.target"]
        work.wants = ["network-online.target"]
        work.restart_if_changed = False
        work.stop_on_removal = False
        timer = m[Systemd].timers[UNIT]
        timer.description = "Times to upgrade at"
        timer.on_calendar = lazy(lambda c: c[AutoUpgrade].calendar)
        timer.randomized_delay_sec = lazy(lambda c: c[AutoUpgrade].randomized_delay)
        timer.fixed_random_delay = lazy(lambda c: c[AutoUpgrade].fixed_random_delay)
        timer.persistent = lazy(lambda c: c[AutoUpgrade].persistent)
    with m.when(lambda c: c[AutoUpgrade].enable and c[AutoUpgrade].checkout is not None):
        m[Packages].install = ["git"]
        m[Systemd].services[UNIT].exec_start_pre = [["/usr/bin/git", "pull", "--quiet", "--ff-only"]]
