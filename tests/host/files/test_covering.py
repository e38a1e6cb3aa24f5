"""How changes of files are tried: what goes to /run, what is covered, and what is refused. Machines: tests/system/test_ephemeral.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.host import secrets
from holdfast.host.failures import RefusedError
from holdfast.host.files.actions import Action, Keep, MakeDirectory, PutFile, PutLink, Remove, SetDirectory
from holdfast.host.files.covering import check, cover, read_mounts, undo
from holdfast.host.files.nodes import Absent, File, Folder, Secret, Symlink
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.live import Live
from holdfast.host.planning.arranging import Arranged
from holdfast.host.planning.plan import Plan
from holdfast.host.state import STATE_VERSION, State
from holdfast.host.steps import CoverFiles, CreateTmpfiles, decrypt_step
from holdfast.host.trial import as_trial
from holdfast.host.units.systemd import Systemd
from tests.host.crashing import HOME
from tests.host.roots import blobs_of, make_root

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


def test_nothing_is_mounted_where_others_could_put_a_link(tmp_path: Path) -> None:
    mine = tmp_path / "home"
    mine.mkdir()
    mine.chmod(0o777)
    with RootDirectory(Path("/")) as root:
        live = Live(root, Path("/"), None, blobs_of())
        step, problems = cover(
            [_changed("/etc/motd"), _changed(f"{mine}/file"), _new("/etc/systemd/system/a")]
        )
        assert not problems
        found = check(step, live)
    assert len(found) == 1 and f"{mine}/file cannot be tried" in found[0]


MOUNTS = """\
20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 20 0:50 / /run/holdfast/trial/files rw shared:9 - tmpfs holdfast-trial rw
31 20 0:51 / /etc/a\\040b ro shared:9 - overlay holdfast-trial ro
32 20 0:52 / /home/ann/mnt rw shared:9 - fuse.sshfs holdfast-trial rw
"""


def test_what_somebody_calls_by_our_name_is_not_ours(tmp_path: Path) -> None:
    root_path = make_root(tmp_path / "root", {"proc/self/mountinfo": MOUNTS})
    with RootDirectory(root_path) as root:
        live = Live(root, root_path, None, blobs_of())
        assert read_mounts(live) == (
            ("/", False),
            ("/run/holdfast/trial/files", True),
            ("/etc/a b", True),
            ("/home/ann/mnt", False),
        )
        # The kernel escapes few characters, and users choose names.
        odd = "34 25 0:54 / /home/ann/a\rb\u2028c\u00a0d\\134x rw - fuse.x x\x0c rw\n"
        (root_path / "proc/self/mountinfo").write_bytes((odd + MOUNTS).encode())
        assert read_mounts(live)[:2] == (("/home/ann/a\rb\u2028c\u00a0d\\x", False), ("/", False))
        # What somebody mounted over ours is not unmounted in its place.
        over = MOUNTS + "33 31 0:53 / /etc/a\\040b rw shared:9 - tmpfs tmpfs rw\n"
        (root_path / "proc/self/mountinfo").write_text(over)
        with pytest.raises(HoldfastError, match="something else is mounted over /etc/a b"):
            undo(CoverFiles((), ()), live)


def test_no_record_of_a_secret_that_is_tried_comes_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_decrypt", lambda _step, _live: b"plain")
    root_path = make_root(tmp_path / "root", {"run/x": ""})
    nothing = digest_bytes(b"")
    secret = Secret(nothing, "age", (), "0400", os.getuid(), os.getgid())
    plan = Plan((), (), {}, State(STATE_VERSION, 1, nothing))
    with RootDirectory(root_path) as root:
        live = Live(root, root_path, cast("Systemd", object()), blobs_of(), running=True)
        (step,) = as_trial(
            Arranged(plan, (decrypt_step("/run/secret", secret, "do"),)), live, None, None
        ).steps
        secrets.do(step, live)
    assert (root_path / "run/secret").read_bytes() == b"plain" and not (root_path / HOME).exists()


def test_rules_for_temporary_files_leave_nothing_on_the_disk(tmp_path: Path) -> None:
    root_path = make_root(tmp_path / "root", {"proc/self/mountinfo": MOUNTS})
    nothing = digest_bytes(b"")
    made = CreateTmpfiles("do", {"/run/a": "", "/var/lib/b": "", "/tmp/c": ""})
    plan = Plan((), (), {}, State(STATE_VERSION, 1, nothing))
    with RootDirectory(root_path) as root:
        systemd = cast("Systemd", object())  # there is one; nothing is asked of it
        live = Live(root, root_path, systemd, blobs_of(), running=True)
        with pytest.raises(RefusedError) as caught:
            as_trial(Arranged(plan, (made,)), live, None, None)
    assert caught.value.details == "- /var/lib/b: what a rule of tmpfiles.d(5) makes there would stay"
