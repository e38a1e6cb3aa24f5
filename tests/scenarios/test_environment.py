"""What shells, sessions and services find in their environment."""

from __future__ import annotations

import pytest

from holdfast.library import Environment
from holdfast.options import Module, force
from tests.scenarios.host import Host

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

SESSION = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"
ODD = 'it\'s $HOME `and` "more" \\ %h'


def variables(m: Module) -> None:
    mine = m[Environment]
    mine.variables = {"TEXT": "plain", "ODD": ODD, "NUMBER": 7, "LIST": ["/one"], "DROPPED": "from a default"}
    mine.session_variables = {"SESSION": "for all", "EMPTY": ""}
    mine.service_variables = {"SERVICE": "a b"}
    mine.path_prepend = ["/opt/tool/bin"]
    mine.path_append = ["/opt/last/bin"]
    mine.data_dirs = ["/opt/tool/share"]
    mine.aliases = {"greet": "echo aliased"}


def more(m: Module) -> None:
    m[Environment].variables["LIST"] = ["/two", "/one"]
    m[Environment].variables["DROPPED"] = force(None)
    m[Environment].interactive_init = "INTERACTIVE=1"


def test_environment_variables(host: Host) -> None:
    """Texts, lists of several modules, nulls, environment.d and session variables.

    There is no `extraSetup`, which runs while a profile is built: what it is for are files (see `test_etc_files_with_glob`) and
    `interactive_init`, which is shown here.
    """
    machine = host.machine
    host.switch(variables, more)
    show = 'printf "%s\\n" "$TEXT" "$ODD" "$NUMBER" "$LIST" "${DROPPED-unset}" "$SESSION" "${EMPTY-unset}" "$PATH" "$XDG_DATA_DIRS" "${INTERACTIVE-unset}"'
    for shell in ("sh", "bash"):
        *values, path, data, interactive = machine.succeed([shell, "-lc", show]).splitlines()
        assert sorted(values.pop(3).split(":")) == ["/one", "/two"], shell
        assert values == ["plain", ODD, "7", "unset", "for all", ""], shell
        assert path.startswith("/opt/tool/bin:") and path.endswith(":/opt/last/bin")
        assert data == "/opt/tool/share:/usr/local/share:/usr/share"
        assert interactive == "unset"
    assert (
        machine.succeed(
            ["bash", "-lic", "echo $INTERACTIVE; shopt -s expand_aliases; eval greet 2>/dev/null"]
        )
        == "1\naliased\n"
    )

    told = machine.succeed([SESSION], env={"PATH": "/usr/bin"}).splitlines()
    assert "SESSION='for all'" in told or 'SESSION="for all"' in told or "SESSION=for all" in told
    assert not any(line.startswith("TEXT=") for line in told), "only of login shells"
    assert any(line.startswith("PATH=/opt/tool/bin:") for line in told)
    service = machine.succeed("systemd-run --quiet --pipe --wait /usr/bin/env").splitlines()
    assert "SERVICE=a b" in service and not any(line.startswith("TEXT=") for line in service)

    host.run("deactivate")
    assert machine.succeed(["bash", "-lc", 'echo "${TEXT-unset}"']) == "unset\n"
    assert "SERVICE" not in machine.succeed("systemd-run --quiet --pipe --wait /usr/bin/env")


def test_extra_init(host: Host) -> None:
    """The snippet is in the profile script, and does its work in login shells."""

    def init(m: Module) -> None:
        m[Environment].extra_init = "umask 027\nEXTRA=$(echo made)\nexport EXTRA\n"

    host.switch(init)
    assert "EXTRA=$(echo made)" in host.machine.read_file("/etc/profile.d/holdfast.sh")
    for shell in ("sh", "bash"):
        assert host.machine.succeed([shell, "-lc", "echo $EXTRA; umask"]).split() == ["made", "0027"]
