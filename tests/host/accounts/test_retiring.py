"""Accounts that nobody declares any more, on the tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.digests import digest_bytes
from holdfast.host.accounts.declared import Settled, settle
from holdfast.host.accounts.ids import Ids
from holdfast.host.accounts.retiring import Owned, to_look_for
from holdfast.host.accounts.tables import Accounts, Ranges
from holdfast.host.state import STATE_VERSION, State
from holdfast.manifest.model import Group, User
from tests.examples import at_most
from tests.host.roots import GROUP, GSHADOW, PASSWD, SHADOW

DAY = 20000
RANGES = Ranges(subuid=(100000, 600100000, 65536), subgid=(100000, 600100000, 65536))
NOTHING = Owned()


def tables(**extra: str) -> Accounts:
    """The usual ones, with lines added to some."""
    texts = {
        "passwd": PASSWD,
        "group": GROUP,
        "shadow": SHADOW,
        "gshadow": GSHADOW,
        "subuid": "",
        "subgid": "",
    }
    return Accounts.parse(
        {f"/etc/{name}": (text + extra.get(name, "")).encode() for name, text in texts.items()}
    )


def after(settled: Settled) -> State:
    return State(
        STATE_VERSION,
        1,
        digest_bytes(b""),
        users=settled.users,
        groups=settled.groups,
        memberships=settled.memberships,
        kept_groups=settled.kept_groups,
    )


def settled(
    before: Accounts,
    users: Mapping[str, User] | None = None,
    state: State | None = None,
    *,
    groups: Mapping[str, Group] | None = None,
    owned: Owned | None = None,
    day: int = DAY,
) -> Settled:
    made = settle(
        before, users or {}, groups or {}, ids=Ids(), ranges=RANGES, day=day, state=state, owned=owned
    )
    assert made.problems == ()
    return made


ANN = User(comment="Ann", groups=("sudo",), hashed_password="$y$ann", shell="/bin/zsh")


def test_an_account_that_owns_nothing_is_deleted_without_a_trace() -> None:
    before = tables()
    made = settled(before, {"ann": ANN}, groups={"team": Group(members=("ann", "nobody"))})
    assert made.accounts.subuid.render() == b"ann:100000:65536\n"
    gone = settled(made.accounts, {}, after(made), owned=NOTHING)
    assert gone.accounts.render() == before.render()
    assert gone.notes == ("user 'ann' is deleted: nothing is left that belongs to it",)
    assert gone.kept_groups == ()


def test_ids_stay_with_the_name_also_after_it_was_deleted() -> None:
    made = settled(tables(), {"ann": ANN, "bob": User()})
    gone = settled(made.accounts, {}, after(made), owned=NOTHING)
    new = settled(gone.accounts, {"cat": User()}, after(gone))
    assert new.accounts.uids()["cat"] == 1002
    again = settled(new.accounts, {"ann": User(), "cat": User()}, after(new))
    assert again.accounts.uids()["ann"] == 1000
    assert again.accounts.gids()["ann"] == 1000


def test_a_number_that_somebody_gave_away_meanwhile_is_not_insisted_on() -> None:
    made = settled(tables(), {"ann": ANN})
    gone = settled(made.accounts, {}, after(made), owned=NOTHING)
    theirs = settled(gone.accounts, {"eve": User(uid=1000)}, None)
    again = settled(theirs.accounts, {"ann": User()}, after(gone))
    assert (again.accounts.uids()["ann"], again.accounts.gids()["ann"]) == (1001, 1001)


@pytest.mark.parametrize(
    ("owned", "why"),
    [
        (None, "what it owns was not looked for"),
        (Owned(uids={1000: "/srv/x"}), "/srv/x still belongs to it"),
        (Owned(incomplete="no time"), "no time"),
    ],
)
def test_otherwise_it_is_locked(owned: Owned | None, why: str) -> None:
    made = settled(tables(), {"ann": ANN})
    gone = settled(made.accounts, {}, after(made), owned=owned)
    assert gone.accounts.passwd.find("ann") == (
        "ann",
        "x",
        "1000",
        "1000",
        "Ann",
        "/home/ann",
        "/usr/sbin/nologin",
    )
    assert gone.accounts.shadow.find("ann") == ("ann", "!$y$ann", str(DAY), "0", "99999", "7", "", "1", "")
    assert gone.accounts.members("sudo") == ()
    assert gone.notes == (f"user 'ann' is locked, not deleted: {why}",)
    assert gone.kept_groups == ("ann",)
    quiet = settled(gone.accounts, {}, after(gone))
    assert quiet.notes == ()
    assert quiet.accounts == gone.accounts


def test_one_that_comes_back_is_as_it_was() -> None:
    made = settled(tables(), {"ann": ANN})
    gone = settled(made.accounts, {}, after(made), day=DAY + 1)
    back = settled(gone.accounts, {"ann": ANN}, after(gone), day=DAY + 2)
    assert back.accounts.render() == made.accounts.render()
    assert back.users["ann"] == made.users["ann"]


def test_what_the_person_set_comes_back_too_even_after_deletion() -> None:
    plain = User()
    made = settled(tables(), {"ann": plain})
    accounts = made.accounts  # passwd(1), chsh(1)
    accounts = replace(
        accounts,
        shadow=accounts.shadow.put(("ann", "$y$own", "20100", "0", "90", "7", "", "", "")),
        passwd=accounts.passwd.put(("ann", "x", "1000", "1000", "Ann", "/home/ann", "/bin/fish")),
    )
    same = settled(accounts, {"ann": plain}, after(made))
    assert same.accounts == accounts
    for owned in (None, NOTHING):
        gone = settled(accounts, {}, after(made), owned=owned)
        back = settled(gone.accounts, {"ann": plain}, after(gone))
        assert back.accounts.shadow.find("ann") == accounts.shadow.find("ann")
        assert back.accounts.passwd.find("ann") == accounts.passwd.find("ann")


def test_a_locked_account_is_deleted_when_it_is_looked_at_again() -> None:
    before = tables()
    made = settled(before, {"ann": ANN})
    locked = settled(made.accounts, {}, after(made))
    assert to_look_for(locked.accounts, after(locked), (), (), everything=False) == (frozenset(), frozenset())
    looked = to_look_for(locked.accounts, after(locked), (), (), everything=True)
    assert looked == (frozenset({1000}), frozenset({1000}))
    gone = settled(locked.accounts, {}, after(locked), owned=NOTHING)
    assert gone.accounts.render() == before.render()


def test_only_what_we_made_and_nobody_wants_is_looked_for() -> None:
    made = settled(
        tables(), {"ann": ANN, "daemon": User(shell="/bin/bash")}, groups={"team": Group(gid=2000)}
    )
    state = after(made)
    looked = to_look_for(made.accounts, state, ["ann"], ["team"], everything=False)
    assert looked == (frozenset(), frozenset())
    looked = to_look_for(made.accounts, state, [], [], everything=False)
    assert looked == (frozenset({1000}), frozenset({1000, 2000}))
    assert to_look_for(made.accounts, None, [], [], everything=True) == (frozenset(), frozenset())


def test_an_adopted_account_gets_back_what_it_had() -> None:
    own = "eve:x:1500:1500:Eve,,,:/srv/eve:/bin/sh\n"
    before = tables(
        passwd=own, group="eve:x:1500:\n", shadow="eve:$y$own:19000:0:99999:7:::\n", gshadow="eve:!::\n"
    )
    declared = User(
        comment="E",
        home="/home/ops",
        shell="/bin/zsh",
        group="sudo",
        groups=("shadow",),
        hashed_password="$y$new",
    )
    made = settled(before, {"eve": declared})
    assert made.accounts.passwd.find("eve") == ("eve", "x", "1500", "27", "E", "/home/ops", "/bin/zsh")
    assert made.accounts.subuid.lines == ()
    bare = settled(made.accounts, {"eve": User()}, after(made))
    assert bare.accounts.render() == before.render()
    gone = settled(made.accounts, {}, after(made), owned=Owned(incomplete="never for accounts of others"))
    assert gone.accounts.render() == before.render()
    assert gone.users == {}


def test_what_others_changed_meanwhile_stays() -> None:
    before = tables(passwd="eve:x:1500:27:Eve:/srv/eve:/bin/sh\n", shadow="eve:$y$own:19000:0:99999:7:::\n")
    made = settled(before, {"eve": User(groups=("sudo",), comment="E")})
    accounts = made.accounts.join("sudo", "daemon").join("shadow", "eve")
    accounts = replace(
        accounts,
        passwd=accounts.passwd.put(("eve", "x", "1500", "27", "E", "/srv/eve", "/bin/fish")),
        shadow=accounts.shadow.put(("eve", "$y$new", "20001", "0", "99999", "7", "", "", "")),
    )
    gone = settled(accounts, {}, after(made))
    assert gone.accounts.passwd.find("eve") == ("eve", "x", "1500", "27", "Eve", "/srv/eve", "/bin/fish")
    assert gone.accounts.shadow.find("eve") == accounts.shadow.find("eve")
    assert gone.accounts.members("sudo") == ("daemon",)
    assert gone.accounts.members("shadow") == ("eve",)


def test_a_member_that_was_there_is_never_dropped() -> None:
    """Dropping undeclared members of sudo once locked people out of their machines elsewhere."""
    before = tables(passwd="eve:x:1500:1500:Eve:/srv/eve:/bin/sh\n").join("sudo", "eve")
    made = settled(before, {"eve": User(), "ann": ANN})
    assert made.accounts.members("sudo") == ("eve", "ann")
    declared = settled(made.accounts, {"eve": User(groups=("sudo",))}, after(made), owned=NOTHING)
    assert declared.accounts.members("sudo") == ("eve",)
    gone = settled(declared.accounts, {}, after(declared), owned=NOTHING)
    assert gone.accounts.render() == before.render()


def test_a_namesake_inherits_no_group() -> None:
    made = settled(tables(), {"ann": User()})
    gone = settled(made.accounts.join("shadow", "ann"), {}, after(made), owned=NOTHING)
    assert gone.accounts.members("shadow") == ()
    listed = tables().join("shadow", "ann")
    made = settled(listed, {"ann": User()})
    gone = settled(made.accounts, {}, after(made), owned=NOTHING)
    assert gone.accounts.render() == listed.render()


def test_an_account_that_others_made_anew_under_the_name_is_theirs() -> None:
    made = settled(tables(), {"ann": ANN})
    accounts = replace(
        made.accounts, passwd=made.accounts.passwd.put(("ann", "x", "1700", "27", "", "/", "/bin/sh"))
    )
    gone = settled(accounts, {}, after(made), owned=NOTHING)
    assert gone.accounts.passwd.find("ann") == accounts.passwd.find("ann")
    assert gone.users["ann"].uid == 1000  # stays reserved


def test_groups_stay_while_something_belongs_to_them() -> None:
    before = tables()
    made = settled(before, groups={"team": Group(gid=2000)})
    owned = Owned(gids=frozenset({2000}))
    kept = settled(made.accounts, {}, after(made), owned=owned)
    assert kept.accounts == made.accounts
    assert kept.kept_groups == ("team",)
    joined = kept.accounts.join("team", "daemon")
    assert settled(joined, {}, after(kept), owned=NOTHING).accounts == joined
    assert settled(kept.accounts, {}, after(kept), owned=NOTHING).accounts.render() == before.render()


def test_running_processes_are_named() -> None:
    made = settled(tables(), {"ann": ANN})
    owned = Owned(uids={1000: "/srv/x"}, processes={1000: ("bash", "vi")})
    gone = settled(made.accounts, {}, after(made), owned=owned)
    assert gone.notes[-1] == "user 'ann' has running processes, which go on: bash, vi"


def test_no_file_is_made_that_the_system_does_without() -> None:
    texts = {"passwd": PASSWD, "group": GROUP, "shadow": SHADOW}
    before = Accounts.parse({f"/etc/{name}": text.encode() for name, text in texts.items()})
    made = settled(before, {"ann": ANN})
    assert made.accounts.render()["/etc/gshadow"] == b""
    assert made.accounts.render()["/etc/subuid"] == b""


def test_subordinate_ids_take_the_first_gap() -> None:
    taken = "a:100000:65536\nnonsense\nb:231072:10\nc:x:y\n"
    made = settled(tables(subuid=taken), {"ann": ANN, "app": User(system=True)})
    assert made.accounts.subuid.lines[-1] == "ann:165536:65536"
    assert [line for line in made.accounts.subgid.lines if line.startswith("app")] == []


NAMES = ("ann", "bob", "eve", "daemon", "sshd", "web")
GROUPS = ("sudo", "shadow", "team", "staff")
one_user = st.builds(
    User,
    group=st.sampled_from([None, None, "sudo", "team"]),
    groups=st.lists(st.sampled_from(GROUPS), max_size=2, unique=True).map(tuple),
    comment=st.sampled_from(["", "Somebody"]),
    home=st.sampled_from([None, "/srv/x"]),
    shell=st.sampled_from([None, "/bin/zsh"]),
    system=st.booleans(),
    hashed_password=st.sampled_from([None, "$y$a", "$y$b", "!"]),
)
some_users = st.dictionaries(st.sampled_from(NAMES), one_user, max_size=4)
some_groups = st.fixed_dictionaries(
    {name: st.builds(Group, system=st.booleans()) for name in ("team", "staff")}
)
some_lines = st.lists(
    st.sampled_from(["# kept", "", "+::::::", "broken:line", "eve:x:1500:27:Eve:/srv/eve:/bin/sh"]),
    max_size=3,
    unique=True,
)
texts_before = st.builds(
    lambda lines, listed, ends: {
        "/etc/passwd": (PASSWD + "\n".join(lines) + ("\n" if ends and lines else "")).encode(),
        "/etc/group": GROUP.replace("sudo:x:27:", f"sudo:x:27:{listed}").encode(),
        "/etc/shadow": SHADOW.encode(),
        "/etc/gshadow": GSHADOW.replace("sudo:*::", f"sudo:*::{listed}").encode(),
        "/etc/subuid": b"eve:100000:10\n",
        "/etc/subgid": b"",
    },
    some_lines,
    st.sampled_from(["", "eve", "ann,daemon", "x,,y"]),
    st.booleans(),
)


@at_most(60)
@given(texts_before, st.lists(st.tuples(some_users, some_groups), min_size=1, max_size=3))
def test_any_sequence_of_declarations_can_be_taken_back(
    texts: dict[str, bytes], sequence: list[tuple[dict[str, User], dict[str, Group]]]
) -> None:
    before = Accounts.parse(texts)
    state: State | None = None
    now = before
    for users, groups in sequence:
        declared = {*users, *(state.users if state else ())}
        made = settled(now, users, state, groups=groups, owned=NOTHING)
        again = settled(made.accounts, users, after(made), groups=groups, owned=NOTHING)
        assert again.accounts == made.accounts
        assert after(again) == after(made)
        untouched = [line for line in now.passwd.lines if line.split(":")[0] not in declared]
        assert [line for line in made.accounts.passwd.lines if line in untouched] == untouched
        now, state = made.accounts, after(made)
    gone = settled(now, {}, state, owned=NOTHING)
    assert gone.accounts.render() == texts
