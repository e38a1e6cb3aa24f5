"""Secrets where no machine is needed; with a real age on a real machine: tests/system/test_secrets.py."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.host import secret_marks, secrets
from holdfast.host.drift import read_drift
from holdfast.host.failures import RefusedError
from holdfast.host.files import content
from holdfast.host.files.nodes import Absent, Secret
from holdfast.host.live import Live, open_live
from holdfast.host.state import STATE_VERSION, Managed, State
from holdfast.host.steps import DecryptSecret, decrypt_step
from tests.host.roots import blobs_of, make_root

PATH = "/etc/token"
NODE = Secret(digest_bytes(b"encrypted"), "age", ("/etc/key",), "0640", 0, 42)
STATE = State(STATE_VERSION, 1, digest_bytes(b""), paths={PATH: Managed(NODE, Absent())})


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    if os.geteuid() != 0:
        pytest.skip("gives files to others, which takes root")
    with open_live(make_root(tmp_path / "root"), blobs=blobs_of(b"encrypted")) as opened:
        (opened.path / "var/lib/holdfast/host").mkdir(parents=True)
        yield opened


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    def decrypt(_step: DecryptSecret, _live: Live) -> bytes:
        return b"plain"

    monkeypatch.setattr(secrets, "_decrypt", decrypt)


@pytest.mark.usefixtures("plain")
def test_nobody_can_read_it_at_any_moment(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    write = content.write_all
    seen: list[int] = []

    def watching(file: int, data: bytes) -> None:
        assert data == b"plain"
        status = os.fstat(file)
        seen.append(stat.S_IMODE(status.st_mode))
        assert (status.st_uid, status.st_size) == (os.geteuid(), 0)
        write(file, data)

    monkeypatch.setattr(secrets, "write_all", watching)
    before = os.umask(0)
    try:
        secrets.do(decrypt_step(PATH, NODE, "do"), live)
    finally:
        os.umask(before)
    status = (live.path / PATH[1:]).stat()
    assert seen == [0o600] and (stat.S_IMODE(status.st_mode), status.st_gid) == (0o640, 42)
    assert (live.path / PATH[1:]).read_bytes() == b"plain"


@pytest.mark.usefixtures("plain")
def test_each_direction_has_its_step(live: Live) -> None:
    place = live.path / PATH[1:]
    do, undo = decrypt_step(PATH, NODE, "do"), decrypt_step(PATH, NODE, "undo")
    secrets.do(undo, live)
    assert not place.exists()
    secrets.do(do, live)
    left = live.path / "etc/.holdfast-secret-token"
    left.write_text("plai")  # of a run that was cut short
    secrets.undo(do, live)
    assert not place.exists() and not left.exists()
    secrets.undo(do, live)
    secrets.undo(undo, live)
    assert place.read_bytes() == b"plain"


@pytest.mark.usefixtures("plain")
def test_what_is_changed_by_hand_is_noticed_and_not_told(live: Live) -> None:
    secrets.do(decrypt_step(PATH, NODE, "do"), live)
    home = live.path / "var/lib/holdfast/host"
    assert read_drift(live.root, STATE) == ()
    assert {stat.S_IMODE(path.stat().st_mode) for path in (home / "secrets").iterdir()} == {0o600}
    assert not any(
        digest_bytes(b"plain")[7:].encode() in path.read_bytes() for path in (home / "secrets").iterdir()
    )
    (live.path / PATH[1:]).write_bytes(b"other")
    (drift,) = read_drift(live.root, STATE)
    assert (drift.what, drift.found) == ("changed", NODE)
    # Without a record of this very secret it is believed.
    (record,) = (home / "secrets").glob("*.json")
    text = record.read_text()
    record.write_text(text.replace(NODE.source[7:12], "00000"))
    assert read_drift(live.root, STATE) == ()
    record.write_text(text)
    secret_marks.prune_marks(home, STATE)
    assert read_drift(live.root, STATE)
    secret_marks.prune_marks(home, None)
    assert not (home / "secrets").exists() and read_drift(live.root, STATE) == ()


def test_all_problems_are_told_at_once(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [
        decrypt_step(PATH, NODE, "do"),
        decrypt_step("/etc/other", NODE, "do"),
        decrypt_step("/etc/old", NODE, "undo"),
    ]
    with pytest.raises(RefusedError) as caught:
        secrets.refuse_undecryptable(steps, live)
    assert caught.value.details.count("none of its identities is on this machine") == 2
    (live.path / "etc/key").write_text("AGE-SECRET-KEY-1")
    monkeypatch.setattr(secrets, "BASE_ENVIRONMENT", {"PATH": "/nowhere"})
    first, _ = secrets.find_problems(steps, live)
    assert "age is not installed on this machine: Add the package 'age' to the definition." in first


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b'{"data":"ENC[..","sops":{}}', "binary"),
        (b'{"a":"ENC[..","sops":{}}', "json"),
        (b"a: ENC[..\nsops:\n", "yaml"),
        (b"[a]\nx = 1\n[sops]\n", "ini"),
        (b"A=ENC[..\nsops_version=3\n", "dotenv"),
    ],
)
def test_formats_of_sops(text: bytes, kind: str) -> None:
    assert secrets.sops_format(text) == kind
