"""Who the machine is: host name, language, clock, keyboard."""

from __future__ import annotations

from holdfast.library.files import Files
from holdfast.library.formats import to_key_value
from holdfast.library.packages import Packages
from holdfast.library.system import System
from holdfast.library.types import HOSTNAME, LOCALE, TIMEZONE, WORDS
from holdfast.options import (
    STR,
    Config,
    Module,
    OptionSet,
    attrs_of,
    default,
    implements,
    lazy,
    null_or,
    option,
    override,
)


class Identity(OptionSet, path="identity"):
    """Host name, domain, locale, time zone and keyboard."""

    hostname = option(
        HOSTNAME,
        default_text="the system's name",
        doc="What the machine calls itself, without domain.",
        example="web1",
    )
    domain = option(
        null_or(HOSTNAME),
        doc="DNS domain; `/etc/hosts` then has the full name for this machine.",
        example="example.org",
    )
    locale = option(
        LOCALE,
        default="C.UTF-8",
        doc="Language of messages and formats, system-wide. Any other than C.UTF-8 installs `locales-all`.",
        example="de_DE.UTF-8",
    )
    timezone = option(
        TIMEZONE,
        default="UTC",
        doc="Name in the time zone database. Any other than UTC installs `tzdata`.",
        example="Europe/Berlin",
    )
    keyboard = option(
        null_or(STR),
        doc="Keyboard layout of the console; installs `console-setup`.",
        example="de",
    )
    hosts = option(
        attrs_of(WORDS),
        doc="Lines of `/etc/hosts` by address. With any, or with `domain`, the file is ours.",
        example={"10.0.0.5": ["db", "db.example.org"]},
    )


@implements(Identity)
def identity(m: Module) -> None:
    """Installs what a locale, time zone or keyboard needs, and writes /etc/hosts when there is something to say."""
    # Weaker than any definition, stronger than nothing: the option's own default cannot know the system.
    m[Identity].hostname = override(1400, m.given(System).name.replace("_", "-").strip("-."))
    with m.when(lambda c: c[Identity].locale not in ("C.UTF-8", "C", "POSIX")):
        m[Packages].install = ["locales-all"]
    with m.when(lambda c: c[Identity].timezone != "UTC"):
        m[Packages].install = ["tzdata"]
    with m.when(lambda c: c[Identity].keyboard is not None):
        m[Packages].install = ["console-setup"]
        m[Files]["/etc/default/keyboard"].text = default(lazy(_keyboard))
    with m.when(lambda c: c[Identity].domain is not None or len(c[Identity].hosts) > 0):
        m[Files]["/etc/hosts"].text = default(lazy(_hosts))


def _keyboard(c: Config) -> str:
    layout = c[Identity].keyboard or ""
    return to_key_value(
        {"XKBMODEL": "pc105", "XKBLAYOUT": layout, "XKBVARIANT": "", "XKBOPTIONS": "", "BACKSPACE": "guess"}
    )


def _hosts(c: Config) -> str:
    mine = c[Identity]
    hostname = mine.hostname
    own = [f"{hostname}.{mine.domain}"] if hostname and mine.domain else []
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    if hostname:
        lines.append(" ".join(["127.0.1.1", *own, hostname]))
    lines += [" ".join([address, *names]) for address, names in sorted(mine.hosts.items())]
    return "\n".join(lines) + "\n"
