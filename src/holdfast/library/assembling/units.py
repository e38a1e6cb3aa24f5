"""From the options of units to the manifest's units: text, drop-ins, links and what a change does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Literal, Union, cast

from holdfast.library.assembling.problems import Problems
from holdfast.library.paths import check_path
from holdfast.library.rendering.command_lines import quote_word, render_command
from holdfast.library.rendering.unit_names import check_unit_name, escape_path, unit_name
from holdfast.library.rendering.units import (
    Value,
    credential_line,
    encrypted_credential_line,
    environment_line,
    merge_sections,
    plain_text,
    render_unit,
)
from holdfast.library.systemd import Systemd, Units
from holdfast.library.systemd_kinds import Automount, Mount, PlainUnit, Swap, Timer
from holdfast.library.systemd_service import Service
from holdfast.library.systemd_unit import Unit
from holdfast.manifest import model
from holdfast.options.declare import Option

DROPIN = "50-holdfast.conf"
_DROPIN = r"[A-Za-z0-9_][A-Za-z0-9@:_.-]*"
SCRIPTS = "/etc/holdfast/scripts"
USER_SCRIPTS = "/etc/holdfast/user-scripts"

Settings = list[tuple[str, Value]]

# Options that are no settings of the unit file.
_NOT_TEXT = frozenset(
    [
        "name",
        "enable",
        "from_package",
        "wanted_by",
        "required_by",
        "upheld_by",
        "aliases",
        "dropins",
        "section",
        "restart_if_changed",
        "reload_if_changed",
        "stop_if_changed",
        "stop_on_removal",
        "restart_triggers",
        "reload_triggers",
        "script",
        "start_at",
        "text",
    ]
)
# Lists of which each item is a line of its own; the others are words on one line.
_LINES = frozenset(
    [
        "condition_path_exists",
        "on_calendar",
        "listen_stream",
        "listen_datagram",
        "listen_sequential_packet",
        "listen_fifo",
        "path_exists",
        "path_exists_glob",
        "path_changed",
        "path_modified",
        "directory_not_empty",
        "environment_files",
        "load_credential",
        "load_credential_encrypted",
        "import_credential",
    ]
)
_COMMANDS = frozenset(
    ["exec_condition", "exec_start_pre", "exec_start_post", "exec_reload", "exec_stop", "exec_stop_post"]
)
_MAPPINGS = {
    "set_credential": credential_line,
    "set_credential_encrypted": encrypted_credential_line,
}
_SPELLING = {
    "bind_ipv6_only": "BindIPv6Only",
    "environment_files": "EnvironmentFile",
    "fs_type": "Type",
    "listen_fifo": "ListenFIFO",
    "pid_file": "PIDFile",
    "umask": "UMask",
}
_UPPER = {"cpu": "CPU", "io": "IO", "oom": "OOM", "suid": "SUID", "sgid": "SGID"}


@cache
def directive(option: str) -> str:
    """systemd's name of a typed option: ``cpu_quota`` is ``CPUQuota``."""
    if option in _SPELLING:
        return _SPELLING[option]
    if option.startswith("limit_"):
        return "Limit" + option[6:].upper()
    return "".join(_UPPER.get(part) or part.capitalize() for part in option.split("_"))


@cache
def own_options(cls: type[Unit]) -> tuple[str, ...]:
    """Names of the typed settings a kind of unit declares itself, in their order."""
    return tuple(name for name, one in vars(cls).items() if type(one) is Option and name not in _NOT_TEXT)


def settings_of(unit: Unit, names: Iterable[str], *, reset: bool) -> Settings:
    """The typed options that have a value, as lines. ``reset`` empties packaged lists of commands and the like first."""
    settings: Settings = []
    for name in names:
        # The names are those of the class's own options (own_options), so each is there; its value is told apart below.
        value = cast("Union[Value, Mapping[str, str], tuple[Sequence[str], ...], None]", getattr(unit, name))
        if value is None or value == () or (isinstance(value, Mapping) and not value):
            continue
        settings.append((directive(name), _value(name, value, reset)))
    return settings


def _value(name: str, value: Value | Mapping[str, str] | tuple[Sequence[str], ...], reset: bool) -> Value:
    if isinstance(value, Mapping):
        render = _MAPPINGS.get(name, environment_line)
        return [render(key, value[key]) for key in value]
    if isinstance(value, (bool, int)):
        return value
    first = [""] if reset else []
    if name == "exec_start":
        line = render_command(cast("Sequence[str]", value))
        return ["", line] if reset else line
    if name in _COMMANDS:
        return [*first, *(render_command(command) for command in cast("tuple[Sequence[str], ...]", value))]
    if isinstance(value, str):
        return plain_text(value) if name == "description" else value
    words = cast("Sequence[str]", value)
    if name in _LINES:
        return [*(first if name.startswith(("on_calendar", "listen_")) else []), *words]
    if name == "options":
        return ",".join(words)
    return " ".join(map(quote_word, words))


class Assembly:
    """Turns all units of one manager, the system's or the users', into the manifest's; scripts of services become further files."""

    def __init__(self, config: Units, problems: Problems) -> None:
        self.config = config
        self.problems = problems
        self.units: dict[str, model.Unit] = {}
        self.paths: dict[str, tuple[str, ...]] = {}
        """Where each is defined."""
        self.scripts: dict[str, model.Entry] = {}
        self._calendars: dict[str, tuple[str, ...]] = {}
        of_system = isinstance(config, Systemd)
        self._at = ("systemd",) if of_system else ("systemd", "user")
        self._script_directory = SCRIPTS if of_system else USER_SCRIPTS

    def run(self) -> None:
        config = self.config
        for key, service in config.services.items():
            self._service(key, service)
        for key, timer in config.timers.items():
            self._timer(key, timer)
        for key in sorted(set(self._calendars) - set(config.timers)):
            path = (*self._at, "services", key, "start_at")
            with self.problems.at(*path):
                text = render_unit([("Timer", [("OnCalendar", self._calendars[key])])])
                self._add(f"{key}.timer", model.Unit(text=text, wanted_by=("timers.target",)), *path)
        kinds: tuple[tuple[str, str, Mapping[str, Unit]], ...] = (
            ("sockets", "socket", config.sockets),
            ("paths", "path", config.paths),
            ("targets", "target", config.targets),
            ("slices", "slice", config.slices),
        )
        for field, suffix, units in kinds:
            for key, unit in units.items():
                self._named(field, suffix, key, unit)
        if isinstance(config, Systemd):
            self._at_paths(config)
        for key, plain in config.units.items():
            self._plain(key, plain)
        self._mask()
        self._check_timers()

    def _at_paths(self, config: Systemd) -> None:
        by_path: tuple[tuple[str, str, Mapping[str, Mount | Automount | Swap]], ...] = (
            ("mounts", "mount", config.mounts),
            ("automounts", "automount", config.automounts),
            ("swaps", "swap", config.swaps),
        )
        for field, suffix, at_paths in by_path:
            for key, at_path in at_paths.items():
                self._at_path(field, suffix, key, at_path)

    def _service(self, key: str, service: Service) -> None:
        triggers: tuple[str, ...] = ()
        extra: Settings = []
        if service.script.strip():
            path = f"{self._script_directory}/{key}"
            self.scripts[path] = model.TextFile("#!/bin/sh -e\n" + service.script, mode="0755")
            triggers = (path,)
            with self.problems.at(*self._at, "services", key, "script"):
                extra = [("ExecStart", render_command([path]))]
            if service.exec_start is not None:
                self.problems.add(
                    "It has both exec_start and script; keep one.", *self._at, "services", key, "script"
                )
        wants_start = not service.from_package and service.enable is not False
        has_start = service.exec_start is not None or service.script.strip()
        if wants_start and not has_start and not self._starts_by_section(service):
            self.problems.add(
                f"The service has no exec_start. Set it; or set `from_package = True` if a package ships {key}.service.",
                *self._at, "services", key,
            )  # fmt: skip
        if service.start_at and service.enable is not False:
            self._calendars[key] = service.start_at
        self._named("services", "service", key, service, extra=extra, triggers=triggers)

    def _starts_by_section(self, service: Service) -> bool:
        section = service.section.get("Service")
        return service.type == "oneshot" or (section is not None and "ExecStart" in section)

    def _timer(self, key: str, timer: Timer) -> None:
        calendars = self._calendars.get(key, ())
        extra: Settings = [("OnCalendar", calendars)] if calendars else []
        self._named("timers", "timer", key, timer, extra=extra)

    def _at_path(self, field: str, suffix: str, key: str, unit: Mount | Automount | Swap) -> None:
        where = "What" if isinstance(unit, Swap) else "Where"
        with self.problems.at(*self._at, field, key):
            check_path(key)
            self._named(field, suffix, escape_path(key), unit, extra=[(where, plain_text(key))], key=key)

    def _named(
        self,
        field: str,
        suffix: str,
        name: str,
        unit: Unit,
        *,
        extra: Settings | None = None,
        triggers: tuple[str, ...] = (),
        key: str | None = None,
    ) -> None:
        """A unit of a kind whose text we write: the whole file, or a drop-in over the packaged one."""
        path = (*self._at, field, name if key is None else key)
        with self.problems.at(*path):
            full = unit_name(name, suffix)
            if unit.enable is False and not unit.from_package:
                return
            own = settings_of(unit, own_options(type(unit)), reset=unit.from_package)
            typed = [("Unit", settings_of(unit, own_options(Unit), reset=False))]
            if suffix == "target":  # what targets have of their own stands in [Unit]
                typed[0][1].extend(own)
            else:
                typed.append((suffix.capitalize(), [*(extra or []), *own]))
            text = render_unit(merge_sections(typed, _freeform(unit)))
            self._add(full, _links(unit, text, triggers), *path)

    def _plain(self, key: str, unit: PlainUnit) -> None:
        path = (*self._at, "units", key)
        with self.problems.at(*path):
            check_unit_name(key)
            typed = [("Unit", settings_of(unit, own_options(Unit), reset=False))]
            extra = render_unit(merge_sections(typed, _freeform(unit)))
            made = _links(unit, extra, (), plain=unit.text)
            if unit.text is not None and unit.enable is False:
                return
            self._add(key, made, *path)

    def _add(self, name: str, unit: model.Unit, *path: str) -> None:
        if name in self.units:
            self.problems.add(f"The unit {name} is defined twice; keep one definition.", *path)
        self.units[name] = unit
        self.paths[name] = path

    def _mask(self) -> None:
        for name in self.config.masked:
            if name in self.units and self.units[name] != model.Unit():
                self.problems.add(
                    f"{name} is masked, but also defined: drop one of the two.", *self._at, "masked"
                )
            self.units[name] = model.Unit(masked=True)

    def _check_timers(self) -> None:
        for key, timer in self.config.timers.items():
            if timer.enable is False or timer.from_package or "Timer" in timer.section:
                continue
            if not any(getattr(timer, name) for name in _TIMES) and key not in self._calendars:
                self.problems.add(
                    "The timer has no time: set on_calendar, on_boot_sec or the like.",
                    *self._at,
                    "timers",
                    key,
                )
            started = timer.unit or f"{key}.service"
            if not self._is_known(started):
                self.problems.add(
                    f"The timer starts {started}, which is not defined. Define it; or, if a package ships it, "
                    f'write m[Systemd].units.add("{started}").',
                    *self._at, "timers", key,
                )  # fmt: skip

    def _is_known(self, name: str) -> bool:
        template, at, rest = name.partition("@")
        return (
            name in self.units
            or name in self.config.units
            or bool(at and f"{template}@.{rest.rpartition('.')[2]}" in self.units)
        )


_TIMES = (
    "on_calendar",
    "on_boot_sec",
    "on_startup_sec",
    "on_active_sec",
    "on_unit_active_sec",
    "on_unit_inactive_sec",
)


def _freeform(unit: Unit) -> Mapping[str, Mapping[str, Value]]:
    return {name: dict(settings) for name, settings in unit.section.items()}


OnChange = Literal["restart", "reload", "stop-start", "nothing"]


def _on_change(unit: Unit) -> OnChange:
    if not unit.restart_if_changed:
        return "nothing"
    if unit.reload_if_changed:
        return "reload"
    return "stop-start" if unit.stop_if_changed else "restart"


def _links(unit: Unit, text: str, triggers: tuple[str, ...], *, plain: Union[str, None] = None) -> model.Unit:
    """The manifest's unit. What we render is the whole file, or a drop-in if a package or ``plain`` has the file."""
    over = unit.from_package or isinstance(unit, PlainUnit)
    dropins = dict(unit.dropins)
    for name in dropins:
        if not re.fullmatch(_DROPIN, name):
            raise ValueError(f"{name!r} is not the file name of a drop-in, such as 10-limits.conf")
    if over and text:
        dropins[DROPIN] = text
    return model.Unit(
        text=plain if over else text,
        dropins=dropins,
        enable=unit.enable if over and plain is None else None,
        wanted_by=unit.wanted_by,
        required_by=unit.required_by,
        upheld_by=unit.upheld_by,
        aliases=unit.aliases,
        on_change=_on_change(unit),
        stop_on_removal=unit.stop_on_removal,
        restart_triggers=(*unit.restart_triggers, *triggers),
        reload_triggers=unit.reload_triggers,
    )
