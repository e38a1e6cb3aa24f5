"""How changes of files are tried: what goes to /run, what is covered, and what is refused. Machines: tests/system/test_ephemeral.py."""

from __future__ import annotations

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.host.actions import Action, Keep, MakeDirectory, PutFile, PutLink, Remove, SetDirectory
from holdfast.host.covering import cover
from holdfast.host.nodes import Absent, File, Folder, Symlink

A, B = File(digest_bytes(b"a")), File(digest_bytes(b"b"))


def _new(path: str) -> PutFile:
    return PutFile(path, B, Absent(), "")


def _changed(path: str) -> PutFile:
    return PutFile(path, B, A, "")


def _link(path: str, target: str) -> PutLink:
    return PutLink(path, Symlink(target), Absent(), "")


UNITS = "/etc/systemd/system"


@pytest.mark.parametrize(
    ("actions", "places", "layers"),
    [
        ([_new(f"{UNITS}/a.service")], ["run /run/systemd/system/a.service"], []),
        ([_changed(f"{UNITS}/a.service")], ["bind file-0"], []),
        (
            [MakeDirectory(f"{UNITS}/a.service.d", Folder(), ""), _new(f"{UNITS}/a.service.d/x.conf")],
            ["run /run/systemd/system/a.service.d", "run /run/systemd/system/a.service.d/x.conf"],
            [],
        ),
        ([_new("/etc/sysctl.d/60.conf"), _new("/run/x/y")], ["run /run/sysctl.d/60.conf", "run /run/x/y"], []),
        ([_changed("/etc/motd"), _changed("/var/lib/x")], ["bind file-0", "bind file-1"], []),
        ([_new("/etc/a/b.conf")], ["layer layer-0/b.conf"], ["/etc/a"]),
        (
            [MakeDirectory("/etc/new", Folder(), ""), _new("/etc/new/b"), _changed("/etc/motd"), _new("/etc/a/c")],
            ["layer layer-0/new", "layer layer-0/new/b", "layer layer-0/motd", "layer layer-0/a/c"],
            ["/etc"],
        ),
        ([Remove("/etc/a/old", A, "")], ["layer layer-0/old"], ["/etc/a"]),
        ([SetDirectory("/opt/x", Folder("0700"), Folder(), "")], ["layer layer-0/x"], ["/opt"]),
        ([Keep("/etc/motd", A.digest, "")], [], []),
    ],
)  # fmt: skip
def test_where_things_are_made(actions: list[Action], places: list[str], layers: list[str]) -> None:
    step, problems = cover(actions)
    assert not problems
    assert [
        f"{one.how} {one.place.removeprefix('/run/holdfast/trial/files/')}" for one in step.pieces
    ] == places
    assert [one.directory for one in step.layers] == layers


def test_links_lead_to_what_they_would_lead_to() -> None:
    wants = f"{UNITS}/multi-user.target.wants"
    step, _ = cover(
        [
            _new(f"{UNITS}/a.service"),
            _link(f"{wants}/a.service", "../a.service"),
            _link(f"{wants}/b.service", "../b.service"),
            _link(f"{UNITS}/c.service", "/dev/null"),
        ]
    )
    assert [one.node.target for one in step.pieces if isinstance(one.node, Symlink)] == [
        "/run/systemd/system/a.service",
        f"{UNITS}/b.service",
        "/dev/null",
    ]


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (_changed("/etc/passwd"), "people and packages"),
        (_changed("/var/lib/dpkg/status"), "people and packages"),
        (_new("/var/lib/x"), "nothing in /var/lib can come or go"),
        (_new("/root/x"), "nothing in /root can come or go"),
        (Remove("/etc/a:b/x", A, ""), "means something to mount(8)"),
    ],
)
def test_what_has_no_place(action: Action, why: str) -> None:
    _, problems = cover([_new("/etc/a/fine"), action])
    assert len(problems) == 1 and why in problems[0]
