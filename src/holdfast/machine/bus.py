"""What a machine asks of the systemd in it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import cast

from jeepney import DBusAddress, Properties, new_method_call

from holdfast.base.bus import MANAGER, REPLY_SECONDS, SYSTEMD, Bus, BusError, unit_path
from holdfast.machine.results import Unit

_UNIT = {
    "Id": "s",
    "Description": "s",
    "LoadState": "s",
    "ActiveState": "s",
    "SubState": "s",
    "Job": "(uo)",
}
"""Properties of a unit that are read, with their types."""


class SystemdBus(Bus):
    """A connection of one thread to one systemd. Use it in a ``with`` block."""

    def unit(self, name: str) -> Unit:
        """State of a unit, which is loaded if it is not in memory; ``load_state`` tells of one that does not exist.

        Raises:
            BusError: ``name`` is no unit name, or systemd went away.
        """
        # Its path is known, so LoadUnit, which wants to pin the unit for a client on a bus, is not asked.
        unit = DBusAddress(unit_path(name), bus_name=SYSTEMD, interface=f"{SYSTEMD}.Unit")
        # All in one message, since states read one after the other may never have been true together.
        found = self.request(Properties(unit).get_all(), "a{sv}")[0]
        values = cast("Mapping[str, tuple[str, object]]", found)
        known = {key: value for key, (signature, value) in values.items() if _UNIT.get(key) == signature}
        if known.keys() != _UNIT.keys():
            missing = ", ".join(sorted(_UNIT.keys() - known.keys()))
            raise BusError(f"systemd of {self.whose} does not tell {missing} of {name}")
        return Unit(
            name=str(known["Id"]),
            description=str(known["Description"]),
            load_state=str(known["LoadState"]),
            active_state=str(known["ActiveState"]),
            sub_state=str(known["SubState"]),
            has_job=cast("tuple[int, str]", known["Job"])[0] != 0,
        )

    def units(self, *, states: Sequence[str] = ()) -> tuple[Unit, ...]:
        """Units in memory, by name; with ``states`` those that have one of them (active, load or sub state)."""
        asked = new_method_call(MANAGER, "ListUnitsFiltered", "as", (list(states),))
        rows = cast("list[tuple[str, ...]]", self.request(asked, "a(ssssssouso)")[0])
        units = (Unit(row[0], row[1], row[2], row[3], row[4]) for row in rows)
        return tuple(sorted(units, key=lambda unit: unit.name))

    def manager(self, name: str) -> object:
        """A property of the manager, such as ``SystemState`` or ``NJobs``."""
        value = cast("tuple[tuple[str, object]]", self.request(Properties(MANAGER).get(name), "v"))
        return value[0][1]

    def wait_for_signal(self, seconds: float) -> bool:
        """Wait until systemd announced a change since the last call (several count as one); False if it did not.

        Raises:
            BusError: systemd went away.
        """
        return bool(self.wait_for_signals(seconds))

    def start_scope(self, name: str, *, pid: int, slice_unit: str, description: str) -> None:
        """Put a process into a new scope that is ours to subdivide (systemd.scope(5), Delegate=yes).

        Raises:
            BusError: systemd refuses.
        """
        properties = [
            ("Description", ("s", description)),
            ("Slice", ("s", slice_unit)),
            ("Delegate", ("b", True)),
            ("PIDs", ("au", [pid])),
            ("CollectMode", ("s", "inactive-or-failed")),
        ]
        body: tuple[object, ...] = (name, "fail", properties, [])
        self.request(new_method_call(MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", body), "o")
        end = time.monotonic() + REPLY_SECONDS
        while self.unit(name).active_state != "active":
            if not self.wait_for_signal(max(0.0, end - time.monotonic())):
                raise BusError(f"the scope {name} did not start on {self.whose}")
