"""From facts, state and manifest to an ordered list of actions. Pure: it looks at nothing and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from holdfast.base.digests import Digest, digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.host import state as places
from holdfast.host.accounts.ids import Ids
from holdfast.host.files.actions import Action, inverse, put
from holdfast.host.files.nodes import Absent, File, Node
from holdfast.host.planning.decisions import Planning
from holdfast.host.planning.facts import Facts, Recording
from holdfast.host.planning.wishes import make_no_wishes, make_wishes
from holdfast.host.state import State, write_state
from holdfast.host.steps import DecryptSecret
from holdfast.manifest.model import Manifest


@dataclass(frozen=True)
class Plan:
    actions: tuple[Action, ...]
    record: tuple[Action, ...]
    """What comes last, when all else is done and well: the generation's manifest, the link to it, and the state."""
    contents: Mapping[Digest, bytes]
    """Content that the actions name and that is neither a blob nor kept."""
    state: State
    """What is recorded when all is done."""
    secrets: tuple[DecryptSecret, ...] = ()
    """Steps around the actions, each with its ``when``."""
    notes: tuple[str, ...] = ()
    state_before: Node = field(default_factory=Absent)
    """The state file as it was found."""
    state_path: str = places.STATE
    """Where it really is."""

    def marked(self, transaction: str) -> Plan:
        """The same plan, whose state names the run that leaves it: so that a state is recorded even when it says nothing new."""
        state = replace(self.state, transaction=transaction)
        data = write_state(state)
        node = File(digest_bytes(data), "0600")
        last = put(self.state_path, node, self.state_before, "record the generation")
        return replace(
            self,
            record=(*(action for action in self.record if action.path != self.state_path), last),
            contents={**self.contents, node.digest: data},
            state=state,
        )

    def inverse(self) -> Plan:
        """The plan that takes everything back. ``state`` is meaningless in it: the old state file is put back."""
        actions = (*self.actions, *self.record)
        return replace(self, actions=tuple(inverse(action) for action in reversed(actions)), record=())


def make_plan(
    facts: Facts,
    state: State | None,
    manifest: Manifest | None,
    *,
    ids: Ids,
    epoch: int,
    recording: Recording | None = None,
    provisional: bool = False,
) -> Plan:
    """What must be done so that ``manifest`` is true, or so that everything is given back; nothing when it is so.

    ``provisional``: packages will still bring users, units and programs, so what is impossible now is only noted.

    Raises:
        HoldfastError: something is in the way or contradicts itself; names every such thing.
    """
    if manifest is None:
        wishes = make_no_wishes(facts.basics, state, epoch=epoch)
    else:
        live = recording is not None
        wishes = make_wishes(manifest, facts.basics, state, ids=ids, epoch=epoch, live=live)
    work = Planning(facts, state, wishes, manifest, recording)
    work.removals()
    work.tmpfiles()
    work.edits()
    work.creations()
    if manifest is not None and state is not None and manifest.state_version < state.state_version:
        work.problems.append(
            f"its services' data are of state_version {state.state_version} on this machine, and the definition is for"
            f" {manifest.state_version}, which may not understand them"
        )
    problems = list(dict.fromkeys([*wishes.problems, *work.problems]))
    if problems and not provisional:
        _refuse(manifest, problems)
    done = tuple(work.actions)
    new = work.record()
    found = facts.located[places.STATE]
    notes = (*wishes.settled.notes, *(f"unless packages change that: {problem}" for problem in problems))
    record = tuple(work.actions[len(done) :])
    return Plan(done, record, work.contents, new, tuple(work.secrets), notes, found.node, found.real)


def _refuse(manifest: Manifest | None, problems: list[str]) -> None:
    what = (
        f"the system {manifest.name!r} cannot be made as it is defined"
        if manifest
        else "not everything can be given back"
    )
    raise HoldfastError(
        what + (f": {problems[0]}" if len(problems) == 1 else f": {len(problems)} problems"),
        details="" if len(problems) == 1 else "\n".join(f"- {problem}" for problem in problems),
        resolution="Change the definition, then run the command again." if manifest else "",
    )
