"""No service starts while packages change: its configuration is not there yet.

Maintainer scripts start services through invoke-rc.d(8) and deb-systemd-invoke(1p), which ask /usr/sbin/policy-rc.d. Ours says no to
everything but stopping, and writes down what was asked. It is harmless where a crash leaves it: after a reboot
it says what an existing one says, or yes.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.base.atomic import write_atomically
from holdfast.base.errors import explain_os_errors
from holdfast.host.packages.apt.places import RUN

POLICY = Path("/usr/sbin/policy-rc.d")
_THEIRS = Path("/usr/sbin/policy-rc.d.before-holdfast")
_CHANGING = RUN / "changing"
_ASKED = RUN / "asked"
_MARK = "# holdfast put this here for as long as it changes packages"
_SCRIPT = f"""\
#!/bin/sh
{_MARK}, see invoke-rc.d(8)
if [ -e {_CHANGING} ]; then
    case $2 in
    *start*|*reload*)
        if [ -x {_THEIRS} ]; then
            {_THEIRS} "$@"
            [ $? -ne 101 ] || exit 101
        fi
        echo "$1 $2" >> {_ASKED}
        exit 101 ;;
    esac
fi
[ ! -x {_THEIRS} ] || exec {_THEIRS} "$@"
exit 0
"""


@contextmanager
def services_held() -> Generator[None]:
    """During the body no package starts, restarts or reloads a service.

    Raises:
        HoldfastError: the policy cannot be put in place.
    """
    with explain_os_errors("hold services while packages change"):
        restore_policy()
        RUN.mkdir(parents=True, exist_ok=True, mode=0o700)
        _ASKED.unlink(missing_ok=True)
        _CHANGING.touch()
        if os.path.lexists(POLICY):
            POLICY.rename(_THEIRS)
        write_atomically(POLICY, _SCRIPT.encode(), mode=0o755)
    try:
        yield
    finally:
        restore_policy()


def asked_for() -> tuple[tuple[str, str], ...]:
    """(unit or script, action) of everything that the packages wanted to do while services were held, in order."""
    with suppress(FileNotFoundError):
        lines = _ASKED.read_text(errors="replace").splitlines()
        return tuple(dict.fromkeys((words[0], words[1]) for line in lines if len(words := line.split()) >= 2))
    return ()


def restore_policy() -> None:
    """Take our policy away, wherever in putting it there a crash was; one that was there before comes back."""
    with explain_os_errors("take back the policy for services"):
        _CHANGING.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            if _MARK in POLICY.read_text(errors="replace"):
                POLICY.unlink()
        if os.path.lexists(_THEIRS):
            if os.path.lexists(POLICY):  # somebody else put one there meanwhile
                _THEIRS.unlink()
            else:
                _THEIRS.rename(POLICY)
