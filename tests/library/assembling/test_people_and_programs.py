"""Environment, ssh, sudo, wrappers and upgrades: from options to files and units, and what is wrong with places."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.library import (
    AutoUpgrade,
    Debian,
    Environment,
    Evaluated,
    Firewall,
    Ssh,
    Sudo,
    System,
    Systemd,
    Wrappers,
    evaluate_system,
)
from holdfast.library.rendering.shell import NOTICE
from holdfast.manifest.model import Link, TextFile, Unit
from holdfast.options import Module, default, force

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbc/+ ada@example.org"


def evaluated(*modules: Callable[[Module], None], target: str | None = None) -> Evaluated:
    return evaluate_system(System("test", modules=modules, distro=Debian("trixie"), target=target))


def texts(*modules: Callable[[Module], None]) -> dict[str, str]:
    files = evaluated(*modules).manifest.files
    return {path: entry.text for path, entry in files.items() if isinstance(entry, TextFile)}


def problems(module: Callable[[Module], None]) -> str:
    with pytest.raises(HoldfastError) as caught:
        evaluated(module)
    assert "test_people_and_programs.py:" in f"{caught.value}\n{caught.value.details}"
    return f"{caught.value}\n{caught.value.details}"


def test_parts_of_variables_add_up_and_texts_do_not() -> None:
    def one(m: Module) -> None:
        m[Environment].variables["MANPATH"] = ["/a", "/b"]
        m[Environment].variables["EDITOR"] = default("nano")
        m[Environment].variables["PAGER"] = "less"
        m[Environment].session_variables["WAYLAND"] = 1
        m[Environment].service_variables["PROXY"] = "http://proxy"

    def two(m: Module) -> None:
        m[Environment].variables["MANPATH"] = ["/b", "/c"]
        m[Environment].variables["EDITOR"] = "vim"
        m[Environment].variables["PAGER"] = "less"
        m[Environment].variables["NONE"] = None

    assert texts(one, two) == {
        "/etc/profile.d/holdfast.sh": NOTICE
        + "export EDITOR='vim'\nexport MANPATH='/a:/b:/c'\nexport PAGER='less'\nexport WAYLAND='1'\n",
        "/etc/environment.d/60-holdfast.conf": NOTICE + 'WAYLAND="1"\n',
        "/etc/systemd/system.conf.d/60-holdfast.conf": NOTICE
        + "[Manager]\nDefaultEnvironment=PROXY=http://proxy\n",
    }

    def other(m: Module) -> None:
        m[Environment].variables["PAGER"] = "more"

    with pytest.raises(HoldfastError, match=r"environment\.variables\.PAGER"):
        evaluated(one, other)


def test_an_environment_that_says_nothing_writes_nothing() -> None:
    def module(m: Module) -> None:
        m[Environment].variables["A"] = None

    assert evaluated(module).manifest.files == {}


def test_zsh_and_fish_are_switched_on() -> None:
    def module(m: Module) -> None:
        m[Environment].path_prepend = ["/opt/bin"]
        m[Environment].zsh = True
        m[Environment].fish = True
        m[Environment].fish_init = "set -g fish_greeting\n"

    made = texts(module)
    assert made["/etc/zsh/zprofile"] == NOTICE + "emulate sh -c '. /etc/profile.d/holdfast.sh'\n"
    assert made["/etc/fish/conf.d/holdfast.fish"].endswith("end\nset -g fish_greeting\n")


def test_what_is_wrong_with_an_environment() -> None:
    def names(m: Module) -> None:
        m[Environment].variables["A-B"] = "x"
        m[Environment].session_variables["UID"] = "0"
        m[Environment].variables["TWICE"] = "a"
        m[Environment].session_variables["TWICE"] = "b"

    told = problems(names)
    assert "has 3 problems" in told
    assert 'environment.variables."A-B"' in told or "environment.variables.A-B" in told
    assert "variables has another value for TWICE" in told

    def parts(m: Module) -> None:
        m[Environment].variables["P"] = ["/a:/b"]

    assert "has a colon" in problems(parts)

    def directory(m: Module) -> None:
        m[Environment].path_prepend = ["bin"]

    assert "begin it with / or ~/" in problems(directory)

    def alias(m: Module) -> None:
        m[Environment].aliases["a b"] = "c"

    assert "not the name of an alias" in problems(alias)


def test_the_ssh_server() -> None:
    def module(m: Module) -> None:
        server = m[Ssh].server
        server.enable = True
        server.ports = [2222]
        server.permit_root_login = "prohibit-password"
        server.password_authentication = False
        server.allow_users = ["ada", "bob@10.*"]
        server.ciphers = ["aes256-gcm@openssh.com", "aes128-gcm@openssh.com"]
        server.authorized_keys["ada"] = [KEY]
        server.settings["PermitTunnel"] = False
        server.match["Group sftp"] = {"ForceCommand": "internal-sftp"}
        server.open_firewall = True
        m[Firewall].enable = True

    made = evaluated(module, target="root@web")
    files = made.manifest.files
    assert files["/etc/ssh/sshd_config.d/00-holdfast.conf"] == TextFile(
        NOTICE + "Port 2222\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        "AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2 /etc/ssh/authorized_keys.d/%u\n"
        "AllowUsers ada bob@10.*\nCiphers aes256-gcm@openssh.com,aes128-gcm@openssh.com\nPermitTunnel no\n\n"
        "Match Group sftp\n    ForceCommand internal-sftp\n\nMatch all\n"
    )
    assert files["/etc/ssh/authorized_keys.d/ada"] == TextFile(f"{NOTICE}{KEY}\n")
    unit = made.manifest.units["ssh.service"]
    assert (unit.text, unit.enable, unit.dropins) == (None, True, {})
    assert unit.reload_triggers[0].startswith("/etc/ssh/sshd_config.d/00-holdfast.conf sha256:")
    assert "openssh-server" in made.manifest.packages.install
    firewall = files["/etc/holdfast/firewall.nft"]
    assert isinstance(firewall, TextFile)
    assert "tcp dport 2222 accept" in firewall.text
    assert made.warnings == ()

    def closed(m: Module) -> None:
        m[Ssh].server.open_firewall = force(False)

    (warning,) = evaluated(module, closed, target="root@web").warnings
    assert "m[Firewall].allowed_tcp_ports = [2222]" in warning


def test_the_ssh_client_and_known_hosts() -> None:
    def module(m: Module) -> None:
        m[Ssh].client.hosts["web"]["HostName"] = "web.example.org"
        m[Ssh].client.settings["ServerAliveInterval"] = 30
        m[Ssh].known_hosts["web"].public_keys = [KEY]
        m[Ssh].known_hosts["lab"].names = ["*.lab"]
        m[Ssh].known_hosts["lab"].public_keys = [KEY]
        m[Ssh].known_hosts["lab"].cert_authority = True

    made = evaluated(module).manifest
    assert made.packages.install == ()
    assert made.units == {}
    assert made.files == {
        "/etc/ssh/ssh_config.d/00-holdfast.conf": TextFile(
            NOTICE + "Host web\n    HostName web.example.org\n\nHost *\n    ServerAliveInterval 30\n"
        ),
        "/etc/ssh/ssh_known_hosts": TextFile(f"{NOTICE}@cert-authority *.lab {KEY}\nweb {KEY}\n"),
    }


def test_what_is_wrong_with_ssh() -> None:
    def server(m: Module) -> None:
        m[Ssh].server.enable = True
        m[Ssh].server.use_dns = True
        m[Ssh].server.settings["usedns"] = False
        m[Ssh].server.match["sftp"] = {"X": 1}

    told = problems(server)
    assert "has 2 problems" in told
    assert "is set by its own option and by settings['usedns']" in told
    assert "ssh.server.match.sftp" in told

    def key(m: Module) -> None:
        m[Ssh].server.enable = True
        m[Ssh].server.authorized_keys["ada"] = ["secret"]

    assert "ssh.server.authorized_keys.ada: 'secret' is not a public key" in problems(key)

    def user(m: Module) -> None:
        m[Ssh].server.enable = True
        m[Ssh].server.authorized_keys["../x"] = [KEY]

    assert "'../x'" in problems(user)

    def known(m: Module) -> None:
        m[Ssh].known_hosts["web"].cert_authority = True

    assert "ssh.known_hosts.web: It has no public_keys" in problems(known)


def test_sudo() -> None:
    def module(m: Module) -> None:
        last = m[Sudo].rules["a-last"]
        last.groups = ["ops"]
        last.order = 2000
        first = m[Sudo].rules["deploy"]
        first.users = ["deploy"]
        first.commands = [["/usr/bin/systemctl", "restart", "shop.service"]]
        first.no_password = True
        first.run_as_groups = []
        m[Sudo].wheel_needs_password = False
        m[Sudo].rules["off"].enable = False

    made = evaluated(module).manifest
    assert made.packages.install == ("sudo",)
    assert made.after_switch == (("/usr/sbin/visudo", "--check"),)
    assert made.files == {
        "/etc/sudoers.d/holdfast": TextFile(
            NOTICE + "%sudo ALL=(ALL : ALL) NOPASSWD: ALL\n# deploy\n"
            "deploy ALL=(ALL) NOPASSWD: /usr/bin/systemctl restart shop.service\n"
            "# a-last\n%ops ALL=(ALL : ALL) ALL\n",
            mode="0440",
        )
    }


def test_what_is_wrong_with_sudo() -> None:
    def module(m: Module) -> None:
        m[Sudo].rules.add("nobody")
        m[Sudo].rules["relative"].users = ["ada"]
        m[Sudo].rules["relative"].commands = [["systemctl"]]
        m[Sudo].defaults = ["Defaults x"]

    told = problems(module)
    assert "has 3 problems" in told
    assert "sudo.rules.nobody: The rule is for nobody" in told
    assert "sudo.rules.relative: 'systemctl' is not the absolute path" in told
    assert "sudo.defaults: 'Defaults x' begins with Defaults" in told


def test_a_sudo_that_says_nothing_changes_nothing() -> None:
    def module(m: Module) -> None:
        m[Sudo].rules["off"].enable = False

    made = evaluated(module).manifest
    assert (made.files, made.packages.install, made.after_switch) == ({}, (), ())


def test_wrappers() -> None:
    def module(m: Module) -> None:
        m[Wrappers]["ping"].capabilities = ["cap_net_raw"]
        mtr = m[Wrappers]["mtr"]
        mtr.source = "/usr/bin/mtr-packet"
        mtr.setuid = True
        mtr.setgid = True
        mtr.group = "adm"
        mtr.mode = "0750"
        m[Wrappers]["off"].enable = False
        m[Environment].path_prepend = ["/opt/bin"]

    made = evaluated(module).manifest
    assert made.packages.install == ("libcap2-bin",)
    script = made.files["/etc/holdfast/scripts/holdfast-wrappers"]
    assert isinstance(script, TextFile)
    assert (
        "--group='adm' --mode=6750 --no-target-directory -- '/usr/bin/mtr-packet' \"$new\"/mtr" in script.text
    )
    assert "setcap 'cap_net_raw+ep' \"$new\"/ping" in script.text
    assert made.units["run-wrappers.mount"].wanted_by == ("local-fs.target",)
    fill = made.units["holdfast-wrappers.service"]
    assert fill.wanted_by == ("sysinit.target",)
    assert "RequiresMountsFor=/run/wrappers" in (fill.text or "")
    assert fill.restart_triggers
    watch = made.units["holdfast-wrappers.path"].text or ""
    assert (
        "PathChanged=/usr/bin/mtr-packet\nPathChanged=/usr/bin/ping\nUnit=holdfast-wrappers-renew.service"
        in watch
    )
    profile = made.files["/etc/profile.d/holdfast.sh"]
    assert isinstance(profile, TextFile)
    # The last to be put in front is the first: wrappers come before what others prepend.
    assert profile.text.index("/opt/bin") < profile.text.index("/run/wrappers/bin")


def test_what_is_wrong_with_wrappers() -> None:
    def module(m: Module) -> None:
        m[Wrappers].add("nothing")
        m[Wrappers]["mode"].mode = "4755"
        m[Wrappers]["a b"].setuid = True

    told = problems(module)
    assert "has 3 problems" in told
    assert "wrappers.nothing: It gives no rights" in told
    assert "wrappers.mode: The mode 4755 has more than permissions: write 0755" in told

    def capability(m: Module) -> None:
        m[Wrappers]["a"].capabilities = ["cap_net_raw+ep"]

    assert "write its name alone" in problems(capability)


def test_upgrades_by_themselves() -> None:
    def plain(m: Module) -> None:
        m[AutoUpgrade].enable = True

    def checkout(m: Module) -> None:
        m[AutoUpgrade].checkout = "/srv/systems"
        m[AutoUpgrade].command = ["/opt/holdfast/bin/holdfast", "switch", "web"]
        m[AutoUpgrade].calendar = ["Mon 04:00"]
        m[AutoUpgrade].randomized_delay = "45min"
        m[AutoUpgrade].fixed_random_delay = True

    made = evaluated(plain).manifest
    work = made.units["holdfast-upgrade.service"]
    assert (work.on_change, work.stop_on_removal) == ("nothing", False)
    assert "ExecStart=/usr/local/bin/holdfast switch\n" in (work.text or "")
    assert "WorkingDirectory" not in (work.text or "")
    assert made.packages.install == ()
    timer = made.units["holdfast-upgrade.timer"]
    assert timer.wanted_by == ("timers.target",)
    assert "OnCalendar=04:40\nPersistent=yes\n" in (timer.text or "")
    other = evaluated(plain, checkout).manifest
    assert other.packages.install == ("git",)
    text = other.units["holdfast-upgrade.service"].text or ""
    assert (
        "ExecStart=/opt/holdfast/bin/holdfast switch web\nExecStartPre=/usr/bin/git pull --quiet --ff-only\n"
        in text
    )
    assert "WorkingDirectory=/srv/systems\n" in text
    times = other.units["holdfast-upgrade.timer"].text or ""
    assert "OnCalendar=Mon 04:00\nPersistent=yes\nRandomizedDelaySec=45min\nFixedRandomDelay=yes\n" in times


def test_generators_and_shutdown_programs_are_links() -> None:
    def module(m: Module) -> None:
        m[Systemd].generators["systemd-gpt-auto-generator"] = None
        m[Systemd].shutdown["eject"] = "/usr/local/sbin/eject-disk"

    assert evaluated(module).manifest.files == {
        "/etc/systemd/system-generators/systemd-gpt-auto-generator": Link("/dev/null"),
        "/etc/systemd/system-shutdown/eject": Link("/usr/local/sbin/eject-disk"),
    }


def test_credentials() -> None:
    def module(m: Module) -> None:
        service = m[Systemd].services["app"]
        service.exec_start = ["/usr/bin/app"]
        service.load_credential = ["token:/etc/app/token"]
        service.load_credential_encrypted = ["key:/etc/app/key.cred", "b:/b"]
        service.import_credential = ["app.*"]
        service.set_credential["text"] = "a\\b % $c\nd \t"
        service.set_credential_encrypted["cred"] = "AAAA\n    BBBB=\n"

    made = evaluated(module).manifest.units["app.service"]
    assert made == Unit(
        text="[Service]\nExecStart=/usr/bin/app\nLoadCredential=token:/etc/app/token\n"
        "LoadCredentialEncrypted=key:/etc/app/key.cred\nLoadCredentialEncrypted=b:/b\nImportCredential=app.*\n"
        "SetCredential=text:a\\\\b % $c\\nd\\x20\\x09\nSetCredentialEncrypted=cred:AAAABBBB=\n"
    )

    def wrong(m: Module) -> None:
        module(m)
        m[Systemd].services["app"].set_credential["a/b"] = "x"

    assert "'a/b' is not the name of a credential" in problems(wrong)

    def secret(m: Module) -> None:
        module(m)
        m[Systemd].services["app"].set_credential_encrypted["x"] = "hunter 2!"

    assert "systemd-creds encrypt" in problems(secret)
