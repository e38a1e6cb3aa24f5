"""An operating-system image: several variants of one appliance from the same modules.

    holdfast eval 'kiosk-*'  both variants, as manifests
    holdfast build tag:kiosk lock and build both into the store; they share one package set
    holdfast run kiosk-dev   boot one as a throw-away container

Writing verity-protected disk images (`holdfast image`) is not there yet; the definition will not have to change for it.
"""

from __future__ import annotations

from holdfast import Debian, Module, System, force
from holdfast.library import Files, Identity, Systemd


def appliance(m: Module) -> None:
    m[Identity].hostname = "kiosk"
    m[Files]["/etc/issue"].text = "Kiosk\n"

    heartbeat = m[Systemd].services["heartbeat"]
    heartbeat.description = "Say that this machine is alive"
    heartbeat.exec_start = ["/bin/sh", "-c", "date > /run/heartbeat"]
    beat = m[Systemd].timers["heartbeat"]
    beat.on_calendar = ["minutely"]
    beat.wanted_by = ["timers.target"]


# A variant is one more module. `force` wins over the plain value above; `holdfast explain` shows both.
def development(m: Module) -> None:
    m[Identity].hostname = force("kiosk-dev")


distro = Debian("trixie")
systems = [
    System("kiosk", modules=[appliance], distro=distro, tags={"kiosk"}),
    System("kiosk-dev", modules=[appliance, development], distro=distro, tags={"kiosk"}),
]
