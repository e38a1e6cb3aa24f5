"""What sets declare about one another: renamed and removed options, assertions, choices that unite, introspection."""

from __future__ import annotations

import pytest

from holdfast.options import (
    INT,
    STR,
    Module,
    OptionSet,
    attrs_of,
    default,
    definitions_of,
    evaluate,
    force,
    is_defined,
    list_of,
    one_of,
    option,
    override,
    priority_of,
    removed_option,
    renamed_option,
    submodule,
)
from tests.options.samples import Hardening, Service, Systemd, Web, config, line, refused, told

NOTHING: dict[str, str] = {}


class Elsewhere(OptionSet, path="elsewhere"):
    target = option(list_of(STR))


class Old(OptionSet, path="old"):
    user = option(STR, default="u")
    owner = renamed_option(user)
    items = renamed_option(Elsewhere.target)
    entries = option(attrs_of(STR))
    things = renamed_option(entries)
    gone = removed_option("Use old.user.")


def test_renames_forward_definitions_with_their_priority() -> None:
    def module(m: Module) -> None:
        m[Old].owner = default("weak")
        m[Old].items = override(70, ["x"])
        m[Old].things["a"] = "b"
        with m.when(lambda c: False):
            m[Old].owner = force("never")

    c = evaluate([module], sets=[Old, Elsewhere])
    assert (c[Old].user, priority_of(c[Old], Old.user)) == ("weak", 1000)
    assert c[Old].owner == "weak"
    assert c[Elsewhere].target == ("x",)
    assert priority_of(c[Elsewhere], Elsewhere.target) == 70
    assert c[Old].entries["a"] == "b"
    assert c.verify() == (
        f"{line(module, 'weak')}: option old.owner has been renamed to old.user.",
        f"{line(module, 'items')}: option old.items has been renamed to elsewhere.target.",
    )


def test_removals_fail_with_advice() -> None:
    def module(m: Module) -> None:
        m[Old].gone = 1  # type: ignore[assignment]

    def unused(m: Module) -> None:
        with m.when(lambda c: False):
            m[Old].gone = 1  # type: ignore[assignment]

    message = refused(module, sets=[Old, Elsewhere])
    assert message == f"{line(module, 'gone')}: option old.gone has been removed. Use old.user."
    assert evaluate([unused], sets=[Old, Elsewhere]).verify() == ()


def test_assertions_and_warnings_are_told_together() -> None:
    def module(m: Module) -> None:
        m.assert_that(lambda c: c[Web].port > 1024, "the port is privileged")
        m.assert_that(lambda c: c[Web].enable, "web must be enabled")
        m.assert_that(lambda c: True, "fine")
        with m.when(lambda c: c[Web].enable):
            m.assert_that(lambda c: False, "not asked")
            m.warn("not told")
        m.warn("careful")

    message = refused(module)
    assert "2 things are wrong" in message
    assert "the port is privileged" in message and "web must be enabled" in message
    assert "fine" not in message and "not asked" not in message
    good = config(module).extend([lambda m: setattr(m[Web], "port", 8080)])
    assert "web must be enabled" in told(good.verify)
    assert config(lambda m: m.warn("careful")).verify() == ("careful",)


def test_verify_tells_everything_that_is_wrong() -> None:
    def module(m: Module) -> None:
        m[Web].port = "x"  # type: ignore[assignment]
        m[Systemd].services["a"].user = 3  # type: ignore[assignment]
        m[Web].env["a"] = 5  # type: ignore[assignment]

    message = refused(module)
    assert "3 things are wrong" in message
    for path in ("web.port", "systemd.services.a.user", "web.env.a"):
        assert path in message


def test_introspection() -> None:
    def module(m: Module) -> None:
        m[Web].ports = [2]
        m[Web].ports = [3]
        m[Web].ports = default([4])
        m[Systemd].services["a"].user = force("x")

    c = config(module)
    assert is_defined(c[Web], Web.ports) and not is_defined(c[Web], Web.user)
    assert [one.value for one in definitions_of(c[Web], Web.ports)] == [[2], [3]]
    assert f"{definitions_of(c[Web], Web.ports)[0].line}" == line(module, "[2]").rpartition(":")[2]
    assert priority_of(c[Web], Web.user) == 1500
    assert priority_of(c[Systemd].services["a"], Service.user) == 50
    assert is_defined(c[Systemd].services["a"], Service.user)


class Choice(OptionSet, path="choice"):
    level = option(one_of("low"), default="low")
    parts = option(attrs_of(submodule(Service)))


class MoreChoice(OptionSet, extends=Choice, path=""):
    level = option(one_of("high"))
    extra = option(INT, default=1)


def test_choices_declared_twice_unite() -> None:
    def module(m: Module) -> None:
        m[Choice].level = "high"

    assert evaluate([module], sets=[Choice, MoreChoice])[Choice].level == "high"
    c = evaluate([module], sets=[Choice, MoreChoice])
    assert c[Choice][MoreChoice].level == "high"
    assert c.data() == {"choice": {"level": "high", "parts": {}, "extra": 1}}
    assert 'one of "low"' in told(lambda: evaluate([module], sets=[Choice])[Choice].level)


def test_sets_that_do_not_fit_together() -> None:
    class Same(OptionSet, path="web"):
        port = option(STR)

    class Below(OptionSet, path="web.user.more"):
        x = option(STR)

    class Twice(OptionSet, extends=Choice, path=""):
        level = option(INT)

    class Beside(OptionSet, extends=Service, path="hardening"):
        x = option(INT)

    assert "option web.port is declared twice" in told(lambda: config(sets=[Web, Same]))
    assert "web.user is an option (a string), so option set Below" in told(lambda: config(sets=[Web, Below]))
    assert "declared twice" in told(lambda: config(sets=[Choice, Twice]))
    assert "both extend at hardening" in told(lambda: config(sets=[Hardening, Beside]))
    with pytest.raises(Exception, match="underscore"):

        class Private(OptionSet):
            _x = option(INT)
