"""The other kinds of units: timers, sockets, paths, targets, mounts, automounts, slices, swaps, and units as plain text."""

from __future__ import annotations

from holdfast.library.systemd_unit import Unit
from holdfast.library.types import SPAN, STRINGS, UNIT_NAME, UNITS, WORDS
from holdfast.options import BOOL, INT, LINES, STR, null_or, one_of, option

NETWORK_FILE_SYSTEMS = ("9p", "cifs", "ceph", "glusterfs", "nfs", "nfs4", "smb3")


class Timer(Unit, path=""):
    """One timer, see systemd.timer(5). It starts the service of its own name unless `unit` says another."""

    wanted_by = option(
        UNITS, default_text='["timers.target"] for a unit of your own', doc="Units that start it."
    )

    @wanted_by.fallback
    def started_at_boot(self) -> list[str]:
        return [] if self.from_package else ["timers.target"]

    on_calendar = option(
        STRINGS,
        doc="Wall-clock times, see systemd.time(7); `systemd-analyze calendar` explains one.",
        example=["*-*-* 03:30"],
    )
    on_boot_sec = option(null_or(SPAN), doc="So long after the machine has booted.", example="5min")
    on_startup_sec = option(null_or(SPAN), doc="So long after systemd has started.")
    on_active_sec = option(null_or(SPAN), doc="So long after the timer itself was started.")
    on_unit_active_sec = option(null_or(SPAN), doc="So long after the unit was last started.")
    on_unit_inactive_sec = option(null_or(SPAN), doc="So long after the unit last ended.")
    persistent = option(
        null_or(BOOL),
        doc="Catch up at once when a calendar time passed while the machine was off.",
    )
    randomized_delay_sec = option(
        null_or(SPAN),
        doc="Wait a random time up to this, so that many machines do not start together.",
    )
    fixed_random_delay = option(null_or(BOOL), doc="Make that time the same on every run of one machine.")
    accuracy_sec = option(
        null_or(SPAN),
        doc="How late it may start, so that wake-ups can be shared; systemd's own is 1min.",
    )
    wake_system = option(null_or(BOOL), doc="Wake the machine from suspend for it.")
    remain_after_elapse = option(null_or(BOOL), doc="False forgets the timer once it can never fire again.")
    unit = option(
        null_or(UNIT_NAME),
        default_text="the service of the timer's name",
        doc="The unit to start.",
    )


class Socket(Unit, path=""):
    """One socket, see systemd.socket(5). Traffic on it starts the service of its own name."""

    wanted_by = option(
        UNITS, default_text='["sockets.target"] for a unit of your own', doc="Units that start it."
    )

    @wanted_by.fallback
    def started_at_boot(self) -> list[str]:
        return [] if self.from_package else ["sockets.target"]

    listen_stream = option(
        WORDS,
        doc="TCP ports, addresses with ports, or paths to listen on.",
        example=["8080", "/run/demo.sock"],
    )
    listen_datagram = option(WORDS, doc="The same for UDP and datagram sockets.")
    listen_sequential_packet = option(WORDS, doc="The same for SOCK_SEQPACKET.")
    listen_fifo = option(WORDS, doc="Paths of FIFOs.")
    accept = option(null_or(BOOL), doc="Start one instance of the service per connection.")
    service = option(
        null_or(UNIT_NAME),
        default_text="the service of the socket's name",
        doc="The service to start.",
    )
    socket_user = option(null_or(STR), doc="Owner of a socket in the file system.")
    socket_group = option(null_or(STR), doc="Its group.")
    socket_mode = option(null_or(STR), doc="Its mode, octal.", example="0660")
    directory_mode = option(null_or(STR), doc="Mode of directories made on the way.")
    backlog = option(null_or(INT), doc="Connections that may wait.")
    bind_ipv6_only = option(
        null_or(one_of("default", "both", "ipv6-only")),
        doc="Whether an IPv6 address serves IPv4 too.",
    )
    bind_to_device = option(null_or(STR), doc="Only traffic of this interface.")
    free_bind = option(null_or(BOOL), doc="Allow addresses that are not there yet.")
    max_connections = option(null_or(INT), doc="Most connections at once, with `accept`.")
    file_descriptor_name = option(null_or(STR), doc="Name under which the service finds it.")
    remove_on_stop = option(null_or(BOOL), doc="Remove the socket's file when it stops.")


class Path(Unit, path=""):
    """One watched path, see systemd.path(5). It starts the service of its own name unless `unit` says another."""

    wanted_by = option(
        UNITS, default_text='["paths.target"] for a unit of your own', doc="Units that start it."
    )

    @wanted_by.fallback
    def started_at_boot(self) -> list[str]:
        return [] if self.from_package else ["paths.target"]

    path_exists = option(WORDS, doc="Start when this is there.")
    path_exists_glob = option(WORDS, doc="Start when something matches.")
    path_changed = option(WORDS, doc="Start when this file was written and closed.")
    path_modified = option(WORDS, doc="Start at every write to this file.")
    directory_not_empty = option(WORDS, doc="Start when this directory holds something.")
    make_directory = option(null_or(BOOL), doc="Make the watched directory.")
    directory_mode = option(null_or(STR), doc="Mode of it.")
    unit = option(
        null_or(UNIT_NAME),
        default_text="the service of the path's name",
        doc="The unit to start.",
    )


class Target(Unit, path=""):
    """One target: a name for a state of the system that units are part of."""

    allow_isolate = option(null_or(BOOL), doc="Allow `systemctl isolate` to it.")


class Mount(Unit, path=""):
    """One mount, see systemd.mount(5); the key is the absolute path to mount at."""

    wanted_by = option(
        UNITS,
        default_text="local-fs.target, or remote-fs.target for a network file system",
        doc="Units that start it; [] when an automount of the same path does.",
    )

    @wanted_by.fallback
    def started_at_boot(self) -> list[str]:
        if self.from_package:
            return []
        return ["remote-fs.target" if self.fs_type in NETWORK_FILE_SYSTEMS else "local-fs.target"]

    what = option(STR, doc="Device, `UUID=...`, `LABEL=...`, server path, or the directory for a bind mount.")
    fs_type = option(null_or(STR), doc="File system type; None lets mount find out.", example="ext4")
    options = option(WORDS, doc="Mount options.", example=["noatime", "nofail"])
    directory_mode = option(null_or(STR), doc="Mode of directories made for the mount point.")
    timeout_sec = option(null_or(SPAN), doc="How long mounting may take.")


class Automount(Unit, path=""):
    """One automount, see systemd.automount(5): the mount of the same path, made when somebody looks there."""

    wanted_by = option(
        UNITS, default_text='["local-fs.target"] for a unit of your own', doc="Units that start it."
    )

    @wanted_by.fallback
    def started_at_boot(self) -> list[str]:
        return [] if self.from_package else ["local-fs.target"]

    timeout_idle_sec = option(null_or(SPAN), doc="Unmount after so long without use.")
    directory_mode = option(null_or(STR), doc="Mode of directories made for the mount point.")


class Slice(Unit, path=""):
    """One slice: a share of the machine for the units in it, see systemd.slice(5)."""

    cpu_quota = option(null_or(STR), doc="Most CPU time, in per cent of one CPU.", example="200%")
    cpu_weight = option(null_or(INT), doc="Share of CPU time beside others, 1 to 10000.")
    io_weight = option(null_or(INT), doc="Share of disk time beside others, 1 to 10000.")
    memory_max = option(null_or(STR), doc="Most memory.", example="4G")
    memory_high = option(null_or(STR), doc="Memory beyond which it is slowed down.")
    tasks_max = option(null_or(INT), doc="Most processes and threads.")


class Swap(Unit, path=""):
    """One swap, see systemd.swap(5); the key is the absolute path of the device or file."""

    wanted_by = option(
        UNITS, default_text='["swap.target"] for a unit of your own', doc="Units that start it."
    )

    @wanted_by.fallback
    def started_at_boot(self) -> list[str]:
        return [] if self.from_package else ["swap.target"]

    priority = option(null_or(INT), doc="The higher, the earlier it is used.")
    options = option(WORDS, doc="Mount options.", example=["discard"])


class PlainUnit(Unit, path=""):
    """One unit of any kind by its full name, as plain text or only to enable, disable or extend what a package ships."""

    text = option(
        null_or(LINES),
        doc="The whole unit file. None leaves the file to a package; `enable`, `wanted_by`, `dropins` and the typed options then apply to that.",
    )
