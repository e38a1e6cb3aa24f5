"""The few lines that start the engine on machines of which nothing is known: POSIX sh, and Python as old as it may be."""

from __future__ import annotations

import shlex

ENGINE_HOME = "/var/lib/holdfast/engine"
"""One directory per engine, named by the 64 digits of its digest, and the link ``current``."""
LAUNCHER = "/usr/local/bin/holdfast"
EXIT_NO_ENGINE = 90
"""What :func:`start_script` ends with when that engine is not installed."""
EXIT_NO_PYTHON = 91
"""What every script here ends with when there is no python3, or none that is new enough."""

_VERSIONS = ("3.15", "3.14", "3.13", "3.12", "3.11", "3.10")

MAIN = f"""\
# Made by Holdfast. Starts the engine with a Python that is new enough; hence written for any Python.
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
if sys.version_info < (3, 10):
    if not os.environ.get("HOLDFAST_PYTHON_TRIED"):
        os.environ["HOLDFAST_PYTHON_TRIED"] = "1"
        for version in {_VERSIONS!r}:
            for directory in ["/usr/bin", "/usr/local/bin"] + os.environ.get("PATH", "").split(os.pathsep):
                python = os.path.join(directory, "python" + version)
                if directory and os.access(python, os.X_OK):
                    os.execv(python, [python, "-I", "-S", HERE] + sys.argv[1:])
    sys.stderr.write(
        "error: Holdfast needs Python 3.10 or newer; %s is %s\\n"
        "next: Install a newer python3 beside it: any of python3.10 to python3.15 is found by its name.\\n"
        % (sys.executable, sys.version.split()[0])
    )
    sys.exit({EXIT_NO_PYTHON})
try:
    from holdfast.engine.main import main
except ImportError as error:
    if (error.name or "").startswith("holdfast"):
        raise
    sys.stderr.write(
        "error: %s is incomplete: %s\\n"
        "next: Install the distribution's whole python3 (Debian: apt-get install python3).\\n" % (sys.executable, error)
    )
    sys.exit({EXIT_NO_PYTHON})
main()
"""
"""``__main__.py`` of the archive and of the installed engine."""

_PYTHONS = " ".join(
    ["/usr/bin/python3", "/usr/local/bin/python3", "python3", *(f"python{v}" for v in _VERSIONS)]
)
_FIND_PYTHON = f"""\
for python in {_PYTHONS}; do
    if command -v "$python" >/dev/null 2>&1; then
        exec "$python" -I -S "$engine" "$@"
    fi
done
"""
_CHECK_WHOLE = """\
"$python" -I -S -c 'import sys, zipfile; sys.exit(not zipfile.is_zipfile(sys.argv[1]))' "$engine" || {
            echo "error: the engine did not arrive whole" >&2
            echo "next: Run the command again; if that does not help, the connection adds to what it carries." >&2
            exit 1
        }
        """
"""Python takes an empty file for a program that does nothing, and half a zip for one full of mistakes."""
_NO_PYTHON = f"""\
id=
if [ -r /etc/os-release ]; then id=$(. /etc/os-release; echo " $ID $ID_LIKE "); fi
case $id in
    *\\ debian\\ *|*\\ ubuntu\\ *) how='apt-get install python3' ;;
    *\\ fedora\\ *|*\\ rhel\\ *) how='dnf install python3' ;;
    *suse*) how='zypper install python3' ;;
    *\\ arch\\ *) how='pacman -S python' ;;
    *\\ alpine\\ *) how='apk add python3' ;;
    *) how="install the distribution's package python3 (3.10 or newer)" ;;
esac
echo "error: there is no python3 on $(uname -n), and Holdfast's engine needs one" >&2
echo "next: Run there, as root: $how" >&2
exit {EXIT_NO_PYTHON}
"""

RUN = f"""\
#!/bin/sh
# Made by Holdfast. Starts the engine in this file's directory.
engine=${{0%/*}}
{_FIND_PYTHON}{_NO_PYTHON}"""
"""``run`` in an installed engine: ``sh .../run VERB ...``."""

COMMAND = f"""\
#!/bin/sh
# Made by Holdfast. Starts the engine that was installed last.
if [ -r {ENGINE_HOME}/current/run ]; then
    exec sh {ENGINE_HOME}/current/run "$@"
fi
if [ "$(id -u)" = 0 ]; then
    echo "error: Holdfast's engine is not in {ENGINE_HOME}" >&2
    echo "next: Switch this machine from the author's side again: that installs it." >&2
else
    echo "error: only root may use Holdfast on this machine" >&2
    # By its path: the sudo of newer releases does not look in /usr/local/bin.
    echo "next: Run: sudo {LAUNCHER} $*" >&2
fi
exit {EXIT_NO_ENGINE}
"""
"""The text of :data:`LAUNCHER`."""


def start_script(digest_hex: str) -> str:
    """A script for ``sh -c SCRIPT holdfast VERB ...``: runs the verb with exactly that engine, or ends with :data:`EXIT_NO_ENGINE`."""
    run = f"{ENGINE_HOME}/{digest_hex}/run"
    return f'[ -r {run} ] || exit {EXIT_NO_ENGINE}; exec sh {run} "$@"'


def install_script(digest_hex: str) -> str:
    """A script for ``sh -c SCRIPT``, as root: installs the archive that comes on stdin. It needs no /tmp.

    Its stdout is the engine's (`install --json`); a failure is told on stderr.
    """
    upload = f"{ENGINE_HOME}/.upload-{digest_hex[:12]}.$$.pyz"
    return f"""\
umask 077
mkdir -p {ENGINE_HOME} || exit 1
engine={upload}
trap 'rm -f "$engine"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$engine" || exit 1
(
set -- install --json --digest {shlex.quote(digest_hex)}
{_FIND_PYTHON.replace("exec", _CHECK_WHOLE + "exec")}{_NO_PYTHON})
exit $?
"""
