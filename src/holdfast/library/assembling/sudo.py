"""From the options of sudo to its file."""

from __future__ import annotations

from holdfast.library.assembling.problems import Problems
from holdfast.library.rendering import sudoers as text
from holdfast.library.sudo import Rule, Sudo
from holdfast.options import Config


def sudoers_text(c: Config) -> str:
    """The file for /etc/sudoers.d.

    Raises:
        HoldfastError: rules that sudo could not read, each with its place.
    """
    mine = c[Sudo]
    problems = Problems(c)
    rules = sorted(
        ((rule.order, name, _rule(name, rule)) for name, rule in mine.rules.items() if rule.enable),
        key=lambda one: one[:2],
    )
    for _, name, rule in rules:
        with problems.at("sudo", "rules", name):
            text.render_rule(rule)
    for line in mine.defaults:
        with problems.at("sudo", "defaults"):
            text.defaults_line(line)
    problems.raise_any("the rules of sudo")
    return text.render_sudoers(
        [rule for _, _, rule in rules],
        defaults=mine.defaults,
        wheel=mine.wheel_needs_password,
        extra=mine.extra_config,
    )


def _rule(name: str, rule: Rule) -> text.Rule:
    tags = [
        tag
        for tag, wanted in (
            ("NOPASSWD", rule.no_password),
            ("SETENV", rule.set_env),
            ("NOEXEC", rule.no_exec),
        )
        if wanted
    ]
    return text.Rule(
        name, rule.users, rule.groups, rule.commands, rule.run_as_users, rule.run_as_groups, tags
    )
