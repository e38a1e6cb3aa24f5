"""What is wrong with a system as a whole, collected so that all of it is told at once, each with its place."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from holdfast.base.errors import HoldfastError
from holdfast.options import Config, format_path, parse_path
from holdfast.options.definition import OPTION_DEFAULT

Path = tuple[str, ...]


def sentence(text: str) -> str:
    """The text as a sentence."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


class Problems:
    """Collects the problems of one system."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._found: list[tuple[str, Path]] = []

    def add(self, message: str, *path: str) -> None:
        """``message`` is one or more sentences; ``path`` is the option or entry at fault."""
        self._found.append((message, path))

    @contextmanager
    def at(self, *path: str) -> Generator[None]:
        """A ValueError of the body becomes a problem at this path."""
        try:
            yield
        except ValueError as error:
            self.add(sentence(str(error)), *path)

    def raise_any(self, what: str) -> None:
        """Raises HoldfastError when there is any; ``what`` begins the sentence "... has 2 problems"."""
        if not self._found:
            return
        told = [f"{format_path(path)}: {message}{self._places(path)}" for message, path in self._found]
        count = f"{len(told)} problems" if len(told) > 1 else "a problem"
        raise HoldfastError(f"{what} has {count}", details="\n".join(told))

    def _places(self, path: Path) -> str:
        """The definitions of the option; of an entry or set, the first definition below it."""
        places = self._defined_at(path)
        return "".join(f"\n    at {place}" for place in dict.fromkeys(places))

    def _defined_at(self, path: Path) -> list[str]:
        try:
            found = self._config.explain(path)
        except HoldfastError:
            return []
        places = [
            str(one.place)
            for one in found.definitions
            if one.outcome == "won" and one.priority < OPTION_DEFAULT
        ]
        for entry in () if places else found.entries:
            places = self._defined_at(parse_path(entry))[:1]
            if places:
                break
        return places
