from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.host.accounts.ending import Ending, read_ending
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.files.tmpfiles import made_by
from holdfast.host.state import read_state
from holdfast.manifest.model import Manifest, Unit, User
from tests.host.roots import a_manifest, make_root, run

SERVICE = "[Service]\nExecStart=/bin/sleep 9\nRuntimeDirectory=app app/deep:link\n"
RULES = ("d /run/made 0755 ann", "f /run/made/file - ann - - text", "d /srv/full - ann")
KEEPS = SERVICE + "RuntimeDirectoryPreserve=restart\n"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("0::/system.slice/app.service", True),
        ("1:name=systemd:/\n0::/machine.slice/payload/system.slice/app.service/worker", True),
        ("0::/system.slice/system-many.slice/many@one.service", True),
        ("0::/system.slice/other.service", False),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app.service", True),
        ("0::/user.slice/user-1001.slice/user@1001.service/app.slice/app.service", False),
        ("0::/user.slice/user-1000.slice/session-1.scope", False),
        # Users name their groups as they like, and must not pose as somebody else's service.
        ("0::/user.slice/user-1001.slice/user@1001.service/a\r0::/system.slice/app.service", False),
        ("0::/user.slice/user-1001.slice/user@1001.service/a\u20280::/system.slice/app.service", False),
        ("5:cpu:/system.slice/app.service\n0::/", False),
        ("", False),
    ],
)
def test_processes_are_known_by_their_control_group(line: str, found: bool) -> None:
    ending = Ending(units=frozenset({"app.service", "many@.service", "user@1000.service"}))
    assert ending.has_process(line) is found


def ending(root: Path, manifest: Manifest) -> Ending:
    data = (root / "var/lib/holdfast/host/state.json").read_bytes()
    state = replace(read_state(data), tmpfiles=made_by(RULES))  # as systemd-tmpfiles has made them meanwhile
    with RootDirectory(root) as directory:
        return read_ending(directory, manifest, state)


def test_what_ends_is_what_the_new_definition_lacks(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    units = {
        "app.service": Unit(SERVICE),
        "keeps.service": Unit(KEEPS),
        "stays.service": Unit(SERVICE, stop_on_removal=False),
    }
    users = {"ann": User(linger=True), "bob": User()}
    manifest = a_manifest(units=units, users=users, tmpfiles=RULES)
    run(manifest, root)
    assert ending(root, manifest) == Ending()

    uid = int((root / "etc/passwd").read_text().split("\nann:x:")[1].split(":")[0])
    (root / "run/made").mkdir(parents=True)
    (root / "run/made/file").write_text("text")
    (root / "srv/full").mkdir(parents=True)
    (root / "srv/full/mine").write_text("")
    found = ending(root, a_manifest())
    assert found.units == {"app.service", "keeps.service", f"user@{uid}.service"}
    assert found.trees == {"/run/app", "/run/app/deep", f"/run/user/{uid}"}
    assert found.paths == {"/run/made", "/run/made/file"}
    (root / "run/made/file").write_text("changed")
    assert ending(root, a_manifest()).paths == set()
