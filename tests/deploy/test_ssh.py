from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.deploy.results import UnreachableError
from holdfast.deploy.ssh import SshSettings, SshTransport, explain, parse_destination, parse_option
from holdfast.deploy.transport import Ran, run_script


@pytest.mark.parametrize("text", ["", "-oProxyCommand=reboot", "a b", "a\nb"])
def test_what_is_no_machine(text: str) -> None:
    with pytest.raises(HoldfastError, match="is no machine"):
        parse_destination(text)


def test_options_are_those_of_the_configuration() -> None:
    assert parse_option("Port=2222") == "Port=2222"
    with pytest.raises(HoldfastError, match="ssh_config"):
        parse_option("-p2222")


@pytest.mark.parametrize(
    ("said", "brief"),
    [
        ("No ED25519 host key is known for web.\nHost key verification failed.", "is not known here"),
        (
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            "another host key",
        ),
        ("root@web: Permission denied (publickey).", "does not let this user in"),
        ("ssh: Could not resolve hostname web: Name or service not known", "no machine of the name"),
        ("ssh: connect to host web port 22: Connection refused", "refuses connections"),
        ("ssh: connect to host web port 22: Connection timed out", "does not answer"),
        ("command-line: line 0: Bad configuration option: foo", "does not understand an option for web"),
        ("/root/.ssh/config: line 3: Bad configuration option: foo", "does not understand its configuration"),
        ("kex_exchange_identification: Connection closed by remote host", "connection to web failed"),
    ],
)
def test_what_ssh_complains_of(said: str, brief: str) -> None:
    error = explain("web", said)
    assert brief in error.brief
    assert said in error.details
    assert error.resolution


def test_ssh_has_the_environment_of_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ProxyCommand may need anything of it; the machine gets our language all the same."""
    (tmp_path / "ssh").write_text('#!/bin/sh\necho "$KRB5CCNAME $AWS_PROFILE $LC_ALL $LC_TIME."\n')
    (tmp_path / "ssh").chmod(0o755)
    for name, value in {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "KRB5CCNAME": "KCM:",
        "AWS_PROFILE": "work",
        "LC_ALL": "de_DE.UTF-8",
        "LC_TIME": "de_DE.UTF-8",
    }.items():
        monkeypatch.setenv(name, value)
    transport = SshTransport("web", SshSettings())
    assert run_script(transport, "true").stdout == b"KCM: work C.UTF-8 .\n"
    transport.close()


def test_a_configuration_for_people_is_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = "LocalForward 8080 localhost:80\nRemoteCommand tmux\nForwardAgent yes\nPort 2200\nUser ann\n"
    (tmp_path / "config").write_text(settings)
    (tmp_path / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {tmp_path}/config -G "$@"\n')
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    transport = SshTransport("web", SshSettings(("Port=22",)))
    told = run_script(transport, "true").stdout.decode().splitlines()
    assert {"user ann", "port 22", "forwardagent no", "batchmode yes", "clearallforwardings yes"} <= set(told)
    assert not [line for line in told if line.startswith("remotecommand ")]
    transport.close()


def test_a_connection_that_was_there_is_lost() -> None:
    transport = SshTransport("root@web", SshSettings())
    with pytest.raises(UnreachableError, match="connection to root@web failed"):
        transport.judge(Ran(255, b"", ("Connection closed",)))
    transport.judge(Ran(1, b"", ()))
    with pytest.raises(UnreachableError, match="was lost") as caught:
        transport.judge(Ran(255, b"", ("Connection closed",)))
    assert "holdfast follow --target-host root@web" in caught.value.resolution
    transport.close()


def test_a_closed_port_is_told_and_nothing_stays() -> None:
    transport = SshTransport("root@127.0.0.1", SshSettings(("Port=1",)))
    directory = transport._directory  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(UnreachableError, match="refuses connections"):
        run_script(transport, "true")
    transport.close()
    assert directory is not None and not directory.exists()


def test_a_long_path_for_temporary_files_leaves_room_for_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / ("long" * 20)
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    transport = SshTransport("web", SshSettings())
    directory = transport._directory  # pyright: ignore[reportPrivateUsage]
    assert directory is not None and len(str(directory)) < 85
    transport.close()
