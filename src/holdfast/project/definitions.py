"""Running a project's ``systems.py`` and telling its author what is wrong with it. Called in the isolated child."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, cast

from holdfast.base.errors import HoldfastError

if TYPE_CHECKING:
    from traceback import FrameSummary

    from holdfast.library import System

_OUR_PACKAGE = str(Path(__file__).resolve().parents[1])
_PYTHON = str(Path(os.__file__).parent)
_MODULE_NAME = "systems"


def load_systems(file: Path) -> tuple[System, ...]:
    """Run ``file`` as a module and return its list ``systems``.

    Raises:
        HoldfastError: the file does not compile or raises, or its list is missing or malformed. Names file and line.
    """
    namespace = _execute(file)
    if "systems" not in namespace:
        raise HoldfastError(
            f"{file.name} does not define `systems`",
            details=f"The file is {file}",
            resolution='End it with: systems = [System("web", modules=[web], distro=Debian("trixie"))]',
        )
    return check_systems(namespace["systems"], file)


@contextmanager
def project_directory(directory: Path) -> Generator[None]:
    """Make ``directory`` current and importable, so that user code means the same wherever the command was typed.

    Nothing is written into it: no compiled modules either.
    """
    before, writing = Path.cwd(), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    os.chdir(directory)
    sys.path.insert(0, str(directory))
    try:
        yield
    finally:
        sys.path.remove(str(directory))
        os.chdir(before)
        sys.dont_write_bytecode = writing


def check_systems(value: object, file: Path) -> tuple[System, ...]:
    """``value`` as a tuple of systems with different names.

    Raises:
        HoldfastError: it is something else.
    """
    from holdfast.library import System  # late: the parent never needs the library

    if not isinstance(value, (list, tuple)):
        raise HoldfastError(
            f"`systems` in {file.name} must be a list of System, not {type(value).__name__}",
            resolution="Write: systems = [System(...), ...]",
        )
    items = cast("list[object] | tuple[object, ...]", value)
    names: set[str] = set()
    systems: list[System] = []
    for index, item in enumerate(items):
        if not isinstance(item, System):
            raise HoldfastError(
                f"systems[{index}] in {file.name} is {type(item).__name__} {item!r:.60}, not a System",
                resolution="A module (a function) belongs into a System: System(NAME, modules=[...], distro=...)",
            )
        if item.name in names:
            raise HoldfastError(
                f"{file.name} defines the system {item.name!r} twice",
                resolution="Give each system in the list `systems` a name of its own.",
            )
        names.add(item.name)
        systems.append(item)
    return tuple(systems)


def _execute(file: Path) -> dict[str, object]:
    try:
        source = file.read_bytes()
    except OSError as error:
        raise HoldfastError(f"cannot read {file}: {error.strerror}") from None
    module = ModuleType(_MODULE_NAME)
    module.__file__ = str(file)
    sys.modules[_MODULE_NAME] = module
    try:
        code = compile(source, str(file), "exec", dont_inherit=True)
        exec(code, module.__dict__)
    except HoldfastError as error:
        raise _with_place(error) from error
    except Exception as error:
        raise explain_exception(error) from error
    except SystemExit as error:
        raise HoldfastError(
            f"{file.name} called exit ({error.code!r})",
            resolution="A definition describes systems; it does not exit.",
        ) from None
    return module.__dict__


def explain_exception(error: Exception) -> HoldfastError:
    """What user code raised, as an error whose details show the user's own frames alone."""
    import traceback  # late: nobody pays for it whose definition is right

    if isinstance(error, SyntaxError):
        return _explain_syntax_error(error)
    frames = _user_frames(error.__traceback__)
    place = _place(frames)
    if not place:
        return _explain_defect(error)
    brief = f"{place}{type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        return HoldfastError(
            brief,
            details="".join(traceback.format_list(frames)).rstrip(),
            resolution=f"Put {error.name.partition('.')[0]}.py beside systems.py, or correct the import.",
        )
    return HoldfastError(
        brief,
        details="".join(traceback.format_list(frames)).rstrip(),
        resolution="Correct the definition; `--in-process` runs it in this process, for a debugger.",
    )


def _with_place(error: HoldfastError) -> HoldfastError:
    """The same error, with the author's line in front unless it names one: what ``System(...)`` refuses, say."""
    place = _place(_user_frames(error.__traceback__))
    brief = error.brief if re.match(r"\S+:\d+: ", error.brief) else f"{place}{error.brief}"
    return HoldfastError(brief, details=error.details, resolution=error.resolution)


def _explain_defect(error: Exception) -> HoldfastError:
    """No line of the author's took part: the fault is ours."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    return HoldfastError(
        f"holdfast itself failed while it evaluated: {type(error).__name__}: {error}",
        details="".join(traceback.format_list(frames[-4:])).rstrip(),
        resolution="This is a defect of holdfast, not of your definition: please report it with the lines above.",
    )


def _place(frames: list[FrameSummary]) -> str:
    """Where the author's own code was last; what it called in Python's library is evidence, not the place to look."""
    own = [
        frame
        for frame in frames
        if not frame.filename.startswith(_PYTHON) and "-packages/" not in frame.filename
    ]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}: " if own else ""


def _explain_syntax_error(error: SyntaxError) -> HoldfastError:
    line = (error.text or "").rstrip("\n").expandtabs(1)
    caret = ""
    if line and error.offset:
        width = 1
        if error.end_offset and error.end_lineno == error.lineno:
            width = max(1, error.end_offset - error.offset)
        caret = "\n    " + " " * (error.offset - 1) + "^" * min(width, max(1, len(line) - error.offset + 1))
    return HoldfastError(
        f"{Path(error.filename or '').name}:{error.lineno}: {type(error).__name__}: {error.msg}",
        details=f'File "{error.filename}", line {error.lineno}\n' + (f"    {line}{caret}" if line else ""),
        resolution="Correct that line, then run the command again.",
    )


def _user_frames(trace: TracebackType | None) -> list[FrameSummary]:
    import traceback

    return [
        frame
        for frame in traceback.extract_tb(trace)
        if not frame.filename.startswith((_OUR_PACKAGE, "<frozen ", "<string>"))
    ]
