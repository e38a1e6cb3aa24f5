"""Two definitions that differ in everything that a switch can change: what a machine goes between while it is killed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from holdfast.manifest.model import (
    SCHEMA_VERSION,
    Directory,
    Distribution,
    Entry,
    Group,
    Identity,
    Link,
    Manifest,
    Packages,
    TextFile,
    Unit,
    User,
)

FILES = 500
SYSCTL = "net.ipv4.ip_default_ttl"
UNCHANGED = "workload-unchanged.service"
"""Both have it, and nothing of it differs: it must never be restarted."""
FOREIGN: Mapping[str, str] = {
    "/etc/workload/part0/theirs": "somebody else's\n",
    "/etc/workload-motd": "what was there before\n",
    "/etc/systemd/system/theirs.service": "[Service]\nEnvironment=VERSION=theirs\nExecStart=/usr/bin/sleep infinity\n",
}
"""What is on the machine before Holdfast comes."""
FOREIGN_LINKS: Mapping[str, str] = {
    "/etc/systemd/system/multi-user.target.wants/theirs.service": "/etc/systemd/system/theirs.service"
}
_EVER = "ExecStart=/usr/bin/sleep infinity\n"
_WANTED = ("multi-user.target",)


def large(which: str, files: int = FILES) -> Manifest:
    """Definition ``A`` or ``B``: many files, twenty units, people and groups that come and go."""
    return Manifest(
        SCHEMA_VERSION,
        f"large-{which}",
        Distribution("debian", "trixie", "amd64"),
        Identity("crash", None, None),
        files=_files(which, files),
        units=_units(which),
        users=_users(which),
        groups={"crew": Group(members=("both",))} if which == "A" else {"team": Group(system=True)},
        tmpfiles=(f"d /run/workload-{which} 0750 root root -",),
        sysctl={SYSCTL: _sysctl(which)},
    )


def _sysctl(which: str) -> str:
    return "63" if which == "A" else "62"


def packaged(which: str) -> Manifest:
    """A small definition whose packages change, and with them a file of theirs that is ours, and a unit."""
    version = f"Environment=VERSION={which}\n"
    whole = large(which, 20)
    return replace(
        whole,
        name=f"packaged-{which}",
        packages=Packages(install=("app",) if which == "A" else ("app", "new")),
        files={**whole.files, "/etc/app.conf": TextFile(f"ours, {which}\n")},
        units={"workload-0.service": Unit(f"[Service]\n{version}{_EVER}", wanted_by=_WANTED)},
    )


def _files(which: str, count: int) -> dict[str, Entry]:
    files: dict[str, Entry] = {}
    for number in range(count):
        path = f"/etc/workload/part{number % 7}/{number}.conf"
        text = f"setting {number} of {which}\n" * 20
        kind = number % 10
        if kind == 5:  # the mode alone
            files[path] = TextFile(f"setting {number}\n", mode="0644" if which == "A" else "0600")
        elif kind == 6:  # comes and goes, with its directory
            files[f"/etc/workload/only-{which}/{number % 3}/{number}.conf"] = TextFile(text)
        elif kind == 7:  # a file here, a link there
            files[path] = TextFile(text) if which == "A" else Link(f"../part0/{number}")
        elif kind == 8:  # the owner alone
            owner = ("ann", "crew") if which == "A" else ("bob", "team")
            files[path] = TextFile("owned\n", "0640", *owner)
        else:
            files[path] = TextFile(text)
    # As the library does.
    files["/etc/sysctl.d/60-holdfast.conf"] = TextFile(f"{SYSCTL} = {_sysctl(which)}\n")
    if which == "A":
        files["/srv/x"] = TextFile("a file that becomes a directory\n")
        files["/etc/workload-motd"] = TextFile("ours\n")
        files["/srv/data"] = Directory("0750", "ann", "crew")
    else:
        files["/srv/x/y"] = TextFile("in a directory that was a file\n")
        files["/srv/data"] = Directory("0711")
    return files


def _users(which: str) -> dict[str, User]:
    if which == "A":
        return {"ann": User(comment="Ann", groups=("crew",)), "both": User(comment="Of A", create_home=False)}
    nobody = User(system=True, group="team")
    return {"bob": nobody, "both": User(comment="Of B", create_home=False, shell="/bin/sh")}


def _units(which: str) -> dict[str, Unit]:
    version = f"Environment=VERSION={which}\n"
    units: dict[str, Unit] = {}
    for number in range(9):
        units[f"workload-{number}.service"] = Unit(f"[Service]\n{version}{_EVER}", wanted_by=_WANTED)
    for number in range(3):
        units[f"workload-only-{which}-{number}.service"] = Unit(
            f"[Service]\n{version}{_EVER}", wanted_by=_WANTED
        )
    for number in range(2):
        units[f"workload-oneshot-{number}.service"] = Unit(
            f"[Service]\nType=oneshot\nRemainAfterExit=yes\n{version}RuntimeDirectory=%N\nExecStart=/bin/sh -c 'echo $VERSION >/run/%N/version'\n",
            wanted_by=_WANTED,
        )
    units[UNCHANGED] = Unit(f"[Service]\nEnvironment=VERSION=any\n{_EVER}", wanted_by=_WANTED)
    units["workload-dropin.service"] = Unit(
        f"[Service]\n{_EVER}", {"10-version.conf": f"[Service]\n{version}"}, wanted_by=_WANTED
    )
    units["workload-socket.socket"] = Unit(
        f"[Socket]\nListenStream=/run/workload-{which}.sock\n", wanted_by=("sockets.target",)
    )
    units["workload-socket.service"] = Unit(f"[Service]\n{version}{_EVER}")
    units["workload-timer.timer"] = Unit(
        f"[Timer]\nOnActiveSec={3 if which == 'A' else 4}d\n", wanted_by=("timers.target",)
    )
    units["workload-timer.service"] = Unit(f"[Service]\n{version}{_EVER}")
    units["theirs.service"] = (
        Unit(f"[Service]\n{version}{_EVER}", wanted_by=_WANTED)
        if which == "A"
        else Unit(None, {"10-version.conf": f"[Service]\n{version}"})
    )
    return units
