"""What users of System Manager complained of or asked for, about the machine around it; see :mod:`tests.scenarios.test_complaints`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.library import Host as HostSettings
from holdfast.library import KernelModules, Sysctl, Systemd, Tmpfiles, Wrappers
from holdfast.machine import Machine
from holdfast.options import Module
from tests.scenarios.far import behind_ssh
from tests.scenarios.host import Host
from tests.scenarios.test_complaints import ONE_RELEASE, file, service

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

LABEL = "system_u:object_r:etc_t:s0"
ATTRIBUTES = """\
import os, sys
path = sys.argv[1]
if len(sys.argv) > 2:
    acl = "02000000 01000600 ffffffff 02000400 64000000 04000400 ffffffff 10000400 ffffffff 20000400 ffffffff"
    os.setxattr(path, "security.selinux", sys.argv[2].encode())
    os.setxattr(path, "user.note", b"mine")
    os.setxattr(path, "system.posix_acl_access", bytes.fromhex(acl))
print(sorted((name, os.getxattr(path, name)) for name in os.listxattr(path)))
"""


@ONE_RELEASE
def test_selinux_labels_and_acls_stay(host: Host) -> None:
    """#115, #51: SELinux denied the use of linked units, which had the label of /nix/store.

    Ours are files in /etc itself. What replaces a file has its label; the file that was there comes back with all that it had.
    """
    machine = host.machine

    def attributes(*label: str) -> str:
        return machine.succeed(["python3", "-c", ATTRIBUTES, "/etc/hf-file", *label])

    machine.succeed("echo mine >/etc/hf-file")
    before = attributes(LABEL)
    assert "user.note" in before and "posix_acl_access" in before
    try:
        host.switch(lambda m: file(m, "ours\n"))
        assert LABEL in attributes() and "user.note" not in attributes()
        host.deactivate()
        assert (machine.read_file("/etc/hf-file"), attributes()) == ("mine\n", before)
    finally:
        machine.succeed("rm /etc/hf-file")


@contextmanager
def calling_itself(machine: Machine, **release: str) -> Generator[None]:
    """The machine's os-release(5) is another one during the body."""
    text = "".join(f'{name}="{value}"\n' for name, value in release.items())
    machine.write_file("/run/hf-os-release", text)
    machine.succeed("mount --bind /run/hf-os-release /usr/lib/os-release")
    try:
        yield
    finally:
        machine.succeed("umount /usr/lib/os-release")


@ONE_RELEASE
def test_it_works_on_distributions_like_those_it_knows_and_says_where_not(host: Host) -> None:
    """#83, #561, #414, #78, #51: Arch, Debian, Rocky and others were refused by a list of three names.

    Ours: by the machine's own ID_LIKE; a definition may say that it knows better.
    """

    def anywhere(m: Module) -> None:
        m[HostSettings].allow_any_distribution = True

    machine = host.machine
    with calling_itself(
        machine, ID="mint", ID_LIKE="ubuntu debian", PRETTY_NAME="Linux Mint 30", VERSION_CODENAME="zara"
    ):
        assert "Linux Mint 30 is not tested" in host.switch()
    with calling_itself(machine, ID="arch", PRETTY_NAME="Arch Linux"):
        told = host.switch(lambda m: file(m, "1\n"), code=5)
        assert "this machine runs Arch Linux, and the definition is for debian trixie" in told
        machine.fail("ls /etc/hf-file")
        host.switch(anywhere)
    with calling_itself(machine, ID="debian", PRETTY_NAME="Debian 3.0", VERSION_CODENAME="woody"):
        assert "this machine runs Debian 3.0, and the definition is for trixie" in host.switch(code=5)


@ONE_RELEASE
def test_it_works_where_no_systemd_runs(host: Host) -> None:
    """#51, PR #513: nothing worked where no systemd runs, or before it does: in a chroot, in an image, below another init."""
    machine = host.machine

    def module(m: Module) -> None:
        file(m, "1\n")
        service(m, "hf-service")

    words = " ".join(host.bring(module))
    mounts = "mount --bind / /mnt; mount -t proc proc /mnt/proc; mount --rbind /dev /mnt/dev"
    chroot = [
        "unshare",
        "--mount",
        "--propagation=private",
        "sh",
        "-ec",
        f'{mounts}; exec chroot /mnt "$@"',
        "sh",
    ]
    machine.succeed([*chroot, "holdfast", "switch", *words.split()])
    assert machine.read_file("/etc/hf-file") == "1\n"
    assert machine.unit("hf-service.service").active_state == "inactive"
    assert "hf-service.service" in machine.succeed("ls /etc/systemd/system/multi-user.target.wants")
    machine.succeed([*chroot, "holdfast", "deactivate"])
    machine.fail("ls /etc/hf-file")
    machine.succeed("mkdir -p /run/hf-root/etc; cp /etc/passwd /etc/group /run/hf-root/etc")
    machine.succeed(f"holdfast switch {words} --root /run/hf-root")
    assert machine.succeed("cat /run/hf-root/etc/hf-file; rm -r /run/hf-root") == "1\n"


@ONE_RELEASE
def test_a_deploy_needs_nothing_in_the_path_of_ssh(host: Host, tmp_path: Path) -> None:
    """#341: a deployment failed where nix-store was not in the PATH that sshd gives."""
    machine = host.machine
    drop_in = "/etc/ssh/sshd_config.d/hf.conf"
    machine.write_file(drop_in, "SetEnv PATH=/usr/bin\n")
    machine.succeed("systemctl restart ssh.service")
    try:
        with behind_ssh(machine, "trixie", tmp_path) as author:
            author.define("1\n")
            author.run("switch")
            assert machine.read_file("/etc/motd.d/hf") == "1\n"
            author.run("deactivate")
            machine.fail("ls /etc/motd.d/hf")
    finally:
        machine.succeed(f"rm {drop_in}; systemctl restart ssh.service")


@ONE_RELEASE
def test_kernel_parameters_and_modules(host: Host) -> None:
    """#382, PR #384: there were none."""
    machine, parameter = host.machine, "/proc/sys/net/ipv4/conf/lo/forwarding"

    def module(m: Module) -> None:
        m[Sysctl]["net.ipv4.conf.lo.forwarding"] = True
        m[KernelModules].options = {"kvm": {"nested": True}}
        m[KernelModules].blacklist = ["hf_pcspkr"]

    def impossible(m: Module) -> None:
        m[Sysctl]["net.hf.no_such"] = 1

    def missing(m: Module) -> None:
        m[KernelModules].load = ["hf_no_such_module"]

    before = machine.read_file(parameter)
    host.switch(module)
    assert (before, machine.read_file(parameter)) == ("0\n", "1\n")
    assert machine.read_file("/etc/modprobe.d/holdfast.conf").splitlines() == [
        "blacklist hf_pcspkr",
        "options kvm nested=1",
    ]
    assert "this kernel has no such parameter" in host.switch(module, impossible, code=3)
    assert "modprobe" in host.switch(module, missing, code=3)
    assert machine.read_file(parameter) == "1\n"
    host.switch()
    assert machine.read_file(parameter) == before


@ONE_RELEASE
def test_units_have_aliases(host: Host) -> None:
    """#423, PR #464: aliases were not made."""
    machine = host.machine

    def module(m: Module) -> None:
        service(m, "hf-service")
        m[Systemd].services["hf-service"].aliases = ["hf-alias.service"]

    host.switch(module)
    assert machine.unit_properties("hf-alias.service")["Id"] == "hf-service.service"
    assert machine.unit("hf-alias.service").active_state == "active"
    host.switch(lambda m: service(m, "hf-service"))
    assert machine.unit("hf-alias.service").load_state == "not-found"
    assert machine.unit("hf-service.service").active_state == "active"


@ONE_RELEASE
def test_masked_units_come_back_when_the_mask_is_dropped(host: Host) -> None:
    """#306: nothing could be masked; and later, a dropped mask stayed until everything was deactivated."""
    machine = host.machine

    def masked(m: Module) -> None:
        m[Systemd].masked = ["cron.service"]

    assert machine.unit("cron.service").active_state == "active"
    host.switch(masked)
    assert machine.unit("cron.service").load_state == "masked"
    assert machine.unit("cron.service").active_state == "inactive"
    machine.fail("systemctl start cron.service")
    host.switch()
    assert machine.unit("cron.service").active_state == "active"


@ONE_RELEASE
def test_programs_may_have_more_rights_than_who_starts_them(host: Host) -> None:
    """#367: there were no security wrappers."""
    machine = host.machine

    def module(m: Module) -> None:
        m[Wrappers]["hf-id"].source = "/usr/bin/id"
        m[Wrappers]["hf-id"].setgid = True
        m[Wrappers]["hf-id"].group = "adm"

    host.switch(module)
    assert host.stat("/run/wrappers/bin/hf-id") == "2755 root:adm regular file"
    nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    assert machine.succeed(f"{nobody} /run/wrappers/bin/hf-id -gn; {nobody} id -gn") == "adm\nnogroup\n"


@ONE_RELEASE
def test_what_tmpfiles_made_is_cleaned_up(host: Host) -> None:
    """#116: what rules of tmpfiles.d had made stayed for ever."""
    machine = host.machine

    def module(m: Module) -> None:
        m[Tmpfiles].rules = [
            "d /var/lib/hf-made/inner 0750",
            "f /var/lib/hf-made/note - - - - hello",
            "d /var/lib/hf-used",
        ]

    def fails(m: Module) -> None:
        module(m)
        m[Systemd].services["hf-bad"].exec_start = ["/bin/false"]
        m[Systemd].services["hf-bad"].type = "oneshot"
        m[Systemd].services["hf-bad"].wanted_by = ["multi-user.target"]

    host.switch(fails, code=3)
    machine.fail("ls -d /var/lib/hf-*")
    host.switch(module)
    assert machine.read_file("/var/lib/hf-made/note") == "hello"
    machine.succeed("touch /var/lib/hf-used/data")
    host.switch()
    assert machine.succeed("find /var/lib/hf-*; rm -r /var/lib/hf-used").split() == [
        "/var/lib/hf-used",
        "/var/lib/hf-used/data",
    ]
