"""Asking the engine on a machine: a verb in, a result out, its events told here as they come."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from holdfast.base.codec import JSON
from holdfast.base.errors import HoldfastError
from holdfast.base.event_lines import read_event
from holdfast.base.events import Event
from holdfast.base.records import dataclass
from holdfast.deploy.results import UnreachableError
from holdfast.deploy.transport import Ran, Transport, read_all, run_script
from holdfast.engine.archive import Engine
from holdfast.engine.exits import Exit
from holdfast.engine.launch import ENGINE_HOME, install_script

_GOOD = frozenset({Exit.DONE, Exit.PENDING})
_FAILURES = frozenset(Exit) - _GOOD - {Exit.NO_ENGINE, Exit.NO_PYTHON}
_KEPT_LINES = 1000
_TRIES = 100
OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class Answer:
    """What a verb came to."""

    code: int
    result: JSON
    lines: tuple[str, ...]


class Listening:
    """Sorts the engine's stderr: events, the failure at the end, and whatever else is printed on the way."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self.failed: dict[str, JSON] | None = None
        self.others: deque[str] = deque(maxlen=_KEPT_LINES)

    def __call__(self, line: bytes) -> None:
        event = read_event(line)
        if event is not None:
            self._on_event(event)
            return
        fields = _object(line)
        if fields is not None and fields.get("event") == "failed":
            self.failed = fields
        elif fields is None:
            self.others.append(line.decode(errors="replace"))

    def demand(self, code: int, what: str) -> None:
        """Raises:
        HoldfastError: the engine failed; with its own words and exit code.
        """
        if self.failed is not None:
            raise error_of(self.failed)
        if code == Exit.NO_ENGINE:
            raise HoldfastError(
                f"{what} is gone, though it was there a moment ago",
                resolution="Somebody else works there with another version of Holdfast: run the command again.",
            )
        if code not in _GOOD:
            error = plain_failure(what, code, tuple(self.others))
            error.resolution = error.resolution or "`holdfast status` says how the machine is."
            raise error


def call(
    transport: Transport, script: str, arguments: Sequence[str], on_event: OnEvent, *, colour: bool = False
) -> Answer:
    """Run a verb with the engine that ``script`` starts, and wait for what it comes to.

    Raises:
        UnreachableError: the machine cannot be reached, or not any more.
        HoldfastError: the engine failed; exit code and words are its own.
    """
    listening = Listening(on_event)
    words = [*arguments, "--json", "--text", "coloured" if colour else "plain"]
    with transport.start(script, words, on_error_line=listening) as talk:
        stdout = read_all(talk, transport.name)
        code = talk.finish()
    transport.judge(Ran(code, stdout, tuple(listening.others)))
    listening.demand(code, f"the engine on {transport.name}")
    document = last_object(stdout, "result")
    lines = document.get("lines") if document is not None else None
    if document is None or not isinstance(lines, list):
        raise HoldfastError(
            f"the engine on {transport.name} did not say what came of it",
            details="\n".join(listening.others),
            resolution="Look there: `holdfast status`.",
        )
    return Answer(code, document["result"], tuple(map(str, lines)))


def install(transport: Transport, engine: Engine) -> int:
    """Bring the engine there; returns the bytes that were sent.

    Raises:
        UnreachableError: the machine cannot be reached, or has no Python.
        HoldfastError: it could not be installed.
    """
    ran = run_script(transport, install_script(engine.hex), stdin=engine.path.read_bytes())
    if ran.code != 0:
        listening = Listening(lambda _event: None)  # an engine that came to run tells of its failure as ever
        for line in ran.errors:
            listening(line.encode())
        if listening.failed is not None:
            raise error_of(listening.failed)
        error = plain_failure(f"installing the engine on {transport.name}", ran.code, tuple(listening.others))
        error.resolution = error.resolution or f"It goes below {ENGINE_HOME}: look at that file system there."
        raise error
    return engine.size


def plain_failure(what: str, code: int, said: Sequence[str]) -> HoldfastError:
    """A failure that was told as text: ``error:`` and ``next:`` lines are taken apart (pure)."""
    brief, resolution, details = "", "", list[str]()
    for line in said:
        if line.startswith("error: ") and not brief:
            brief = line.removeprefix("error: ")
        elif line.startswith("next: "):
            resolution = line.removeprefix("next: ")
        elif line.strip():
            details.append(line)
    error_class = UnreachableError if code == Exit.NO_PYTHON else HoldfastError
    error = error_class(
        brief or f"{what} failed with exit code {code}",
        details="\n".join(details),
        resolution=resolution,
    )
    if error_class is HoldfastError and code in _FAILURES:
        error.exit_code = code
    return error


def error_of(fields: dict[str, JSON]) -> HoldfastError:
    """The engine's error, as it travels."""
    error = HoldfastError(
        str(fields.get("brief") or "the engine over there failed and does not say why"),
        details=str(fields.get("details", "")),
        resolution=str(fields.get("resolution", "")),
    )
    code = fields.get("exit_code")
    error.exit_code = code if isinstance(code, int) and code in _FAILURES else Exit.ERROR
    return error


def last_object(said: bytes, *names: str) -> dict[str, JSON] | None:
    """The object with any of these names at the end of ``said``, behind what start-up files of the shell over there may have
    printed (pure).
    """
    start = said.find(b"{")
    for _ in range(_TRIES):
        if start < 0:
            break
        found = _object(said[start:])
        if found is not None and not found.keys().isdisjoint(names):
            return found
        start = said.find(b"{", start + 1)
    return None


def _object(data: bytes) -> dict[str, JSON] | None:
    try:
        found: object = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, JSON]", found) if isinstance(found, dict) else None


def _refuse(constant: str) -> None:
    """Python's parser takes NaN and Infinity, which no other does: they would get into our own documents."""
    raise ValueError(constant)
