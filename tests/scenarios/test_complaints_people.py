"""What users of System Manager complained of or asked for, about accounts and shells; see :mod:`tests.scenarios.test_complaints`."""

from __future__ import annotations

import pytest

from holdfast.library import Environment, Users
from holdfast.options import Module
from tests.scenarios.host import Host
from tests.scenarios.people import do_as, person_with_sudo, said_as
from tests.scenarios.test_complaints import ONE_RELEASE, file

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

ACCOUNTS = (
    "stat -c '%n %i %Y %a' /etc/passwd /etc/group /etc/shadow /etc/gshadow; sha256sum /etc/passwd /etc/group"
)


@ONE_RELEASE
def test_the_shell_of_root_stays(host: Host) -> None:
    """#483: root's shell was one that was not there yet, and su failed."""
    machine = host.machine
    before = machine.succeed("getent passwd root")

    def volatile(m: Module) -> None:
        m[Users].users["root"].shell = "/run/somewhere/bin/zsh"

    def missing(m: Module) -> None:
        m[Users].users["root"].shell = "/usr/bin/hf-no-such-shell"

    host.switch(lambda m: file(m, "1\n"))
    assert machine.succeed("getent passwd root") == before
    assert "nobody could log in" in host.switch(volatile, code=1)
    assert "is not there: /usr/bin/hf-no-such-shell" in host.switch(missing, code=1)
    assert machine.succeed("getent passwd root; su - -c 'echo in'") == f"{before}in\n"


@ONE_RELEASE
def test_members_of_sudo_stay_members(host: Host) -> None:
    """#349: people were dropped from wheel, since only declared members counted."""
    machine = host.machine
    machine.succeed("useradd -G sudo hf-old")

    def module(m: Module) -> None:
        m[Users].users["hf-new"].groups = ["sudo"]
        m[Users].groups["sudo"].system = True

    try:
        host.switch(module)
        assert set(machine.succeed("getent group sudo | cut -d: -f4").strip().split(",")) == {
            "hf-old",
            "hf-new",
        }
        host.deactivate()
        assert machine.succeed("getent group sudo | cut -d: -f4") == "hf-old\n"
    finally:
        machine.succeed("userdel hf-old; gpasswd -d hf-old sudo 2>/dev/null || true")


@ONE_RELEASE
def test_users_are_managed_only_where_somebody_says_so(host: Host) -> None:
    """#350: managing users was on by default, and rewrote passwd, group and shadow."""
    before = host.machine.succeed(ACCOUNTS)
    host.switch(lambda m: file(m, "1\n"))
    assert host.machine.succeed(ACCOUNTS) == before


@ONE_RELEASE
def test_an_empty_configuration_takes_over_nothing(host: Host) -> None:
    """#425: an empty configuration took over sudoers and the configuration of ssh.

    Ours says who the machine is, and where, as every definition does; nothing else.
    """
    look = "find /etc -xdev \\( -type f -o -type l \\) -printf '%p %i %m %T@ %l\\n'"
    before = set(host.machine.succeed(look).splitlines())
    host.switch()
    changed = {line.split()[0] for line in before ^ set(host.machine.succeed(look).splitlines())}
    assert changed <= {
        "/etc/default/locale",
        "/etc/hosts",
        "/etc/locale.conf",
        "/etc/localtime",
        "/etc/timezone",
    }


@ONE_RELEASE
def test_root_and_sudo_are_not_confused(host: Host) -> None:
    """#98: what was run with sudo, and what was not, met each other's files and homes."""
    machine = host.machine
    words = " ".join(host.bring(lambda m: file(m, "1\n")))
    with person_with_sudo(machine, "hf-sue"):
        refused = do_as(machine, "hf-sue", "holdfast status")
        assert "only root" in refused.stderr.decode()
        said_as(machine, "hf-sue", f"umask 077; sudo /usr/local/bin/holdfast switch {words}")
        assert machine.succeed("stat -c '%a %U' /etc/hf-file") == "644 root\n"
        assert machine.succeed("find ~hf-sue -newer /etc/sudoers.d/hf-sue") == ""
        assert "of scenario" in host.run("status")


@ONE_RELEASE
def test_shells_and_sessions_have_the_variables(host: Host) -> None:
    """#225, #531, PR #532, PR #505: variables of shells; where shells find completions, and desktops find programs."""
    machine = host.machine

    def module(m: Module) -> None:
        m[Environment].variables["HF_TEXT"] = "it's $HOME"
        m[Environment].session_variables["HF_SESSION"] = 1
        m[Environment].data_dirs = ["/opt/hf/share"]
        m[Environment].aliases["hf-hi"] = "echo hi"

    host.switch(module)
    for shell in ("sh", "bash"):
        assert machine.succeed(f"env -i {shell} -lc 'echo \"$HF_TEXT $HF_SESSION $XDG_DATA_DIRS\"'") == (
            "it's $HOME 1 /opt/hf/share:/usr/local/share:/usr/share\n"
        )
    assert machine.succeed("env -i bash -lic hf-hi 2>/dev/null") == "hi\n"
    generated = machine.succeed(
        "env -i /usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"
    )
    assert {"HF_SESSION=1", "XDG_DATA_DIRS=/opt/hf/share:/usr/local/share:/usr/share"} <= set(
        generated.splitlines()
    )
    assert "HF_TEXT" not in generated


@ONE_RELEASE
def test_zsh_has_them_too(host: Host) -> None:
    """#543: zsh reads nothing of /etc/profile.d.

    The machines have no zsh: its `emulate` is played by a function here.
    """

    def module(m: Module) -> None:
        m[Environment].zsh = True
        m[Environment].variables["HF_TEXT"] = "it's $HOME"
        m[Environment].path_prepend = ["/opt/hf bin"]

    host.switch(module)
    emulate = 'emulate() { test "$1 $2" = "sh -c" && eval "$3"; }'
    said = host.machine.succeed(f'{emulate}; . /etc/zsh/zprofile; echo "$HF_TEXT ${{PATH%%:*}}"')
    assert said == "it's $HOME /opt/hf bin\n"
