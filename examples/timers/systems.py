"""Work at fixed times: the short way, the long way, and a change to a timer that a package brings."""

from __future__ import annotations

from holdfast import Debian, Module, System
from holdfast.library import Systemd


def backup(m: Module) -> None:
    """`start_at` makes the timer; a script is a file of its own that the service runs with `sh -e`."""
    nightly = m[Systemd].services["backup"]
    nightly.description = "Copy /etc aside"
    nightly.type = "oneshot"
    nightly.start_at = ["*-*-* 03:30"]
    nightly.state_directory = ["backup"]
    nightly.script = """\
tar --create --gzip --file /var/lib/backup/etc.new --directory / etc
mv /var/lib/backup/etc.new /var/lib/backup/etc.tar.gz
"""
    # Any setting of systemd that has no option of its own.
    nightly.section["Service"]["IOSchedulingClass"] = "idle"


def heartbeat(m: Module) -> None:
    """A timer in full: soon after boot, then every ten minutes, and not all machines at once."""
    beat = m[Systemd].services["heartbeat"]
    beat.type = "oneshot"
    beat.exec_start = ["/usr/bin/touch", "/run/heartbeat"]

    timer = m[Systemd].timers["heartbeat"]
    timer.on_boot_sec = "30s"
    timer.on_unit_active_sec = "10min"
    timer.randomized_delay_sec = 20


def quiet(m: Module) -> None:
    """What the distribution brings: one timer at another time (a drop-in), one never (masked)."""
    trim = m[Systemd].timers["fstrim"]
    trim.from_package = True
    trim.enable = True
    trim.on_calendar = ["Sun 04:00"]
    m[Systemd].masked = ["dpkg-db-backup.timer"]


systems = [System("clockwork", modules=[backup, heartbeat, quiet], distro=Debian("trixie"))]
