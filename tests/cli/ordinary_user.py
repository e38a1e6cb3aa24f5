"""Somebody without rights who has subordinate ids, for as long as a command runs, and without a trace on the machine."""

from __future__ import annotations

from pathlib import Path

from holdfast.base.process import Completed, run

UID = 54321
NAME = "ordinary"
RANGE = f"{NAME}:700000:65536\n"

# In the command's own mount namespace /tmp is new, and an overlay over /etc has the account and its ids.
_SCRIPT = """
home=$1 range=$2 before=$3; shift 3
mount -t tmpfs -o mode=1777 tmpfs /tmp; mkdir /tmp/up /tmp/work
mount -t overlay -o lowerdir=/etc,upperdir=/tmp/up,workdir=/tmp/work overlay /etc
echo "NAME:x:UID:UID::$home:/bin/sh" >>/etc/passwd; echo "NAME:x:UID:" >>/etc/group
printf %s "$range" >/etc/subuid; printf %s "$range" >/etc/subgid
cd "$home"
eval "$before"
exec setpriv --reuid=UID --regid=UID --clear-groups "$@"
""".replace("NAME", NAME).replace("UID", str(UID))


def run_as_user(
    home: Path,
    *argv: str | Path,
    ranges: str = RANGE,
    before: str = ":",
    network: bool = False,
    check: bool = True,
) -> Completed:
    """Run a command in ``home`` as the user, who has no runtime directory. ``before`` is shell code that root runs first."""
    namespaces = ("--mount", "--propagation=private", *(() if network else ("--net",)))
    return run(
        ["unshare", *namespaces, "sh", "-ec", _SCRIPT, "ordinary-user", str(home), ranges, before, *argv],
        env={"HOME": str(home), "XDG_RUNTIME_DIR": "", "HOLDFAST_STORE": ""},
        check=check,
        timeout=600,
    )


def give(path: Path) -> None:
    """Make ``path``, with all below it, the user's."""
    run(["chown", "-R", f"{UID}:{UID}", path])
