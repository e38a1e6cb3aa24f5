"""The one function from a system's definition to its manifest; pure but for reading the author's own files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from holdfast.base.codec import canonical_json
from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.library.assembling.accounts import assemble_accounts
from holdfast.library.assembling.files import Assembly as FileAssembly
from holdfast.library.assembling.problems import Problems
from holdfast.library.assembling.sets import every_set, is_at_hand, sets_at_hand
from holdfast.library.assembling.units import Assembly as UnitAssembly
from holdfast.library.files import Files
from holdfast.library.firewall import Firewall
from holdfast.library.identity import SYSTEM_NAME, Identity
from holdfast.library.packages import Packages
from holdfast.library.rendering.tmpfiles import render_tmpfiles
from holdfast.library.system import System
from holdfast.library.systemd import Systemd
from holdfast.library.tmpfiles import Tmpfiles
from holdfast.library.users import Users
from holdfast.manifest import model
from holdfast.manifest.contents import Content
from holdfast.options import Config, evaluate, priority_of


@dataclass(frozen=True)
class Evaluated:
    """A system as its definition amounts to."""

    manifest: model.Manifest
    contents: tuple[Content, ...]
    """Where what the manifest names by digest comes from, sorted by digest, each once."""
    warnings: tuple[str, ...]


def resolve(system: System) -> Config:
    """Run the system's modules with all sets of the library. Options are computed as they are read.

    Raises:
        HoldfastError: a module is wrong.
    """
    return evaluate(system.modules, sets=every_set(), kind="system", given=[system])


def resolve_lean(system: System) -> Config:
    """As :func:`resolve`, with the sets that definitions can have come across: a set that nobody imported says nothing."""
    sets = sets_at_hand()
    try:
        return evaluate(system.modules, sets=sets, kind="system", given=[system])
    except HoldfastError:
        found = sets_at_hand()  # a module may import sets as it runs
        if found == sets:
            raise
    return evaluate(system.modules, sets=found, kind="system", given=[system])


def evaluate_system(system: System) -> Evaluated:
    """Evaluate a system to its manifest.

    Raises:
        HoldfastError: all that is wrong with the definition, each with its place.
    """
    config = resolve_lean(system)
    warnings = config.verify()
    return assemble(system, config, warnings)


def assemble(system: System, config: Config, warnings: tuple[str, ...] = ()) -> Evaluated:
    """The manifest of a resolved config.

    Raises:
        HoldfastError: parts that do not fit together, each with its place.
    """
    problems = Problems(config)
    files = FileAssembly(problems)
    files.run(config[Files])
    units = UnitAssembly(config[Systemd], problems)
    units.run()
    of_users = UnitAssembly(config[Systemd].user, problems)
    of_users.run()
    entries = {**files.entries, **units.scripts, **of_users.scripts}
    users, groups = assemble_accounts(config[Users], problems)
    manifest = model.Manifest(
        schema=model.SCHEMA_VERSION,
        name=system.name,
        distribution=system.distro,
        identity=_identity(config[Identity]),
        packages=_packages(config[Packages], problems),
        files=entries,
        units=_with_contents(units, entries, problems),
        user_units=_with_contents(of_users, entries, problems),
        users=users,
        groups=groups,
        tmpfiles=_tmpfiles(config[Tmpfiles], problems),
        tags=tuple(sorted(system.tags)),
        target=system.target,
    )
    manifest = _with_further_parts(manifest, config, problems)
    problems.raise_any(f"the system {system.name!r}")
    contents = tuple(content for _, content in sorted(files.contents.items()))
    return Evaluated(manifest, contents, (*warnings, *_warnings(system, config)))


def _with_further_parts(manifest: model.Manifest, config: Config, problems: Problems) -> model.Manifest:
    """The parts that most systems do without: their code is loaded for those that have them."""
    if is_at_hand(config, "Host"):
        from holdfast.library.host import Host

        machine = config[Host]
        manifest = replace(
            manifest,
            allow_any_distribution=machine.allow_any_distribution,
            state_version=machine.state_version,
        )
    if is_at_hand(config, "Sysctl"):
        from holdfast.library.assembling import kernel

        manifest = replace(
            manifest,
            sysctl=kernel.parameters(config, problems),
            kernel_modules=kernel.modules(config, problems),
        )
    if is_at_hand(config, "Checks"):
        from holdfast.library.assembling.switching import assemble_checks, assemble_tasks
        from holdfast.library.switching import Checks, Hooks, Tasks

        users = {*manifest.users, *config[Users].from_packages}
        manifest = replace(
            manifest,
            checks=assemble_checks(config[Checks], problems),
            before_switch=config[Hooks].before_switch,
            after_switch=config[Hooks].after_switch,
            tasks=assemble_tasks(config[Tasks], users, problems),
        )
    if is_at_hand(config, "Health"):
        from holdfast.library.assembling.health import assemble_health
        from holdfast.library.health import Health

        manifest = replace(manifest, health=assemble_health(config[Health], problems))
    return manifest


def _identity(identity: Identity) -> model.Identity:
    options = (Identity.hostname, Identity.locale, Identity.timezone)
    assumed = tuple(option.name for option in options if priority_of(identity, option) >= SYSTEM_NAME)
    return model.Identity(identity.hostname, identity.locale, identity.timezone, assumed)


def _packages(packages: Packages, problems: Problems) -> model.Packages:
    for name in sorted(set(packages.install) & set(packages.remove)):
        problems.add(
            f"{name} is to be installed and to be removed; drop one of the two.", "packages", "remove"
        )
    repositories: dict[str, model.Source] = {}
    for name, repository in packages.repositories.items():
        if not repository.enable:
            continue
        with problems.at("packages", "repositories", name):
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
                raise ValueError(f"{name!r} is no repository name: write letters, digits, _ . and -")
            key = repository_key(repository.key, repository.key_file)
            suites = repository.suites
            for word in (repository.uri, *suites, *repository.components):
                if not re.fullmatch(r"[!-~]+", word):
                    raise ValueError(
                        f"{word!r} is not one word of plain letters, as sources.list(5) needs it"
                    )
            if not suites:
                raise ValueError("the repository has no suites")
            for suite in suites:
                if suite.endswith("/") == bool(repository.components):
                    raise ValueError(
                        f"the suite {suite!r} has components, but ends in / (a flat repository)"
                        if repository.components
                        else f"the suite {suite!r} needs components, or a final / for a flat repository"
                    )
                full = name if len(suites) == 1 else f"{name}-{suite.strip('/').replace('/', '-')}"
                repositories[full] = model.Source(
                    archive=name,
                    suite=suite,
                    components=repository.components,
                    mirror=repository.uri,
                    key=key,
                    check_valid_until=repository.check_valid_until,
                )
    return model.Packages(
        install=tuple(sorted(packages.install)),
        remove=tuple(sorted(packages.remove)),
        hold=tuple(sorted(packages.hold)),
        recommends=packages.recommends,
        repositories=repositories,
    )


def repository_key(key: str | None, key_file: str | None) -> str | None:
    """The armoured key of a repository, written in the definition or in a file beside it.

    Raises:
        ValueError: both are given, the file cannot be read, or it is not ASCII armour.
    """
    if key is not None and key_file is not None:
        raise ValueError("it has both key and key_file; keep one")
    if key_file is not None:
        try:
            with open(key_file, encoding="utf-8") as stream:  # noqa: PTH123 - pathlib costs 6 ms to import
                key = stream.read()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"the key file {key_file} cannot be read as text: {error}") from None
    if key is not None and not key.lstrip().startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----"):
        raise ValueError(
            "the key is not ASCII armour: convert it with gpg --enarmor, or export it with --armor"
        )
    return key


def _tmpfiles(tmpfiles: Tmpfiles, problems: Problems) -> tuple[str, ...]:
    lines = list(tmpfiles.rules)
    for path, kinds in tmpfiles.settings.items():
        for kind, rule in kinds.items():
            with problems.at("tmpfiles", "settings", path, kind):
                lines.append(
                    render_tmpfiles(
                        kind,
                        path,
                        mode=rule.mode,
                        user=rule.user,
                        group=rule.group,
                        age=rule.age,
                        argument=rule.argument,
                    )
                )
    for line in lines:
        if "\n" in line:
            problems.add(
                f"The rule {line!r} is more than one line; make each an item of its own.", "tmpfiles", "rules"
            )
    return tuple(dict.fromkeys(lines))


def _with_contents(
    units: UnitAssembly, entries: Mapping[str, model.Entry], problems: Problems
) -> dict[str, model.Unit]:
    return {
        name: _with_content(unit, entries, problems, units.paths.get(name, ("systemd",)))
        for name, unit in units.units.items()
    }


def _with_content(
    unit: model.Unit, entries: Mapping[str, model.Entry], problems: Problems, path: tuple[str, ...]
) -> model.Unit:
    """Triggers that name declared files, with the digest of what is in them."""
    if not unit.restart_triggers and not unit.reload_triggers:
        return unit
    for option in ("restart_triggers", "reload_triggers"):
        triggers: tuple[str, ...] = getattr(unit, option)
        for trigger in triggers:
            if trigger.startswith("/") and not trigger.endswith("/") and trigger not in entries:
                problems.add(
                    f"{trigger} is no declared file, so a change of it is never seen: declare it in files, or drop it.",
                    *path,
                    option,
                )
    return replace(
        unit,
        restart_triggers=_triggers(unit.restart_triggers, entries),
        reload_triggers=_triggers(unit.reload_triggers, entries),
    )


def _triggers(triggers: tuple[str, ...], entries: Mapping[str, model.Entry]) -> tuple[str, ...]:
    made: list[str] = []
    for trigger in triggers:
        if not trigger.startswith("/"):
            made.append(trigger)
            continue
        for path in sorted(entries):
            if path == trigger or (trigger.endswith("/") and path.startswith(trigger)):
                made.append(f"{path} {digest_bytes(canonical_json(entries[path]))}")
    return tuple(dict.fromkeys(made))


def _warnings(system: System, config: Config) -> tuple[str, ...]:
    firewall = config[Firewall]
    if (
        system.target is None
        or not firewall.enable
        or firewall.ruleset is not None
        or firewall.policy == "accept"
    ):
        return ()
    opened = set(firewall.allowed_tcp_ports).union(
        *(one.allowed_tcp_ports for one in firewall.interfaces.values())
    )
    ports = _ssh_ports(config)
    if (
        opened & ports
        or firewall.trusted_interfaces
        or firewall.allowed_tcp_port_ranges
        or any(str(port) in firewall.extra_input_rules for port in ports)
    ):
        return ()
    port = min(ports)
    told = f"the firewall lets in no new ssh connection (port {port}), but the system is deployed to {system.target}"
    return (f"{told}: allow it with m[Firewall].allowed_tcp_ports = [{port}]",)


def _ssh_ports(config: Config) -> set[int]:
    if not is_at_hand(config, "Ssh"):
        return {22}
    from holdfast.library.ssh import server_ports

    return set(server_ports(config))
