"""From what a machine is found to be to a definition that says so (pure): the first plan made from it changes nothing."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import field

from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.library.assembling.accounts import BASE_GROUPS
from holdfast.library.types import check_account
from holdfast.manifest.inventory import FoundFile, FoundUnit, FoundUser, Inventory
from holdfast.project.python_text import comment, list_of_call, listing, literal, text_literal

_SYSTEM_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_HOSTNAME = r"(?=.{1,64}$)[A-Za-z0-9](-*[A-Za-z0-9])*(\.[A-Za-z0-9](-*[A-Za-z0-9])*)*"
_PACKAGE = r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?"
_UNIT_LINKS = ("wanted_by", "required_by", "upheld_by", "aliases")
_SYSTEM_UNITS = "/etc/systemd/system"


@dataclass
class Description:
    """A definition: its text, and the files that lie beside it."""

    text: str = ""
    files: dict[str, bytes] = field(default_factory=lambda: {})
    """Relative path to content."""
    executable: set[str] = field(default_factory=lambda: set[str]())
    notes: list[str] = field(default_factory=lambda: list[str]())
    """What the definition does not say, one per line."""


def describe(inventory: Inventory, name: str, *, target: str | None, command: str) -> Description:
    """The definition of the machine as a system called ``name``. ``command`` is how it was asked for.

    Raises:
        HoldfastError: it is no distribution that can be defined, or ``name`` is no name of a system.
    """
    if not re.fullmatch(_SYSTEM_NAME, name):
        raise HoldfastError(
            f"{name!r} is no name of a system", resolution="Choose another: letters, digits, . _ and -."
        )
    distro = _distro(inventory)
    work = _Describing(inventory)
    parts = {
        "machine": ("Who it is, and what is installed.", work.machine()),
        "people": ("Who may use it. Passwords stay as they are.", work.people()),
        "configuration": ("Files that differ from what packages bring.", work.files()),
        "units": ("What differs from how packages leave systemd's units.", work.units()),
    }
    modules = [(key, title, lines) for key, (title, lines) in parts.items() if lines]
    work.leave_out()
    text = [*_head(name, command, work.made.notes), *_imports(work.used, distro)]
    for key, title, lines in modules:
        text += [
            "",
            "",
            f"def {key}(m: Module) -> None:",
            f'    """{title}"""',
            *(f"    {line}".rstrip() if line else "" for line in lines),
        ]
    arguments = [
        literal(name),
        f"modules=[{', '.join(key for key, _, _ in modules)}]",
        f"distro={distro}",
    ]
    if target is not None:
        arguments.append(f"target={literal(target)}")
    text += ["", "", *list_of_call("systems = ", "System", arguments)]
    work.made.text = "\n".join(work.unindented("\n".join(text).splitlines())) + "\n"
    return work.made


def _head(name: str, command: str, notes: Iterable[str]) -> list[str]:
    lines = [f'"""What {name} was when `{command}` looked at it: planned at once, it changes nothing.']
    told = list(notes)
    if told:
        lines += ["", "It does not say everything:", *(f"- {comment(note)}" for note in told)]
    return [*lines, '"""'] if len(lines) > 1 else [lines[0] + '"""']


def _imports(used: Iterable[str], distro: str) -> list[str]:
    return [
        "",
        "from __future__ import annotations",
        "",
        f"from holdfast import {', '.join(sorted((distro.partition('(')[0], 'Module', 'System')))}",
        f"from holdfast.library import {', '.join(sorted(used))}",
    ]


def _distro(inventory: Inventory) -> str:
    release = "sid" if inventory.unstable else inventory.os_release.get("VERSION_CODENAME", "")
    families = {inventory.os_release.get("ID", ""), *inventory.os_release.get("ID_LIKE", "").split()}
    if "debian" not in families or not re.fullmatch(r"[a-z][a-z0-9-]*", release):
        what = (
            inventory.os_release.get("PRETTY_NAME")
            or inventory.os_release.get("ID")
            or "no known distribution"
        )
        raise HoldfastError(
            f"the machine runs {what}, and definitions can only be made of Debian and its like so far",
            resolution="Begin with `holdfast init --template host` instead, and look at what `holdfast facts` prints.",
        )
    architecture = inventory.architecture
    more = f", architecture={literal(architecture)}" if architecture not in ("amd64", "") else ""
    ubuntu = inventory.os_release.get("UBUNTU_CODENAME", "")
    if ubuntu or inventory.os_release.get("ID") == "ubuntu":
        return f"Ubuntu({literal(ubuntu or release)}{more})"
    return f"Debian({literal(release)}{more})"


class _Describing:
    """Lines of the modules; what cannot be said becomes a note."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.made = Description()
        self.used: set[str] = {"Identity"}
        self._texts: dict[str, list[str]] = {}
        """Placeholders of long texts: their lines stand at the beginning of lines, whatever is around them."""

    def note(self, text: str) -> None:
        self.made.notes.append(text)

    def unindented(self, lines: list[str]) -> list[str]:
        """The lines with long texts in place of their placeholders."""
        found: list[str] = []
        for line in lines:
            key = next((key for key in re.findall(r"\0\d+\0", line)), None)
            found += line.replace(key, "\n".join(self._texts[key])).split("\n") if key else [line]
        return found

    def _long(self, text: str) -> str:
        key = f"\0{len(self._texts)}\0"
        self._texts[key] = text_literal(text)
        return key

    def machine(self) -> list[str]:
        found = self.inventory
        lines: list[str] = []
        if found.hostname is None or not re.fullmatch(_HOSTNAME, found.hostname):
            self.note(
                "/etc/hostname: it has no host name that could be declared; the system's own name becomes it"
            )
        else:
            lines.append(f"m[Identity].hostname = {literal(found.hostname)}")
        lines += self._language("locale", found.locale, "C.UTF-8", "locales")
        lines += self._language("timezone", found.timezone, "UTC", "tzdata")
        install = [name for name in found.packages if re.fullmatch(_PACKAGE, name)]
        if install:
            self.used.add("Packages")
            lines += listing("m[Packages].install = ", install)
        if found.held:
            self.used.add("Packages")
            lines += listing("m[Packages].hold = ", found.held)
        return lines

    def _language(self, option: str, value: str | None, default: str, package: str) -> list[str]:
        if value == default:
            return []
        if value is None:
            return [f"m[Identity].{option} = None  # nothing on the machine says one"]
        if package not in self.inventory.installed:
            return [f"m[Identity].{option} = None  # it is {comment(value)}, without the package {package!r}"]
        return [f"m[Identity].{option} = {literal(value)}"]

    def people(self) -> list[str]:
        found = self.inventory
        lines: list[str] = []
        declared = self._people()
        own = {name for name, user in declared.items() if user.group == name}
        groups = {name: group for name, group in found.groups.items() if _sound(name)}
        used = {group for user in declared.values() for group in (user.group, *user.groups)}
        for name, group in groups.items():
            members = [member for member in group.members if member not in declared]
            if name in own and not group.members:
                continue
            lines.append(f"m[Users].groups[{literal(name)}].gid = {group.gid}")
            if members:
                self.note(f"group {name}: its members {', '.join(members)} are not declared, and stay in it")
        foreign = sorted(used - BASE_GROUPS - own - set(groups))
        if foreign:
            lines = [*listing("m[Users].from_packages = ", foreign), *lines]
        for name, user in declared.items():
            body = self._user(name, user)
            if body:
                lines += ["", *body] if lines else body
        if lines:
            self.used.add("Users")
        return lines

    def _people(self) -> dict[str, FoundUser]:
        declared: dict[str, FoundUser] = {}
        for name, user in self.inventory.users.items():
            if not _sound(name) or not all(map(_sound, (user.group, *user.groups))):
                self.note(f"user {name}: its name, or that of a group of it, cannot be declared")
            elif not user.has_shell and name != "root":
                self.note(f"user {name}: its shell {user.shell} is not there")
            elif name != "root" or user.authorized_keys:
                declared[name] = user
        return declared

    def _user(self, name: str, user: FoundUser) -> list[str]:
        variable = "root" if name == "root" else "user"
        lines = [f"{variable} = m[Users].users[{literal(name)}]"]
        if name != "root":
            lines.append(f"{variable}.uid = {user.uid}")
            lines += self._account(name, user, variable)
        if user.authorized_keys:
            lines += listing(f"{variable}.authorized_keys = ", user.authorized_keys)
        return lines

    def _account(self, name: str, user: FoundUser, variable: str) -> list[str]:
        lines: list[str] = []
        if user.group != name:
            lines.append(f"{variable}.group = {literal(user.group)}")
        if user.groups:
            lines += listing(f"{variable}.groups = ", user.groups)
        if user.comment:
            lines.append(f"{variable}.comment = {literal(user.comment)}")
        if user.home != f"/home/{name}":
            lines.append(f"{variable}.home = {literal(user.home)}")
        if not user.has_home:
            lines.append(f"{variable}.create_home = False")
        if user.shell != "/bin/bash":
            lines.append(f"{variable}.shell = {literal(user.shell)}")
        if user.linger:
            lines.append(f"{variable}.linger = True")
        return lines

    def files(self) -> list[str]:
        plain: list[str] = []
        lines: list[str] = []
        for path, file in self.inventory.files.items():
            if not _is_below_root(path):
                self.note(f"{path}: a file of such a name cannot be kept beside the definition")
                continue
            content = _content(file)
            if content is None or not re.fullmatch("[0-7]{3,4}", file.mode):
                self.note(f"{path}: what it says of its content or mode makes no sense")
                continue
            if not (_sound(file.user) and _sound(file.group)):
                self.note(f"{path}: it belongs to {file.user}:{file.group}, which cannot be declared")
                continue
            executable = bool(int(file.mode, 8) & 0o100)
            relative = f"files{path}"
            self.made.files[relative] = content
            if executable:
                self.made.executable.add(relative)
            ordinary = file.mode == ("0755" if executable else "0644")
            if ordinary and (file.user, file.group) == ("root", "root"):
                plain.append(path)
                continue
            lines += [f"file = m[Files][{literal(path)}]", f"file.source = {literal(relative)}"]
            lines += [] if ordinary else [f"file.mode = {literal(file.mode)}"]
            lines += [
                f"file.{what} = {literal(one)}"
                for what, one in (("user", file.user), ("group", file.group))
                if one != "root"
            ]
        if len(plain) == 1:
            lines = [f"m[Files][{literal(plain[0])}].source = {literal('files' + plain[0])}", *lines]
        elif plain:
            paths = [f"    {literal(path)}," for path in plain]
            lines = ["for path in (", *paths, "):", '    m[Files][path].source = f"files{path}"', *lines]
        lines += [
            f"m[Files][{literal(path)}].link = {literal(target)}"
            for path, target in self.inventory.links.items()
        ]
        for name, unit in self.inventory.units.items():
            if unit.masked:  # a masked unit has no other options
                for dropin, text in unit.dropins.items():
                    path = f"{_SYSTEM_UNITS}/{name}.d/{dropin}"
                    lines.append(f"m[Files][{literal(path)}].text = {self._long(text)}")
        if lines:
            self.used.add("Files")
        return lines

    def units(self) -> list[str]:
        lines: list[str] = []
        masked = [name for name, unit in self.inventory.units.items() if unit.masked]
        if masked:
            lines += listing("m[Systemd].masked = ", masked)
        for name, unit in self.inventory.units.items():
            if not unit.masked:
                body = self._unit(name, unit)
                lines += ["", *body] if lines and len(body) > 1 else body
        if lines:
            self.used.add("Systemd")
        return lines

    def _unit(self, name: str, unit: FoundUnit) -> list[str]:
        lines: list[str] = []
        if unit.text is not None:
            lines.append(f"unit.text = {self._long(unit.text)}")
        if unit.enable is not None:
            lines.append(f"unit.enable = {unit.enable}")
        for what in _UNIT_LINKS:
            names: tuple[str, ...] = getattr(unit, what)
            if names:
                lines += listing(f"unit.{what} = ", names)
        for dropin, text in unit.dropins.items():
            lines.append(f"unit.dropins[{literal(dropin)}] = {self._long(text)}")
        place = f"m[Systemd].units[{literal(name)}]"
        if len(lines) == 1:
            return [lines[0].replace("unit", place, 1)]
        return [f"unit = {place}", *lines]

    def leave_out(self) -> None:
        """Name what is there and not said."""
        for path, reason in self.inventory.left_out.items():
            self.note(f"{path}: {reason}")
        for name in self.inventory.crontabs:
            self.note(f"the crontab of {name}")


def _sound(account: str) -> bool:
    try:
        check_account(account)
    except ValueError:
        return False
    return True


def _is_below_root(path: str) -> bool:
    """An absolute path that leads nowhere else when it is appended to a directory: the machine is not trusted with ours."""
    root, *parts = path.split("/")
    return root == "" and bool(parts) and not {"", ".", ".."}.intersection(parts) and path.isprintable()


def _content(file: FoundFile) -> bytes | None:
    try:
        if file.text is not None:
            return file.text.encode()
        return None if file.base64 is None else base64.b64decode(file.base64, validate=True)
    except ValueError:  # the machine may say anything
        return None


def system_name(inventory: Inventory, target: str | None) -> str:
    """A name for the system when nobody gave one: its host name, or the target's."""
    host = inventory.hostname or (target or "").rpartition("@")[2] or "machine"
    return re.sub(r"[^A-Za-z0-9_.-]", "-", host).strip("-._") or "machine"
