"""The first look at a machine, in one round trip: how to be root there, whether the engine is there, what is installed."""

from __future__ import annotations

from dataclasses import replace

from holdfast.base.records import dataclass
from holdfast.deploy.results import UnreachableError
from holdfast.deploy.rights import Rights
from holdfast.deploy.transport import LOCAL, Transport, run_script
from holdfast.engine.launch import ENGINE_HOME

_SCRIPT = """\
echo  # what start-up files of the shell printed may lack the end of its line
if [ "$(id -u)" = 0 ]; then
    echo sudo=root
elif ! command -v sudo >/dev/null 2>&1; then
    echo sudo=none
elif sudo -n true >/dev/null 2>&1; then
    echo sudo=free
    as_root='sudo -n'
else
    echo sudo=password
    as_root=false
fi
if $as_root test -r "$1"; then echo engine=yes; else echo engine=no; fi
if [ -n "$2" ]; then
    dpkg-query -W -f 'package=${Package} ${Version} ${Architecture} ${db:Status-Status}\\n' 2>/dev/null
fi
exit 0
"""

Packages = frozenset[tuple[str, str, str]]
"""Name, version and architecture of what is installed on a machine."""


@dataclass(frozen=True)
class Probe:
    """What the first look told."""

    sudo: str
    """``root``, ``free``, ``password`` or ``none``."""
    engine: bool
    """This very engine is installed. Unknown, and so False, where sudo asks for a password."""
    packages: Packages = frozenset()
    """What is installed, where that was asked for."""


def probe(transport: Transport, engine_hex: str, *, packages: bool = False) -> Probe:
    """Look at the machine. ``packages``: also at what dpkg has installed.

    Raises:
        UnreachableError: it cannot be reached, or has no POSIX shell.
    """
    arguments = [f"{ENGINE_HOME}/{engine_hex}/run", "yes" if packages else ""]
    ran = run_script(transport, _SCRIPT, arguments, as_root=False)
    try:
        return read_probe(ran.stdout.decode(errors="replace"))
    except KeyError:
        raise UnreachableError(
            f"{transport.name} does not answer as a Unix machine does",
            details="\n".join((*ran.errors, f"Its shell ended with exit code {ran.code}.")),
            resolution=f"Its user needs a shell that runs commands: try `ssh {transport.name} true`.",
        ) from None


def read_probe(text: str) -> Probe:
    """What the script printed (pure); lines that a shell's start-up files printed are left out.

    Raises:
        KeyError: something is missing.
    """
    fields: dict[str, str] = {}
    packages: set[tuple[str, str, str]] = set()
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name == "package":
            parts = value.split()
            if len(parts) == 4 and parts[3] == "installed":
                packages.add((parts[0], parts[1], parts[2]))
        else:
            fields[name] = value
    return Probe(fields["sudo"], fields["engine"] == "yes", frozenset(packages))


def settle_rights(name: str, found: Probe, *, password: str | None, terminal: bool) -> Rights:
    """How root's rights are had there (pure). ``terminal``: sudo there may ask the person itself.

    Raises:
        UnreachableError: there is no way.
    """
    if found.sudo == "root":
        return Rights()
    if found.sudo == "free":
        return Rights("sudo")
    if found.sudo == "none":
        if name == LOCAL:
            raise UnreachableError(
                "only root may do that on this machine, and there is no sudo",
                resolution="Run the command as root, or install sudo.",
            )
        raise UnreachableError(
            f"the user on {name} is not root, and there is no sudo",
            resolution="Name a user who is: root@HOST; or install sudo there.",
        )
    if password is not None:
        return Rights("password", password, tried=False)
    if terminal:
        return Rights("terminal")
    raise UnreachableError(
        f"sudo on {name} asks for a password",
        resolution="Run the command again with --ask-sudo-password.",
    )


def check_rights(transport: Transport, found: Probe, engine_hex: str) -> Probe:
    """Try the rights that are not known to work, once, and look again for what only root may see.

    Raises:
        UnreachableError: sudo refuses.
    """
    if transport.rights.way in ("none", "sudo"):
        return found
    script = 'echo; test -r "$1" && echo engine=yes; exit 0'
    ran = run_script(transport, script, [f"{ENGINE_HOME}/{engine_hex}/run"])
    if ran.code != 0:
        raise UnreachableError(
            f"sudo on {transport.name} does not let this user become root",
            details="\n".join(ran.errors),
            resolution="Check the password, and what sudoers(5) says there.",
        )
    transport.rights = replace(transport.rights, tried=True)
    return replace(found, engine=b"engine=yes" in ran.stdout.splitlines())
