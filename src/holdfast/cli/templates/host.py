"""A host: a Debian machine that already exists and is to be kept as described here.

    holdfast eval host       what it comes to, as a manifest
    holdfast lock            resolve its packages into holdfast.lock; commit that file
    holdfast run host        boot the same system as a throw-away container, to try it out
    holdfast plan host       what would change on the machine itself, its `target` below, and why
    holdfast switch host     change it; what fails takes itself back

`holdfast init --from root@host1` writes a definition of what a machine is already.
"""

from __future__ import annotations

from holdfast import Debian, Module, System
from holdfast.library import Files, Identity, Packages, Tmpfiles, Users


# What every machine of yours has.
def base(m: Module) -> None:
    m[Identity].timezone = "UTC"
    m[Packages].install = ["openssh-server", "curl"]
    m[Files]["/etc/motd"].text = "This machine is described in version control.\n"


# What this one has. Lists of several modules add up: `install` is now openssh-server, curl and htop.
def host(m: Module) -> None:
    m[Identity].hostname = "host1"
    m[Packages].install = ["htop"]
    m[Tmpfiles].rules = ["d /var/lib/exports 0755 root root -"]

    operator = m[Users].users["operator"]
    operator.comment = "Looks after this machine"
    operator.shell = "/bin/bash"
    # operator.authorized_keys = ["ssh-ed25519 AAAA... you@example"]


systems = [System("host", modules=[base, host], distro=Debian("trixie"), target="root@host1", tags={"host"})]
