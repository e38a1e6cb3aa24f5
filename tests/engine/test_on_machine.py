"""The engine on a running Debian: installed over a pipe, changing it from a unit of its own, whatever becomes of the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast.base.process import Completed
from holdfast.engine.archive import Engine, engine_archive
from holdfast.engine.launch import EXIT_NO_ENGINE, EXIT_NO_PYTHON, install_script, start_script
from holdfast.host.units.own import CONFIRM_TIMER, EARLY_UNIT, SWITCH_UNIT
from holdfast.machine import Machine, Settings, boot_layers
from holdfast.manifest.document import MEDIA_TYPE, write_manifest
from holdfast.manifest.generation import ARTIFACT_TYPE, BLOB
from holdfast.manifest.model import SCHEMA_VERSION, BlobFile, Distribution, Identity, Manifest, TextFile
from holdfast.store import Layer, Store

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]


@dataclass
class Target:
    """A machine with the engine on it."""

    machine: Machine
    engine: Engine
    store: Store

    def run(self, *words: str, stdin: bytes = b"") -> Completed:
        script = start_script(self.engine.hex)
        return self.machine.execute(["sh", "-c", script, "holdfast", *words], stdin=stdin, timeout=120)

    def said(self, *words: str, code: int = 0) -> str:
        done = self.run(*words)
        assert done.returncode == code, (done.text, done.stderr.decode())
        return done.text + done.stderr.decode()

    def result(self, *words: str) -> dict[str, object]:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr.decode()
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    def write(self, name: str, files: dict[str, str], **more: object) -> str:
        manifest = make_manifest({path: TextFile(text) for path, text in files.items()}, **more)
        self.machine.write_file(f"/root/{name}.json", write_manifest(manifest).decode())
        return f"/root/{name}.json"

    def slow(self, name: str, seconds: float, **more: object) -> str:
        """A manifest whose switch takes so long: it says so in /run/begun when it has begun."""
        script = f"echo >/run/begun; sleep {seconds}"
        return self.write(name, {"/etc/slow": name}, before_switch=(("/bin/sh", "-c", script),), **more)

    def background(self, *words: str) -> None:
        """Start a command on the machine, as from a terminal of somebody else, and wait until its change has begun."""
        self.machine.succeed("rm -f /run/begun")
        line = " ".join(words)
        self.machine.succeed(
            f"setsid env --default-signal=INT holdfast {line} >/root/out 2>&1 </dev/null & echo $! >/root/pid"
        )
        self.machine.wait_for_file("/run/begun")

    def wait_for_unit_to_end(self) -> None:
        self.machine.wait_until_succeeds(
            f"test $(systemctl show -P ActiveState {SWITCH_UNIT}) = inactive", timeout=60
        )


def make_manifest(files: dict[str, object], **more: object) -> Manifest:
    return Manifest(
        SCHEMA_VERSION,
        "web",
        Distribution("debian", "trixie", "amd64"),
        Identity("web1", None, None),
        files=files,  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def tree(machine_root: Callable[[str], Path]) -> Path:
    return machine_root("trixie")


@pytest.fixture
def bare(tree: Path, shared_store: Store) -> Generator[Target]:
    with boot_layers((tree,), settings=Settings(name="engine")) as machine:
        yield Target(machine, engine_archive(shared_store), shared_store)


@pytest.fixture
def target(bare: Target) -> Target:
    script = install_script(bare.engine.hex)
    bare.machine.succeed(["sh", "-c", script], stdin=bare.engine.path.read_bytes())
    return bare


def test_installing_over_a_pipe(bare: Target) -> None:
    machine, data = bare.machine, bare.engine.path.read_bytes()
    assert bare.run("version").returncode == EXIT_NO_ENGINE
    machine.succeed("mount -t tmpfs -o ro,noexec tmpfs /tmp; mount -t tmpfs -o ro,noexec tmpfs /var/tmp")
    script = f"umask 077; {install_script(bare.engine.hex)}"
    done = json.loads(machine.succeed(["sh", "-c", script], stdin=data))
    assert (done["digest"], done["new"]) == (bare.engine.digest, True)
    assert f"engine {bare.engine.hex[:12]}" in bare.said("version")
    assert f"engine {bare.engine.hex[:12]}" in machine.succeed("holdfast version")
    assert "only root" in machine.fail("setpriv --reuid=65534 holdfast status").stderr.decode()
    assert not json.loads(machine.succeed(["sh", "-c", script], stdin=data))["new"]

    for damaged in (data[:-1000], data[:1000], b"", b"hello"):
        failed = machine.execute(["sh", "-c", script], stdin=damaged)
        assert failed.returncode == 1
        assert "did not arrive whole" in failed.stderr.decode()
    assert machine.succeed("ls -A /var/lib/holdfast/engine | grep -c -e upload -e new || true").strip() == "0"
    assert "holdfast" in bare.said("version")

    machine.succeed("mkdir /root/hidden; mv /usr/bin/python3* /root/hidden")
    failed = bare.run("version")
    assert failed.returncode == EXIT_NO_PYTHON
    assert "apt-get install python3" in failed.stderr.decode()


def test_receiving_what_the_authors_store_has(target: Target) -> None:
    store = target.store
    content = b"from a blob\n" * 50_000
    blob = Layer(store.blobs.put_bytes(content), len(content), BLOB)
    manifest = make_manifest({"/etc/blob": BlobFile(blob.diff_id)})
    artifact = store.put_artifact(ARTIFACT_TYPE, write_manifest(manifest), MEDIA_TYPE, [blob])
    blobs = {
        digest: store.blobs.read(digest) for digest in (artifact.manifest, artifact.identity, blob.diff_id)
    }
    header = {"artifact": artifact.manifest, "blobs": {digest: len(data) for digest, data in blobs.items()}}
    line = json.dumps(header).encode() + b"\n"

    done = target.run("receive", "--json", stdin=line + b"".join(blobs.values())[:-1])
    answers = [json.loads(answer) for answer in done.stdout.splitlines()]
    assert answers[0] == {"missing": list(blobs)}
    assert "connection ended 1 B before the end" in answers[1]["error"]["brief"]
    assert done.returncode == 1

    done = target.run("receive", "--json", stdin=line + content)
    assert [json.loads(answer) for answer in done.stdout.splitlines()] == [
        {"missing": [blob.diff_id]},
        {"stored": 1},
    ]

    result = target.result("switch", "--artifact", artifact.manifest)
    assert result["generation"] == 1
    assert target.machine.read_file("/etc/blob") == content.decode()
    assert target.machine.succeed("cd /var/lib/holdfast/refs; find . -type f").split() == ["./generations/1"]
    target.said("deactivate")
    target.said("generations", "delete", "1")
    assert target.machine.succeed("cd /var/lib/holdfast/refs; find . -type f") == ""


def test_a_full_disk_is_told(target: Target) -> None:
    target.machine.succeed("mkdir /small; mount -t tmpfs -o size=40M tmpfs /small")
    digest = "sha256:" + "1" * 64
    header = json.dumps({"artifact": digest, "blobs": {digest: 20_000_000}}).encode() + b"\n"
    done = target.machine.execute("HOLDFAST_STORE=/small/store holdfast receive --json", stdin=header)
    assert done.returncode == 1
    assert "too full" in json.loads(done.stdout)["error"]["brief"]
    assert json.loads(done.stderr.splitlines()[-1])["event"] == "failed"


def test_changes_run_in_their_unit(target: Target) -> None:
    first, second = target.write("1", {"/etc/a": "one\n"}), target.write("2", {"/etc/a": "two\n"})
    assert "Holdfast manages nothing here." in target.said("status")
    assert "+ /etc/a" in target.said("plan", first)
    assert "Generation 1 is current." in target.said("switch", first)
    assert "Generation 1 is current." in target.machine.journal(SWITCH_UNIT)
    assert "-one\n      +two" in target.said("switch", second, "--dry-run")
    target.said("switch", second, "--detailed-exitcode", "--dry-run", code=7)
    done = target.run("switch", second, "--json")
    assert json.loads(done.stdout)["files"][0]["path"] == "/etc/a"
    assert {json.loads(line)["event"] for line in done.stderr.splitlines()} >= {
        "stage-started",
        "stage-ended",
    }
    assert target.result("switch")["empty"] is True
    assert "Back at generation 1." in target.said("rollback")
    assert target.machine.read_file("/etc/a") == "one\n"
    target.machine.write_file("/etc/a", "mine\n")
    assert "~ /etc/a" in target.said("status")
    target.said("status", "--detailed-exitcode", code=7)
    assert "put back" in target.said("repair")
    assert target.machine.read_file("/etc/a") == "one\n"
    assert "taken back" in target.said("deactivate")
    target.machine.fail("test -e /etc/a")
    assert target.machine.failed_units() == ()
    usage = target.run("swich")
    assert (usage.returncode, b"invalid choice" in usage.stderr) == (2, True)


def test_nothing_that_happens_to_the_terminal_ends_a_change(target: Target) -> None:
    machine = target.machine
    target.background("switch", target.slow("1", 3))
    busy = target.said("rollback", code=6)
    assert "another change is under way: `holdfast switch /root/1.json`" in busy
    assert "A change is under way" in target.said("status")
    machine.succeed("kill -9 -$(cat /root/pid)")
    assert "Generation 1 is current." in target.said("follow")
    assert machine.read_file("/etc/slow") == "1"

    target.background("switch", target.slow("2", 3))
    machine.succeed("kill -INT -$(cat /root/pid)")
    machine.wait_until_succeeds("grep -q 'the change goes on in' /root/out", timeout=20)
    started = time.monotonic()
    said = target.said("rollback", "1", "--wait", "60")
    assert "Waiting for `holdfast switch /root/2.json`" in said
    assert time.monotonic() - started > 1
    assert "Back at generation 1." in said

    target.background("switch", target.slow("3", 60))
    machine.succeed(f"systemctl kill -s KILL {SWITCH_UNIT}")
    machine.wait_until_succeeds("grep -q 'was killed before it could finish' /root/out", timeout=20)
    target.wait_for_unit_to_end()
    assert "was interrupted" in target.said("status")
    assert "was taken back" in target.said("recover")
    assert machine.read_file("/etc/slow") == "1"

    target.background("switch", target.slow("4", 8))
    machine.succeed(f"systemctl stop {SWITCH_UNIT}")
    machine.wait_until_succeeds("grep -q 'stopped from outside' /root/out", timeout=20)
    assert machine.read_file("/etc/slow") == "1"
    assert "was interrupted" not in target.said("status")


def test_a_change_that_nobody_confirms_is_taken_back(target: Target) -> None:
    machine = target.machine
    target.said("switch", target.write("1", {"/etc/a": "one\n"}))
    second = target.write("2", {"/etc/a": "two\n"})

    said = target.said("switch", second, "--confirm", "60")
    assert "Unless it is confirmed within" in said
    assert "`holdfast confirm`" in target.said("status")
    assert "waits to be confirmed" in target.said("switch", second, code=5)
    assert "Generation 2 is confirmed." in target.said("confirm")
    machine.fail(f"systemctl is-active {CONFIRM_TIMER}")
    machine.fail(f"test -e /etc/systemd/system/{EARLY_UNIT}")
    assert "nothing waits" in target.said("confirm", code=1)

    target.said("rollback")
    target.said("switch", second, "--confirm", "2")
    assert machine.read_file("/etc/a") == "two\n"
    machine.wait_until_succeeds("grep -q one /etc/a", timeout=60)
    machine.wait_until_succeeds("test ! -e /var/lib/holdfast/host/unconfirmed.json", timeout=30)
    assert target.result("status")["generation"] == 1

    target.said("switch", second, "--confirm", "600")
    machine.reboot()
    assert machine.read_file("/etc/a") == "one\n"
    assert target.result("status")["generation"] == 1
    machine.fail(f"test -e /etc/systemd/system/{EARLY_UNIT}")
    assert machine.failed_units() == ()
    assert "Nothing to change" in target.said(
        "switch", target.write("1", {"/etc/a": "one\n"}), "--confirm", "9"
    )
    machine.fail("test -e /var/lib/holdfast/host/unconfirmed.json")

    # Whoever is cut off by what a killed run has done so far can run no next command.
    target.background("switch", target.slow("3", 60), "--confirm", "600")
    machine.succeed(f"kill -9 $(systemctl show -P MainPID {SWITCH_UNIT})")
    machine.wait_until_succeeds("test ! -e /var/lib/holdfast/host/unconfirmed.json", timeout=60)
    target.wait_for_unit_to_end()
    assert "interrupted" not in target.said("status")
    machine.fail(f"test -e /etc/systemd/system/{EARLY_UNIT}")


def test_a_generation_for_the_next_boot(target: Target) -> None:
    machine = target.machine
    target.said("switch", target.write("1", {"/etc/a": "one\n"}))
    said = target.said("boot", target.write("2", {"/etc/a": "two\n", "/etc/systemd/system/b.service": UNIT}))
    assert "Generation 2 becomes current at the next boot." in said
    assert machine.read_file("/etc/a") == "one\n"
    assert "Generation 2 becomes current at the next boot." in target.said("status")
    machine.reboot()
    assert machine.read_file("/etc/a") == "two\n"
    assert target.result("status")["generation"] == 2
    assert machine.succeed("systemctl show -P LoadState b.service").strip() == "loaded"
    machine.fail(f"test -e /etc/systemd/system/{EARLY_UNIT}")
    assert machine.failed_units() == ()


UNIT = "[Service]\nType=oneshot\nExecStart=/bin/true\n"
