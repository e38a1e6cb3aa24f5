"""Scenarios of System Manager's container tests, by their names: programs, packaged units, checks, secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.library import Checks, Environment, Files, Systemd, Users
from holdfast.options import Module
from tests.scenarios.host import Host
from tests.scenarios.people import said_as

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]


def test_system_path(host: Host) -> None:
    """Programs enter and leave everybody's PATH from one generation to the next.

    Ours: theirs are Nix packages in a profile, ours are files in a directory that the definition puts into PATH.
    """

    def first(m: Module) -> None:
        m[Environment].path_prepend = ["/opt/tools/bin"]
        for name in ("hello", "cowsay"):
            m[Files][f"/opt/tools/bin/{name}"].text = f"#!/bin/sh\necho {name} of ours\n"
            m[Files][f"/opt/tools/bin/{name}"].mode = "0755"

    def second(m: Module) -> None:
        m[Files]["/opt/tools/bin/cowsay"].enable = False

    def said(name: str) -> str:
        return host.machine.execute(["sh", "-lc", name]).text

    host.switch(first)
    assert (said("hello"), said("cowsay")) == ("hello of ours\n", "cowsay of ours\n")
    host.switch(first, second)
    assert (said("hello"), said("cowsay")) == ("hello of ours\n", "")


def test_user_packages(host: Host) -> None:
    """A user's login finds the programs and variables that the definition gives that user, and nobody else does.

    Ours: theirs is a Nix profile for each user; ours are files of the user's own, in a home that the definition made.
    """

    def module(m: Module) -> None:
        m[Users].users["ann"].comment = "Ann"
        m[Environment].path_prepend = ["~/.local/bin"]
        m[Environment].variables["HF_EDITOR"] = "vi $HOME"
        own = m[Files]["/home/ann/.local/bin/mine"]
        own.text = '#!/bin/sh\necho "ann: $HF_EDITOR"\n'
        own.mode = "0755"
        own.user = own.group = "ann"

    host.switch(module)
    assert said_as(host.machine, "ann", "mine") == "ann: vi $HOME\n"
    assert said_as(host.machine, "ann", "stat -c %U ~/.local/bin/mine ~/.local") == "ann\nann\n"
    host.machine.fail(["sh", "-lc", "mine"])


def test_systemd_packages(host: Host) -> None:
    """A unit that a package ships runs with our override; without it, it runs as its package has it.

    Ours: cron where theirs is fail2ban: both come with a unit of their package's own.
    """

    def module(m: Module) -> None:
        cron = m[Systemd].services["cron"]
        cron.from_package = True
        cron.environment["HF_OVERRIDE"] = "yes"
        cron.nice = 3

    def environment() -> str:
        pid = host.machine.unit_properties("cron.service")["MainPID"]
        return host.machine.read_file(f"/proc/{pid}/environ")

    assert "HF_OVERRIDE" not in environment()
    host.switch(module)
    assert "HF_OVERRIDE=yes" in environment()
    properties = host.machine.unit_properties("cron.service")
    assert properties["FragmentPath"].endswith("/lib/systemd/system/cron.service")
    assert properties["DropInPaths"] == "/etc/systemd/system/cron.service.d/50-holdfast.conf"
    host.deactivate()
    assert "HF_OVERRIDE" not in environment()


def test_stop_on_removal(host: Host) -> None:
    """A service that is not to be stopped lives on when its definition goes, and the run says so."""

    def module(m: Module) -> None:
        for name in ("hf-stays", "hf-goes"):
            service = m[Systemd].services[name]
            service.exec_start = ["/usr/bin/sleep", "infinity"]
            service.wanted_by = ["multi-user.target"]
            service.stop_on_removal = name == "hf-goes"

    host.switch(module)
    pid = host.machine.unit_properties("hf-stays.service")["MainPID"]
    told = host.switch()
    assert "hf-stays.service is no longer declared, and is left running" in told
    assert host.machine.unit_properties("hf-stays.service")["MainPID"] == pid
    assert host.machine.unit("hf-goes.service").active_state == "inactive"
    host.machine.fail("ls /etc/systemd/system/hf-stays.service")
    host.machine.systemctl("stop", "hf-stays.service")


def test_system_checks(host: Host) -> None:
    """A check that holds lets the switch go on; one that does not blocks it, and nothing is touched.

    Ours: theirs are derivations built with the profile; ours run on the machine itself, before anything is changed.
    """

    def good(m: Module) -> None:
        m[Files]["/etc/hf-checked"].text = "1\n"
        m[Checks]["disk"].command = ["/usr/bin/test", "-d", "/var/lib"]

    def bad(m: Module) -> None:
        m[Files]["/etc/hf-checked"].mode = "0600"
        m[Checks]["bad"].script = "echo not today; exit 1\n"
        m[Checks]["worse"].command = ["/bin/false"]
        m[Checks]["worse"].message = "the moon is full"

    host.switch(good)
    assert "the moon is full" in host.plan(good, bad)
    told = host.switch(good, bad, code=5)
    assert "bad: not today" in told and "worse: the moon is full" in told and "disk" not in told
    assert host.machine.succeed("stat -c %a /etc/hf-checked") == "644\n"


def test_sops_ssh_key(host: Host, tmp_path: Path) -> None:
    """A secret encrypted to the machine's ssh host key is decrypted there; its content is nowhere else.

    Ours: age(1) itself where theirs is sops with age: sops is no package of Debian's.
    """
    encrypted = host.machine.execute(
        ["age", "--armor", "--recipients-file", "/etc/ssh/ssh_host_ed25519_key.pub"], stdin=b"hush-hush\n"
    )
    (tmp_path / "token.age").write_bytes(encrypted.stdout)

    def module(m: Module) -> None:
        m[Files]["/etc/hf-token"].secret = str(tmp_path / "token.age")

    told = host.switch(module)
    assert host.machine.succeed("cat /etc/hf-token; stat -c '%a %U' /etc/hf-token") == "hush-hush\n400 root\n"
    assert "hush-hush" not in told + host.machine.journal()
    host.machine.fail("grep -rq hush-hush /var/lib/holdfast /run/holdfast")
