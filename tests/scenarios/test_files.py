"""Files: those of the definition, and those that were there before."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.library import Files
from holdfast.options import Module
from tests.scenarios.host import Definition, Host

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]


def text(path: str, content: str, mode: str = "0644") -> Definition:
    def module(m: Module) -> None:
        m[Files][path].text = content
        m[Files][path].mode = mode

    return module


def test_empty_config(host: Host) -> None:
    """An empty definition changes nothing: what nobody declared stays as the machine has it."""
    assert "Nothing on the machine changes" in host.plan()
    host.switch()
    assert host.differences() == []


def test_etc_files_with_glob(host: Host, tmp_path: Path) -> None:
    """What a pattern matches appears below the path, and nothing else does."""
    source = tmp_path / "conf"
    source.mkdir()
    for name in ("a.conf", "b.conf", "readme", ".hidden.conf"):
        (source / name).write_text(f"{name}\n")

    def globbed(m: Module) -> None:
        m[Files]["/etc/globbed/conf.d"].source = f"{source}/*.conf"

    host.switch(globbed)
    assert host.machine.succeed("cd /etc/globbed/conf.d; grep -r '' . | sort").split() == [
        "./a.conf:a.conf",
        "./b.conf:b.conf",
    ]
    assert host.stat("/etc/globbed/conf.d/a.conf") == "644 root:root regular file"
    (source / "a.conf").unlink()
    (source / "c.conf").write_text("c\n")
    host.switch(globbed)
    assert host.machine.succeed("ls /etc/globbed/conf.d").split() == ["b.conf", "c.conf"]
    host.run("deactivate")
    assert not host.exists("/etc/globbed"), "directories that were made for files go with them"


def test_existing_files(host: Host) -> None:
    """A file that was there is kept aside, and comes back as it was; somebody's link in a `.wants` directory stays.

    There is no flag that allows replacing: a plan shows whose file is replaced by what, and nothing of it gets lost. What could not
    be put back, a directory in the way of a file, is refused.
    """
    machine = host.machine
    wants = "/etc/systemd/system/multi-user.target.wants"
    machine.succeed(
        f"""printf 'mine\\n' >/etc/foreign; chown daemon:www-data /etc/foreign; chmod 640 /etc/foreign
        ln -s nowhere /etc/foreign-link; mkdir -p /etc/foreign.d {wants}; echo mine >/etc/foreign.d/in
        ln -s /etc/systemd/system/foreign.service {wants}/foreign.service"""
    )
    before = host.look()

    def replacing(m: Module) -> None:
        m[Files]["/etc/foreign"].text = "ours\n"
        m[Files]["/etc/foreign-link"].text = "ours\n"
        m[Files]["/etc/foreign.d/in"].link = "/dev/null"

    try:
        plan = host.plan(replacing)
        assert "-mine" in plan and "+ours" in plan
        assert host.look() == before
        host.switch(replacing)
        assert machine.read_file("/etc/foreign") == machine.read_file("/etc/foreign-link") == "ours\n"
        assert host.stat("/etc/foreign") == "644 root:root regular file"
        assert machine.succeed(["readlink", "/etc/foreign.d/in"]).strip() == "/dev/null"
        assert machine.succeed(["readlink", f"{wants}/foreign.service"]).strip().endswith("/foreign.service")

        told = host.switch(text("/etc/foreign.d", "ours\n"), text("/etc/passing", "x\n"), code=1)
        assert "/etc/foreign.d" in told
        assert not host.exists("/etc/passing"), "refused as a whole"

        host.switch(text("/etc/foreign", "ours\n"))
        assert machine.succeed(["readlink", "/etc/foreign-link"]).strip() == "nowhere", "back at once"
        assert machine.read_file("/etc/foreign.d/in") == "mine\n"
        host.run("deactivate")
        assert host.look() == before
    finally:
        host.deactivate()
        machine.succeed(f"rm -r /etc/foreign /etc/foreign-link /etc/foreign.d {wants}/foreign.service")


def test_nix_enabled(host: Host) -> None:
    """A file that another tool looks after, here Nix with its nix.conf: managed, activated again, and given back.

    Holdfast neither brings nor needs Nix; its file stands for any other's.
    """
    machine = host.machine
    machine.succeed(
        "mkdir -m 755 /etc/nix; printf 'build-users-group = nixbld\\n' >/etc/nix/nix.conf; chmod 600 /etc/nix/nix.conf"
    )
    before = host.look()
    try:
        settings = text("/etc/nix/nix.conf", "experimental-features = nix-command flakes\n")
        host.switch(settings)
        # The other tool upgrades itself.
        machine.succeed("printf 'build-users-group = nixbld\\n' >/etc/nix/nix.conf")
        assert "~ /etc/nix/nix.conf" in host.run("status")
        host.run("generations", "activate")
        assert machine.read_file("/etc/nix/nix.conf") == "experimental-features = nix-command flakes\n"
        host.run("deactivate")
        assert host.look() == before
    finally:
        host.deactivate()
        machine.succeed("rm -r /etc/nix")
