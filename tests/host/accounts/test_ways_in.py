from __future__ import annotations

from collections.abc import Mapping

import pytest

from holdfast.host.accounts.tables import Accounts
from holdfast.host.accounts.ways_in import Access, holds_key, lost_ways, sudoers_in
from holdfast.manifest.model import User

DAY = 20000
KEYS = {"root": "/root/.ssh/authorized_keys", "ann": "/home/ann/.ssh/authorized_keys"}


def machine(
    *, root: str = "*", ann: str = "$y$a", sudo: str = "ann", shell: str = "/bin/bash", expires: str = ""
) -> Accounts:
    return Accounts.parse(
        {
            "/etc/passwd": f"root:x:0:0::/root:/bin/bash\nann:x:1000:1000::/home/ann:{shell}\n".encode(),
            "/etc/shadow": f"root:{root}:1::::::\nann:{ann}:1:::::{expires}:\n".encode(),
            "/etc/group": f"sudo:x:27:{sudo}\nops:x:50:ann\n".encode(),
        }
    )


ANN_ONLY = machine()
NOBODY_MORE = "nobody could log in and become root any more; until now these can: "
NO_LOGIN = "could not log in any more"
NO_ROOT = "could not become root any more"


@pytest.mark.parametrize(
    ("before", "after", "access", "told"),
    [
        (ANN_ONLY, ANN_ONLY, Access(), None),
        (ANN_ONLY, machine(sudo=""), Access(), NOBODY_MORE + "ann"),
        (ANN_ONLY, machine(ann="!"), Access(), NOBODY_MORE + "ann"),
        (ANN_ONLY, machine(shell="/usr/sbin/nologin"), Access(), NOBODY_MORE + "ann"),
        (ANN_ONLY, machine(expires="1"), Access(), NOBODY_MORE + "ann"),
        (ANN_ONLY, machine(expires="30000"), Access(), None),
        # somebody else can still, or nobody could before
        (ANN_ONLY, machine(ann="!", root="$y$r"), Access(), None),
        (machine(root="$y$r"), machine(), Access(), None),
        (machine(root="$y$r"), machine(ann="!"), Access(), NOBODY_MORE + "root, ann"),
        (machine(sudo=""), machine(sudo="", ann="!"), Access(), None),
        # keys
        (machine(ann="!"), machine(ann="!"), Access(keys=frozenset({KEYS["ann"]})), NOBODY_MORE + "ann"),
        (
            machine(ann="!"),
            machine(ann="!"),
            Access(keys=frozenset({KEYS["ann"]}), keys_after=frozenset({KEYS["ann"]})),
            None,
        ),
        (
            machine(sudo=""),
            machine(sudo=""),
            Access(keys=frozenset({KEYS["root"]})),
            NOBODY_MORE + "root",
        ),
        # sudoers
        (machine(sudo=""), machine(sudo=""), Access(sudoers=("ann",)), NOBODY_MORE + "ann"),
        (machine(sudo=""), machine(sudo=""), Access(sudoers=("%ops",), sudoers_after=("ann",)), None),
        # the deployer
        (machine(root="$y$r"), machine(root="$y$r", ann="!"), Access(deployer="ann"), NO_LOGIN),
        (machine(root="$y$r"), machine(root="$y$r", sudo=""), Access(deployer="ann"), NO_ROOT),
        (machine(root="$y$r", sudo=""), machine(root="$y$r", sudo=""), Access(deployer="ann"), None),
        (machine(root="$y$r"), machine(), Access(deployer="root"), NO_LOGIN),
        (machine(), machine(), Access(deployer="ldap"), None),
    ],
)
def test_lost_ways(before: Accounts, after: Accounts, access: Access, told: str | None) -> None:
    problems = lost_ways(before, after, access, {}, day=DAY)
    if told is None:
        assert problems == []
    else:
        assert len(problems) == 1
        assert told in problems[0]


def test_declared_keys_are_a_way() -> None:
    users: Mapping[str, User] = {"ann": User(authorized_keys=("k",))}
    access = Access(keys=frozenset({KEYS["ann"]}))
    assert lost_ways(machine(ann="!"), machine(ann="!"), access, users, day=DAY) == []


def test_sudoers() -> None:
    text = """\
# %comment ALL=(ALL) ALL
Defaults env_reset
Defaults:ann !lecture
User_Alias ADMINS = ann, bob
root ALL=(ALL:ALL) ALL
%sudo\tALL=(ALL:ALL) ALL
ann web1 = (root) \\
   NOPASSWD: ALL
@includedir /etc/sudoers.d
"""
    assert sudoers_in([text, "deploy ALL=(ALL) NOPASSWD:ALL\n"]) == ("root", "%sudo", "ann", "deploy")


def test_keys() -> None:
    assert holds_key(b"\n# a comment\n ssh-ed25519 A\n")
    assert not holds_key(b"\n# ssh-ed25519 A\n")
    assert not holds_key(None)
