"""Services: what runs, as whom, with which environment and limits (systemd.service(5), systemd.exec(5), systemd.resource-control(5))."""

from __future__ import annotations

from holdfast.library.systemd_unit import Unit
from holdfast.library.types import COMMAND, COMMANDS, SPAN, STRINGS, WORDS
from holdfast.options import BOOL, INT, LINES, STR, attrs_of, null_or, one_of, option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from holdfast.options import Type

    Kind = Literal["simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"]
    Restart = Literal["no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog"]
    NotifyAccess = Literal["none", "main", "exec", "all"]
    KillMode = Literal["control-group", "mixed", "process", "none"]
    ProtectSystem = Literal["yes", "full", "strict"]
    ProtectHome = Literal["yes", "read-only", "tmpfs"]

# Annotated, so that checkers know the choices.
KIND: Type[Kind, Kind] = one_of(
    "simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"
)
RESTART: Type[Restart, Restart] = one_of(
    "no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog"
)
NOTIFY_ACCESS: Type[NotifyAccess, NotifyAccess] = one_of("none", "main", "exec", "all")
KILL_MODE: Type[KillMode, KillMode] = one_of("control-group", "mixed", "process", "none")
PROTECT_SYSTEM: Type[ProtectSystem, ProtectSystem] = one_of("yes", "full", "strict")
PROTECT_HOME: Type[ProtectHome, ProtectHome] = one_of("yes", "read-only", "tmpfs")

_COMMAND_DOC = (
    " A list of arguments, each passed exactly as written: `%` and `$` mean nothing special. The program may begin with "
    'systemd\'s prefixes `-`, `@`, `:`, `+`, `!`. For specifiers and variables write `CommandLine("/usr/bin/demo %i")`.'
)


class Service(Unit, path=""):
    """One service."""

    type = option(
        null_or(KIND),
        default_text="systemd's own: simple",
        doc="How systemd knows that the service has started.",
    )
    exec_start = option(
        null_or(COMMAND),
        doc="The command that is the service." + _COMMAND_DOC,
        example=["/usr/bin/python3", "-m", "http.server"],
    )
    script = option(
        LINES,
        default="",
        doc="A shell script in place of `exec_start`: installed beside the unit and run by `/bin/sh -e`. A change of it restarts the service.",
        example="install -d /srv/www\ndate > /srv/www/started\n",
    )
    exec_condition = option(
        COMMANDS, doc="Commands that decide whether it starts: exit 1 to 254 skips it without failure."
    )
    exec_start_pre = option(COMMANDS, doc="Commands to run before it starts, in order.")
    exec_start_post = option(COMMANDS, doc="Commands to run after it has started, in order.")
    exec_reload = option(COMMANDS, doc="Commands that make it read its configuration again.")
    exec_stop = option(COMMANDS, doc="Commands that stop it; without any it gets SIGTERM.")
    exec_stop_post = option(COMMANDS, doc="Commands to run after it has stopped, also after a failure.")
    start_at = option(
        STRINGS,
        doc="Start the service at these times (`OnCalendar` of systemd.time(7)); makes a timer of the same name.",
        example=["daily", "Mon *-*-* 04:00"],
    )

    restart = option(
        null_or(RESTART),
        default_text="systemd's own: no",
        doc="When to start it again by itself.",
    )
    restart_sec = option(
        null_or(SPAN), doc="How long to wait before that: seconds, or a span such as `1min`."
    )
    timeout_start_sec = option(null_or(SPAN), doc="How long a start may take.")
    timeout_stop_sec = option(null_or(SPAN), doc="How long a stop may take before SIGKILL.")
    runtime_max_sec = option(null_or(SPAN), doc="End it after this time.")
    watchdog_sec = option(null_or(SPAN), doc="Restart it when it gives no sign of life for so long.")
    remain_after_exit = option(null_or(BOOL), doc="Count it as running after its process has ended.")
    success_exit_status = option(WORDS, doc="Further exit codes and signals that count as success.")
    pid_file = option(null_or(STR), doc="File in which a forking service leaves the id of its main process.")
    bus_name = option(null_or(STR), doc='The D-Bus name it takes, for `type = "dbus"`.')
    notify_access = option(
        null_or(NOTIFY_ACCESS),
        doc="Whose notifications systemd believes.",
    )
    kill_mode = option(
        null_or(KILL_MODE),
        doc="Which of its processes a stop ends.",
    )
    kill_signal = option(null_or(STR), doc="The signal that asks it to stop.", example="SIGINT")

    user = option(null_or(STR), doc="Account it runs as; None is root.")
    group = option(null_or(STR), doc="Group it runs as; None is the user's own.")
    supplementary_groups = option(WORDS, doc="Further groups of the process.")
    dynamic_user = option(null_or(BOOL), doc="Make up an account for it while it runs.")
    environment = option(
        attrs_of(STR), doc="Environment variables, taken exactly as written.", example={"LANG": "C.UTF-8"}
    )
    environment_files = option(
        STRINGS, doc="Files with further variables; `-` before a path allows it to be missing."
    )
    pass_environment = option(WORDS, doc="Variables of systemd itself to pass on.")
    working_directory = option(null_or(STR), doc="Directory it starts in; `~` is the user's home.")
    root_directory = option(null_or(STR), doc="Directory that is `/` to it.")
    umask = option(null_or(STR), doc="Its file mode creation mask, octal.", example="0027")
    runtime_directory = option(WORDS, doc="Directories under /run, made for it and removed when it stops.")
    runtime_directory_mode = option(null_or(STR), doc="Mode of these.", example="0750")
    state_directory = option(WORDS, doc="Directories under /var/lib, made for it and kept.")
    state_directory_mode = option(null_or(STR), doc="Mode of these.")
    cache_directory = option(WORDS, doc="Directories under /var/cache, made for it.")
    logs_directory = option(WORDS, doc="Directories under /var/log, made for it.")
    configuration_directory = option(WORDS, doc="Directories under /etc it reads.")
    load_credential = option(
        STRINGS, doc="Secrets to hand it: `NAME:/path`; it finds them below `$CREDENTIALS_DIRECTORY`."
    )
    load_credential_encrypted = option(
        STRINGS,
        doc="The same for files that `systemd-creds encrypt` wrote on this very machine: only it can decrypt them.",
        example=["token:/etc/app/token.cred"],
    )
    import_credential = option(
        WORDS, doc="Names or patterns of credentials that the system itself was given, to hand on."
    )
    set_credential = option(
        attrs_of(STR),
        doc="Credentials by name, as text. Anybody can read them in the unit: for settings, not for secrets.",
    )
    set_credential_encrypted = option(
        attrs_of(STR),
        doc="Credentials by name, as `systemd-creds encrypt` prints them; for secrets that only this machine can decrypt.",
    )
    standard_input = option(
        null_or(STR), doc="Where its input comes from: `null`, `tty`, `socket`, `file:/path`."
    )
    standard_output = option(null_or(STR), doc="Where its output goes: `journal`, `null`, `append:/path`.")
    standard_error = option(null_or(STR), doc="Where its error output goes.")
    syslog_identifier = option(null_or(STR), doc="Its name in the journal.")
    nice = option(null_or(INT), doc="Scheduling priority, -20 (first) to 19 (last).")
    oom_score_adjust = option(null_or(INT), doc="-1000 (never) to 1000 (first) when memory runs out.")

    limit_nofile = option(null_or(INT), doc="Most files it may have open.")
    limit_nproc = option(null_or(INT), doc="Most processes of its user.")
    limit_core = option(null_or(STR), doc="Largest core dump.", example="infinity")
    limit_memlock = option(null_or(STR), doc="Most memory it may lock.", example="64M")
    slice = option(null_or(STR), doc="The slice it belongs to.", example="batch.slice")
    cpu_quota = option(null_or(STR), doc="Most CPU time, in per cent of one CPU.", example="50%")
    cpu_weight = option(null_or(INT), doc="Share of CPU time beside others, 1 to 10000; 100 is usual.")
    io_weight = option(null_or(INT), doc="Share of disk time beside others, 1 to 10000.")
    memory_max = option(null_or(STR), doc="Most memory; beyond it processes are killed.", example="512M")
    memory_high = option(null_or(STR), doc="Memory beyond which it is slowed down.")
    tasks_max = option(null_or(INT), doc="Most processes and threads.")

    no_new_privileges = option(null_or(BOOL), doc="Setuid programs give it nothing.")
    private_tmp = option(null_or(BOOL), doc="A /tmp of its own.")
    private_devices = option(null_or(BOOL), doc="Only harmless devices in /dev.")
    private_network = option(null_or(BOOL), doc="No network but its own loopback.")
    protect_system = option(
        null_or(PROTECT_SYSTEM),
        doc="Make /usr (yes), /etc too (full), or everything (strict) read-only to it.",
    )
    protect_home = option(null_or(PROTECT_HOME), doc="Keep it away from home directories.")
    protect_kernel_tunables = option(null_or(BOOL), doc="/proc/sys and the like are read-only to it.")
    protect_kernel_modules = option(null_or(BOOL), doc="It cannot load kernel modules.")
    protect_control_groups = option(null_or(BOOL), doc="Control groups are read-only to it.")
    restrict_suid_sgid = option(null_or(BOOL), doc="It cannot make setuid files.")
    restrict_namespaces = option(null_or(BOOL), doc="It cannot make namespaces.")
    restrict_address_families = option(
        WORDS, doc="Only sockets of these families.", example=["AF_INET", "AF_INET6", "AF_UNIX"]
    )
    system_call_filter = option(
        WORDS, doc="System calls it may use, or `~` before those it may not.", example=["@system-service"]
    )
    capability_bounding_set = option(
        null_or(STR), doc='Capabilities it can ever have, separated by spaces; "" is none.'
    )
    ambient_capabilities = option(
        WORDS, doc="Capabilities given to it though it is not root.", example=["CAP_NET_BIND_SERVICE"]
    )
    read_write_paths = option(WORDS, doc="Paths it may write in spite of `protect_system`.")
    read_only_paths = option(WORDS, doc="Paths it may only read.")
    inaccessible_paths = option(WORDS, doc="Paths it cannot see into.")
