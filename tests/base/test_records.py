from __future__ import annotations

import copy
import dataclasses
import pickle
import sys
import threading
from dataclasses import FrozenInstanceError, field, fields, is_dataclass, replace

import pytest

from holdfast.base.process import run
from holdfast.base.records import dataclass


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0
    tags: tuple[str, ...] = field(default_factory=tuple)

    @property
    def sum(self) -> int:
        return self.x + self.y


@dataclass(frozen=True)
class Named(Point):
    """Has a name."""

    name: str = "n"

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("no name")


@dataclass
class Counter:
    count: int = 0


@dataclass(frozen=True, order=True)
class Version:
    number: int


def test_classes_are_what_the_standard_decorator_makes() -> None:
    point = Point(1, y=2)
    assert (point, point.sum, hash(point)) == (Point(1, 2), 3, hash(Point(1, 2)))
    assert repr(point) == "Point(x=1, y=2, tags=())"
    assert replace(point, x=5) == Point(5, 2)
    assert copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point
    with pytest.raises(FrozenInstanceError):
        point.x = 2  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)
    assert sorted([Version(2), Version(1)])[0] == Version(1)


def test_subclasses_may_come_first() -> None:
    named = Named(1, name="x")
    assert named == Named(1, 0, (), "x")
    assert named != Point(1)
    with pytest.raises(ValueError, match="no name"):
        Named(1, name="")
    assert Named.__doc__ == "Has a name."

    @dataclass(frozen=True)
    class Base:
        a: int

    class Plain(Base):
        pass

    assert Plain(3).a == 3


def test_what_asks_for_a_class_finds_it_complete() -> None:
    @dataclass(frozen=True)
    class Asked:
        a: int
        b: int = field(default=3, compare=False)

    @dataclass(frozen=True)
    class Matched:
        a: int
        b: str

    @dataclass(frozen=True, kw_only=True)
    class Nameable:
        a: int

    assert is_dataclass(Asked)
    assert [one.name for one in fields(Asked)] == ["a", "b"]
    assert Asked(1, 2) == Asked(1, 9)
    match Matched(1, "x"):
        case Matched(number, text):
            assert (number, text) == (1, "x")
    assert dataclasses.asdict(Nameable(a=1)) == {"a": 1}


def test_many_threads_may_make_the_first_instance() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):

            @dataclass(frozen=True)
            class Fresh:
                a: int
                b: str = "b"

            made: list[object] = []
            start = threading.Barrier(4)

            def make(cls: type[Fresh] = Fresh, start: threading.Barrier = start) -> None:
                start.wait()
                made.append(cls(1, b="c"))  # noqa: B023  (threads end within the round)

            threads = [threading.Thread(target=make) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert made == [Fresh(1, "c")] * 4
    finally:
        sys.setswitchinterval(interval)


def test_nothing_is_compiled_before_it_is_needed() -> None:
    script = (
        "import dataclasses; made = []; real = dataclasses._process_class\n"
        "def note(cls, *rest, **more): made.append(cls.__name__); return real(cls, *rest, **more)\n"
        "dataclasses._process_class = note\n"
        "import holdfast.manifest.model; print(made)"
    )
    assert run([sys.executable, "-c", script]).text == "[]\n"
