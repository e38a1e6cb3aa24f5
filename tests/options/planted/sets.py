"""Option sets that the planted files use; nothing here is a mistake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from holdfast.options import (
    ARGV,
    BOOL,
    INT,
    PORT,
    STR,
    KeyedSet,
    OptionSet,
    Type,
    ValueSet,
    attrs_of,
    entry_name,
    instance_of,
    list_of,
    null_or,
    one_of,
    option,
    removed_option,
    renamed_option,
    set_of,
    submodule,
)

Level = Literal["low", "high"]
LEVEL: Type[Level, Level] = one_of("low", "high")


@dataclass(frozen=True)
class Rule:
    port: int


class File(OptionSet):
    text = option(null_or(STR))
    mode = option(STR, default="0644")


class Files(KeyedSet[File], path="files"):
    """Files by path."""


class Sysctl(ValueSet[str, str], of=STR, path="sysctl"):
    """Kernel settings."""


class Service(OptionSet):
    name = entry_name()
    exec_start = option(ARGV)
    wanted_by = option(list_of(STR))
    environment = option(attrs_of(STR))
    section = option(attrs_of(attrs_of(STR)))
    description = option(STR)

    @description.fallback
    def default_description(self) -> str:
        return f"The {self.name} service"


class Systemd(OptionSet, path="systemd"):
    services = option(attrs_of(submodule(Service)))


class Hardening(OptionSet, extends=Service):
    strict = option(BOOL, default=False)


class Nginx(OptionSet, path="nginx"):
    enable = option(BOOL, default=False)
    user = option(STR, default="www-data")
    workers = option(null_or(INT))
    ports = option(list_of(PORT), default=(80,))
    groups = option(set_of(STR))
    level = option(LEVEL, default="low")
    listen = option(INT | STR, default=80)
    rules = option(list_of(instance_of(Rule)))
    worker = renamed_option(user)
    gone = removed_option("Nothing replaces it.")
