"""Files, directory trees, links and directories by their absolute path."""

from __future__ import annotations

from holdfast.library.fetched import SOURCE
from holdfast.library.types import ABSOLUTE_PATHS, ACCOUNT, MODE, SCALAR, SETTING
from holdfast.options import (
    BOOL,
    DATA,
    LINES,
    LOCAL_FILE,
    STR,
    KeyedSet,
    Module,
    OptionSet,
    attrs_of,
    entry_name,
    implements,
    null_or,
    option,
)


class File(OptionSet, path=""):
    """What is at one path. Set one of `text`, `source`, `secret`, `json`, `ini`, `toml`, `key_value`, `link` and `directory`."""

    path = entry_name(doc="The absolute path.")
    enable = option(BOOL, default=True, doc="False leaves the path out.")
    text = option(
        null_or(LINES),
        doc="Content as it stands. For content computed from other options write "
        "`lazy(lambda c: ...)`; `holdfast.library.rendering.formats` has to_json and its siblings for it.",
        example="Held fast.\n",
    )
    source = option(
        null_or(SOURCE),
        doc="A file, or a directory with all below it, on the machine that evaluates. A relative path starts at the file that "
        "wrote it. Files keep whether they are executable; a path below that is declared by itself wins. "
        "A pattern such as `conf.d/*.conf` puts what it matches below the path. "
        'Or a file from the web: `Fetched("https://...", sha256="...")`; to make it executable, set `mode`.',
        example="web/index.html",
    )
    secret = option(
        null_or(LOCAL_FILE),
        doc="A file on the machine that evaluates, encrypted with age or sops. It travels encrypted, and the machine decrypts it "
        "to this path; no store, plan or log has its content. Relative paths start at the file that wrote them.",
        example="secrets/token.age",
    )
    identities = option(
        ABSOLUTE_PATHS,
        default=(["/etc/ssh/ssh_host_ed25519_key"]),
        doc="Files on the machine that hold the private keys for `secret`, tried in turn: ssh keys, or identities of age.",
    )
    json = option(
        null_or(DATA),
        doc="Data to write as JSON. Modules may each add keys.",
        example={"listen": 8080},
    )
    toml = option(null_or(DATA), doc="A table to write as TOML. Modules may each add keys.")
    ini = option(
        attrs_of(attrs_of(SETTING)),
        doc="Sections and settings to write as INI; a list is the setting once per item.",
        example={"main": {"color": True}},
    )
    key_value = option(attrs_of(SCALAR), doc="Variables to write as KEY=value lines, as in /etc/default.")
    link = option(
        null_or(STR),
        doc="A symbolic link to this target: absolute, or relative to the link's directory.",
        example="../usr/share/zoneinfo/UTC",
    )
    directory = option(
        BOOL, default=False, doc="A directory. Those above declared paths are made without asking."
    )
    mode = option(
        null_or(MODE),
        default_text='"0644", "0755" for directories and executable sources, "0400" for secrets',
        doc="Permissions, four octal digits.",
        example="0600",
    )
    user = option(ACCOUNT, default="root", doc="Owner.")
    group = option(ACCOUNT, default="root", doc="Group.")


class Files(KeyedSet[File], path="files"):
    """Files, links and directories, by absolute path: `m[Files]["/etc/motd"].text = "Held fast.\\n"`."""


@implements(Files)
def files(m: Module) -> None:
    """Nothing to add: the manifest carries files as they are."""
