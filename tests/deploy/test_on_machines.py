"""Our command against real ssh servers: machines behind sshd, with keys made for the test and a known_hosts of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast.base.process import Completed, run
from holdfast.machine import Machine
from tests.deploy.hosts import behind_ssh, let_in

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

HOLDFAST = Path(sys.executable).with_name("holdfast")
SYSTEMS = """\
from holdfast import Debian, Module, System
from holdfast.library import Files, Health, Hooks, Identity

def module(m: Module) -> None:
    m[Identity].locale = None
    m[Identity].timezone = None
    m[Files]["/etc/motd.d/a"].text = {text!r}
    {more}

systems = [System("web", modules=[module], distro=Debian("trixie"))]
"""


@dataclass
class Author:
    """Somebody's machine: a project, a store, a key, an ssh configuration."""

    home: Path
    targets: dict[str, Machine]

    def define(self, text: str, more: str = "") -> None:
        (self.home / "systems.py").write_text(SYSTEMS.format(text=text, more=more or "pass"))

    def run(self, *words: str, code: int | None = 0, hosts: bool = True) -> Completed:
        named = [word for name in self.targets for word in ("--target-host", name)] if hosts else []
        done = run(
            [HOLDFAST, *words, *named],
            env=self.environment,
            cwd=self.home,
            check=False,
        )
        assert code is None or done.returncode == code, done.text + done.stderr.decode()
        return done

    @property
    def environment(self) -> dict[str, str]:
        programs = f"{self.home}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"HOME": str(self.home), "HOLDFAST_STORE": str(self.home / "store"), "PATH": programs}

    def results(self, *words: str, code: int = 0) -> list[dict[str, object]]:
        found = json.loads(self.run(*words, "--json", code=code).stdout)
        assert isinstance(found, list)
        return found


@pytest.fixture(scope="module")
def tree(machine_root: Callable[[str], Path]) -> Path:
    return machine_root("trixie")


@pytest.fixture(scope="module")
def author(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Author]:
    """Three machines: one, two and three, for root; ssh is told of them by its configuration."""
    home = tmp_path_factory.mktemp("author")
    with behind_ssh(home, tree, ("one", "two", "three")) as machines:
        yield Author(home, machines)


def test_a_life_over_ssh(author: Author) -> None:
    author.define("one\n")
    plans = author.run("plan").stdout.decode()
    assert plans.count("+ /etc/motd.d/a") == 3
    assert plans.count("would change") == 3
    first = author.results("switch")
    assert [(item["host"], item["state"], item["generation"]) for item in first] == [
        ("one", "changed", 1),
        ("two", "changed", 1),
        ("three", "changed", 1),
    ]
    assert all(machine.read_file("/etc/motd.d/a") == "one\n" for machine in author.targets.values())
    again = author.results("switch")
    assert {item["state"] for item in again} == {"unchanged"}
    author.define("two\n")
    second = author.results("switch", "--confirm", "60")
    sent = [item["bytes_sent"] for item in second]
    assert all(isinstance(count, int) and count < 4000 for count in sent), sent
    assert author.targets["two"].read_file("/etc/motd.d/a") == "two\n"
    author.targets["two"].fail("test -e /var/lib/holdfast/host/unconfirmed.json")
    author.targets["two"].write_file("/etc/motd.d/a", "mine\n")
    status = author.run("status").stdout.decode()
    assert status.count("~ /etc/motd.d/a") == 1
    author.run("repair")
    assert author.targets["two"].read_file("/etc/motd.d/a") == "two\n"
    author.run("rollback")
    assert all(machine.read_file("/etc/motd.d/a") == "one\n" for machine in author.targets.values())
    assert author.run("generations", "list").stdout.decode().count("current") == 3
    author.run("deactivate")
    for machine in author.targets.values():
        machine.fail("test -e /etc/motd.d/a")


def test_one_fails_its_probe_and_is_alone_taken_back(author: Author) -> None:
    author.define("one\n")
    author.run("switch")
    author.targets["two"].succeed("touch /etc/broken")
    probing = 'm[Health].probes["whole"].command = ["/bin/sh", "-c", "test ! -e /etc/broken"]\n    m[Health].deadline = 2'
    author.define("two\n", probing)
    done = author.run("switch", code=3)
    said = done.stdout.decode() + done.stderr.decode()
    assert "two" in said and "failed, taken back" in said
    author.targets["two"].succeed("rm /etc/broken")
    contents = {name: machine.read_file("/etc/motd.d/a") for name, machine in author.targets.items()}
    assert contents == {"one": "two\n", "two": "one\n", "three": "two\n"}

    author.targets["one"].succeed("touch /etc/broken")
    author.define("three\n", probing)
    results = author.results("switch", "--batch", "1", code=3)
    assert [item["state"] for item in results] == ["taken-back", "skipped", "skipped"]
    author.targets["one"].succeed("rm /etc/broken")
    author.run("deactivate")


def test_who_cannot_be_reached(author: Author) -> None:
    author.define("one\n")
    gone = author.run("status", "--target-host", "nobody@nowhere.invalid", code=8, hosts=False)
    assert "error: there is no machine of the name" in gone.stderr.decode()
    unknown = author.run(
        *("status", "--target-host", "one", "--ssh-option", "UserKnownHostsFile=/dev/null"),
        code=8,
        hosts=False,
    )
    assert "the host key of one is not known here" in unknown.stderr.decode()
    results = json.loads(
        author.run(
            "plan", "--json", "--target-host", "one", "--target-host", "x.invalid", code=8, hosts=False
        ).stdout
    )
    assert [item["state"] for item in results] == ["changed", "unreachable"]


def test_a_person_with_sudo(author: Author) -> None:
    machine = author.targets["three"]
    machine.succeed("useradd -m -s /bin/bash ann; echo ann:hush | chpasswd")
    machine.succeed("echo 'ann ALL=(ALL) ALL' >/etc/sudoers.d/ann; chmod 440 /etc/sudoers.d/ann")
    let_in(machine, (author.home / "key.pub").read_text(), "ann")
    author.define("by ann\n")
    words = ("switch", "--target-host", "ann@three")
    refused = author.run(*words, code=8, hosts=False)
    assert "--ask-sudo-password" in refused.stderr.decode()
    wrong = run(
        [HOLDFAST, *words, "--ask-sudo-password"],
        env=author.environment,
        cwd=author.home,
        stdin=b"no\n",
        check=False,
    )
    assert wrong.returncode == 8
    assert b"does not let this user become root" in wrong.stderr
    assert b"1 incorrect password attempt" in wrong.stderr
    run([HOLDFAST, *words, "--ask-sudo-password"], env=author.environment, cwd=author.home, stdin=b"hush\n")
    assert machine.read_file("/etc/motd.d/a") == "by ann\n"
    machine.fail("journalctl --no-pager | grep -w hush")
    machine.succeed("echo 'ann ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ann")
    author.run("deactivate", "--target-host", "ann@three", hosts=False)
    machine.fail("test -e /etc/motd.d/a")


@pytest.mark.parametrize(("number", "code"), [("INT", 130), ("TERM", 143)])
def test_interrupting_the_author_leaves_the_change_to_the_machine(
    author: Author, number: str, code: int
) -> None:
    machine = author.targets["two"]
    author.define("slow\n", 'm[Hooks].before_switch = [["/bin/sh", "-c", "echo >/run/begun; sleep 3"]]')
    command = f"env --default-signal=INT {HOLDFAST} switch --target-host two"
    script = f"{command} >out 2>&1 & until ssh -n two test -e /run/begun; do sleep 0.1; done; kill -{number} $!; wait $!"
    done = run(["bash", "-c", script], env=author.environment, cwd=author.home, check=False)
    said = (author.home / "out").read_text()
    assert done.returncode == code, said
    assert "goes on, on two" in said
    assert "A change is under way: `holdfast switch`, started" in author.run("status", code=0).stdout.decode()
    follow = said.partition("next: `holdfast ")[2].partition("`")[0].split()
    assert " is current." in author.run(*follow, hosts=False).stdout.decode()
    assert machine.read_file("/etc/motd.d/a") == "slow\n"
    author.run("deactivate", "--target-host", "two", hosts=False)
    machine.succeed("rm /run/begun")


def test_a_change_that_locks_the_author_out_goes_back_by_itself(author: Author) -> None:
    machine = author.targets["one"]
    author.define("one\n")
    author.run("switch", "--target-host", "one", hosts=False)
    author.define(
        "two\n", 'm[Hooks].after_switch = [["/usr/bin/systemctl", "stop", "ssh.socket", "ssh.service"]]'
    )
    lost = author.run("switch", "--confirm", "12", "--target-host", "one", code=3, hosts=False)
    assert "takes the change back by itself" in lost.stderr.decode()
    machine.wait_until_succeeds("grep -qx one /etc/motd.d/a", timeout=30)
    machine.succeed("systemctl start ssh.service")
    machine.wait_for_open_port(22)
    author.run("deactivate", "--target-host", "one", hosts=False)
