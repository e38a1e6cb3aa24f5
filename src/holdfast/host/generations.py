"""The generations that a machine has: what each was wanted to be, which is current, which waits for the next boot."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from holdfast.base.atomic import sync_directory, write_atomically
from holdfast.base.codec import DecodeError
from holdfast.base.digests import Digest, digest_bytes
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import message
from holdfast.base.records import dataclass
from holdfast.host.change import Wanted, read_wanted
from holdfast.host.state import State, current_generation
from holdfast.manifest.document import manifest_digest, write_manifest

_PENDING = "pending"


@dataclass(frozen=True)
class Generation:
    """One of a machine's generations."""

    number: int
    manifest: Digest
    name: str
    """Of the system, as its definition calls it."""
    current: bool = False
    pending: bool = False
    """It becomes current at the next boot."""
    artifact: Digest | None = None
    recorded: int = 0
    """When, in seconds since 1970; of one that came with an image, the time that its build was given."""


class Generations:
    """Those kept in Holdfast's directory, which need not be there."""

    def __init__(self, home: Path, state: State | None) -> None:
        self._path = home / "generations"
        self._pending_path = home / _PENDING
        self._current = current_generation(state)
        self._last = state.generation if state else 0
        self._state = state

    def numbers(self) -> tuple[int, ...]:
        """In order. One without a manifest was never completed, and does not count."""
        try:
            names = [path.name for path in self._path.iterdir()]
        except FileNotFoundError:
            return ()
        return tuple(
            sorted(
                int(name)
                for name in names
                if name.isdigit() and (self._path / name / "manifest.json").exists()
            )
        )

    def number_for(self, wanted: Wanted) -> int:
        """The number that a switch to ``wanted`` gives: a new one, unless it is what there is."""
        if self._state is not None and self._state.manifest == manifest_digest(wanted.manifest):
            return self._state.generation
        return max((self._last, *self.numbers())) + 1

    def previous(self) -> int:
        """The one before the current one; after everything was given back, the last one.

        Raises:
            HoldfastError: there is none.
        """
        below = [number for number in self.numbers() if self._current is None or number < self._current]
        if not below:
            raise HoldfastError(
                "there is no generation to go back to"
                if self._current is not None
                else "there is no generation yet: nothing was ever activated here",
                resolution="`holdfast generations list` shows those that are there; `holdfast deactivate` gives the machine back as it was found."
                if self._current is not None
                else "Run `holdfast switch` first.",
            )
        return below[-1]

    def read(self, number: int) -> Wanted:
        """What a generation was wanted to be.

        Raises:
            HoldfastError: there is no such generation, or it is damaged.
        """
        directory = self._path / str(number)
        with explain_os_errors(f"read generation {number}"):
            try:
                manifest = (directory / "manifest.json").read_bytes()
            except FileNotFoundError:
                raise HoldfastError(
                    f"there is no generation {number}", resolution=self._there_are()
                ) from None
            origin = None
            with suppress(FileNotFoundError):
                origin = (directory / "wanted.json").read_bytes()
        try:
            return read_wanted(manifest, origin, what=str(directory))
        except DecodeError as error:
            raise DecodeError(
                f"generation {number} is damaged: {error.brief}",
                resolution=f"Switch to what is wanted, which makes a new one; then `holdfast generations delete {number}` forgets this one.",
            ) from None

    def _readable(self) -> Iterator[tuple[int, Wanted]]:
        """All in order but for damaged ones, of which people are told."""
        for number in self.numbers():
            try:
                yield number, self.read(number)
            except DecodeError as error:
                message(error.brief, level="warning")

    def list(self) -> tuple[Generation, ...]:
        """All of them, in order, without those that are damaged.

        Raises:
            HoldfastError: one cannot be read.
        """
        found: list[Generation] = []
        pending = self.pending()
        for number, wanted in self._readable():
            found.append(
                Generation(
                    number,
                    manifest_digest(wanted.manifest),
                    wanted.manifest.name,
                    current=number == self._current,
                    pending=number == pending,
                    artifact=wanted.artifact,
                    recorded=int((self._path / str(number) / "manifest.json").stat().st_mtime),
                )
            )
        return tuple(found)

    def register(self, wanted: Wanted) -> int:
        """Keep a generation without making it current; one that is there already is found. Returns its number.

        Raises:
            HoldfastError: it cannot be written.
        """
        data = write_manifest(wanted.manifest)
        digest = digest_bytes(data)
        same = [number for number, known in self._readable() if manifest_digest(known.manifest) == digest]
        number = same[-1] if same else self.number_for(wanted)
        directory = self._path / str(number)
        with explain_os_errors(f"write generation {number}"):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_atomically(directory / "wanted.json", wanted.origin(), mode=0o600)
            write_atomically(directory / "manifest.json", data, mode=0o600)
            sync_directory(self._path)
        return number

    def demand_deletable(self, number: int) -> None:
        """Raises:
        HoldfastError: the generation is not there, current, or waits for the next boot.
        """
        if number not in self.numbers():
            raise HoldfastError(f"there is no generation {number}", resolution=self._there_are())
        if number == self._current:
            raise HoldfastError(
                f"generation {number} is the current one",
                resolution="Roll back or switch to another one first.",
            )
        if number == self.pending():
            raise HoldfastError(
                f"generation {number} waits for the next boot",
                resolution="Choose another one with `holdfast boot` first.",
            )

    def delete(self, number: int) -> None:
        """Forget a generation.

        Raises:
            HoldfastError: it is not there, current, or waits for the next boot.
        """
        self.demand_deletable(number)
        directory = self._path / str(number)
        with explain_os_errors(f"delete generation {number}"):
            (directory / "manifest.json").unlink()  # from here on it does not count
            shutil.rmtree(directory)

    def prune(self, keep: int) -> tuple[int, ...]:
        """Forget all but the newest ``keep``; the current one and the one that waits for the next boot stay in any case.

        Returns the numbers of those that went.

        Raises:
            HoldfastError: one cannot be removed.
        """
        going = self.prunable(keep)
        for number in going:
            self.delete(number)
        return going

    def prunable(self, keep: int) -> tuple[int, ...]:
        """Numbers of those that :meth:`prune` would forget."""
        if keep < 0:
            raise HoldfastError(f"{keep} generations cannot be kept", resolution="Give 0 or more.")
        numbers = self.numbers()
        return tuple(
            number
            for number in numbers[: max(0, len(numbers) - keep)]
            if number not in (self._current, self.pending())
        )

    def pending(self) -> int | None:
        """The generation that waits for the next boot.

        Raises:
            HoldfastError: the note of it is damaged.
        """
        try:
            text = self._pending_path.read_text().strip()
        except FileNotFoundError:
            return None
        if not text.isdigit():
            raise HoldfastError(
                f"{self._pending_path} is damaged: {text[:40]!r}",
                resolution="Remove it, or choose a generation anew with `holdfast boot`.",
            )
        return int(text)

    def set_pending(self, number: int | None) -> None:
        """Note which generation becomes current at the next boot; None: none.

        Raises:
            HoldfastError: it cannot be written.
        """
        with explain_os_errors("note the generation for the next boot"):
            if number is None:
                self._pending_path.unlink(missing_ok=True)
            else:
                write_atomically(self._pending_path, f"{number}\n".encode(), mode=0o600)

    def _there_are(self) -> str:
        numbers = ", ".join(map(str, self.numbers()))
        return f"There are: {numbers}." if numbers else "There is none yet: run `holdfast switch` first."
