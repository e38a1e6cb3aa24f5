"""What every kind of systemd unit has: description, ordering, what wants it, and what a change of it does."""

from __future__ import annotations

from holdfast.library.types import SETTING, SPAN, UNITS, WORDS
from holdfast.options import BOOL, INT, LINES, STR, OptionSet, attrs_of, entry_name, null_or, option


class Unit(OptionSet, path=""):
    """Options common to all kinds of units, see systemd.unit(5)."""

    name = entry_name(doc="The unit's name without its suffix.")
    enable = option(
        null_or(BOOL),
        default_text="the unit is there, and enabled where `wanted_by` and its like say so",
        doc="False leaves a unit of your own out altogether. With `from_package`, True and False do what "
        "`systemctl enable` and `disable` do, and None leaves the unit as its package has it.",
    )
    from_package = option(
        BOOL,
        default=False,
        doc="A package ships the unit file; what is set here becomes a drop-in (`50-holdfast.conf`) over it. "
        "Commands replace the packaged ones.",
    )
    description = option(
        null_or(STR),
        default_text="the unit's name",
        doc="One line for people.",
        example="The shop's web server",
    )
    documentation = option(WORDS, doc="URIs: `man:nginx(8)`, `https://...`.")
    after = option(
        UNITS,
        doc="Start after these units, if both start; says nothing about needing them.",
        example=["network-online.target"],
    )
    before = option(UNITS, doc="Start before these units, if both start.")
    requires = option(UNITS, doc="Start these too; fail if one of them fails while it is also in `after`.")
    requisite = option(UNITS, doc="Fail at once unless these are already running.")
    wants = option(UNITS, doc="Start these too, and go on if they fail.")
    binds_to = option(UNITS, doc="Like `requires`, and stop when one of these stops for any reason.")
    part_of = option(UNITS, doc="Stop and restart together with these.")
    upholds = option(UNITS, doc="Keep these running as long as this one runs.")
    conflicts = option(UNITS, doc="Never run at the same time as these; starting one stops the other.")
    on_failure = option(UNITS, doc="Start these when this unit fails.")
    on_success = option(UNITS, doc="Start these when this unit ends well.")
    requires_mounts_for = option(WORDS, doc="Paths whose mounts must be there first.")
    condition_path_exists = option(
        WORDS,
        doc="Skip the unit, without failing, unless each of these paths exists; `!` before a path turns it round.",
    )
    condition_virtualization = option(
        null_or(STR),
        doc="Skip the unit unless it runs in this kind of virtualization: `vm`, `container`, `!container`, ...",
    )
    default_dependencies = option(null_or(BOOL), doc="False for units of early boot and late shutdown.")
    start_limit_interval_sec = option(
        null_or(SPAN),
        doc="Time in which `start_limit_burst` starts are allowed; 0 switches the limit off.",
    )
    start_limit_burst = option(null_or(INT), doc="Starts allowed within `start_limit_interval_sec`.")
    wanted_by = option(
        UNITS,
        doc="Units that start this one too: what `systemctl enable` would set up.",
        example=["multi-user.target"],
    )
    required_by = option(UNITS, doc="Units that need this one.")
    upheld_by = option(UNITS, doc="Units that keep this one running.")
    aliases = option(UNITS, doc="Further full names of the unit.", example=["dbus-org.example.service"])
    dropins = option(
        attrs_of(LINES),
        doc="Drop-ins as text, by file name.",
        example={"10-limits.conf": "[Service]\nLimitNOFILE=65536\n"},
    )
    section = option(
        attrs_of(attrs_of(SETTING)),
        doc='Any setting of systemd, by section and name: `section["Service"]["CPUQuota"] = "20%"`. Values are systemd\'s own '
        "syntax; a list is one line per item.",
    )
    restart_if_changed = option(
        BOOL,
        default=True,
        doc="Restart the running unit when its definition changes. False leaves the old one running until someone restarts it.",
    )
    reload_if_changed = option(
        BOOL,
        default=False,
        doc="Reload the running unit instead of restarting it when its definition changes.",
    )
    stop_if_changed = option(
        BOOL,
        default=False,
        doc="Restart by stopping the old definition first and starting the new one last, after everything else is in place; "
        "False uses one `systemctl restart`, with the shorter gap.",
    )
    stop_on_removal = option(BOOL, default=True, doc="Stop the unit when it is no longer defined.")
    restart_triggers = option(
        WORDS,
        doc="Restart the unit when one of these changes. An absolute path stands for the content of that file in `files`, "
        "with a final `/` for all files below it; anything else stands for itself.",
        example=["/etc/hello.conf"],
    )
    reload_triggers = option(WORDS, doc="As `restart_triggers`, but a reload is enough.")
