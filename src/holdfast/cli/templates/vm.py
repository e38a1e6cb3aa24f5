"""A virtual machine: a system of its own with a login, a firewall and a service.

    holdfast eval vm         what it comes to, as a manifest
    holdfast build vm        lock and build it into the store
    holdfast run vm          boot it as a throw-away container, the quickest way to try it out

Booting it under QEMU (`holdfast vm`) is not there yet; the definition will not have to change for it.
"""

from __future__ import annotations

from holdfast import Debian, Module, System
from holdfast.library import Files, Firewall, Identity, Nginx, Packages


def vm(m: Module) -> None:
    m[Identity].hostname = "vm1"
    m[Packages].install = ["curl"]
    m[Nginx].enable = True
    m[Files]["/var/www/html/index.html"].text = "<h1>Held fast.</h1>\n"

    # Everything is closed but what is listed; what other modules open adds up.
    m[Firewall].enable = True
    m[Firewall].allowed_tcp_ports = [80]


systems = [System("vm", modules=[vm], distro=Debian("trixie"), tags={"vm"})]
