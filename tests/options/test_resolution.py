"""Conditions, priorities, laziness, mappings and submodules."""

from __future__ import annotations

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.options import (
    INT,
    STR,
    Config,
    Module,
    OptionSet,
    default,
    evaluate,
    force,
    lazy,
    list_of,
    option,
)
from tests.options.samples import Files, Hardening, Service, Sysctl, Systemd, Web, config, line, refused, told

NOTHING: dict[str, str] = {}


def test_the_example_of_the_design() -> None:
    def web(m: Module) -> None:
        m[Files]["/etc/motd"].text = "Held fast.\n"
        m[Web].enable = True
        hello = m[Systemd].services["hello"]
        hello.exec_start = ["/usr/bin/python3", "-m", "http.server", "8080"]
        with m.when(lambda c: c[Web].enable):
            hello.after = ["nginx.service"]
        hello.section["Service"]["CPUQuota"] = "20%"
        hello[Hardening].strict = True

    c = config(web)
    hello = c[Systemd].services["hello"]
    assert c[Files]["/etc/motd"].text == "Held fast.\n"
    assert hello.after == ("nginx.service",)
    assert hello.section["Service"]["CPUQuota"] == "20%"
    assert hello[Hardening].strict is True
    assert hello.description == "The hello service"
    assert c.verify() == ()
    assert c.data()["systemd"]["services"]["hello"]["hardening"] == {"strict": True}


def test_what_one_evaluation_makes_of_a_default_does_not_leak_into_the_next() -> None:
    class Shared(OptionSet):
        items = option(list_of(INT), default=())
        shout = option(STR, default="a", apply=str.upper)

    def module(m: Module) -> None:
        m[Shared].items = ()
        m[Shared].items = (1,)
        m[Shared].shout = "b"

    for _ in range(2):
        assert evaluate([], sets=[Shared]).data() == {"shared": {"items": [], "shout": "A"}}
        assert evaluate([module], sets=[Shared]).data() == {"shared": {"items": [1], "shout": "B"}}


def test_a_plain_list_replaces_a_default_list() -> None:
    def module(m: Module) -> None:
        m[Web].ports = default([1])
        m[Web].ports = [2]

    assert config(module)[Web].ports == (2,)


def test_conditions_read_the_config_without_false_cycles() -> None:
    def module(m: Module) -> None:
        m[Web].enable = True
        with m.when(lambda c: c[Web].enable):
            m[Web].port = 81
            m[Web].user = lazy(lambda c: f"user{c[Web].port}")
            m[Systemd].services["web"].after = ["b"]
        with m.when(lambda c: "web" in c[Systemd].services):
            m[Systemd].services["other"].after = lazy(lambda c: c[Systemd].services["web"].after)
        with m.when(lambda c: c[Systemd].services["other"].after == ("b",)):
            m[Systemd].services["other"].user = "x"

    c = config(module)
    assert c[Web].user == "user81"
    assert list(c[Systemd].services) == ["other", "web"]
    assert c[Systemd].services["other"].user == "x"


def test_keys_follow_conditions_not_values() -> None:
    def module(m: Module) -> None:
        touched = m[Systemd].services["touched"]
        with m.when(lambda c: c[Web].enable):
            touched.user = "x"
            m[Systemd].services.add("added")
        m[Systemd].services.add("always")
        m[Systemd].services["failing"].user = lazy(lambda c: str(1 // 0))

    c = config(module)
    assert list(c[Systemd].services) == ["always", "failing"]
    assert "touched" not in c[Systemd].services
    assert c[Systemd].services["always"].user == "root"
    enabled = c.extend([lambda m: setattr(m[Web], "enable", True)])
    assert list(enabled[Systemd].services) == ["added", "always", "failing", "touched"]


def test_each_records_entries_for_keys_of_the_config() -> None:
    def body(service: Service, key: str) -> None:
        service.exec_start = ["serve", key]
        service.user = lazy(lambda c: c[Sysctl][key])

    def module(m: Module) -> None:
        m[Sysctl]["a"] = "1"
        m[Sysctl]["b"] = "2"
        m[Systemd].services.each(lambda c: c[Sysctl], body)
        m[Systemd].services["a"].after = ["x"]
        with m.when(lambda c: c[Web].enable):
            m[Systemd].services.each(lambda c: ["never"], body)

    c = config(module)
    assert {key: (one.exec_start, one.user, one.after) for key, one in c[Systemd].services.items()} == {
        "a": (("serve", "a"), "1", ("x",)),
        "b": (("serve", "b"), "2", ()),
    }


def test_whole_mappings_and_entries() -> None:
    def entries(m: Module) -> None:
        m[Web].env["A"] = "a"
        m[Web].env["B"] = default("weak")

    def whole(m: Module) -> None:
        m[Web].env = {"B": "b", "C": "c"}

    def stronger(m: Module) -> None:
        m[Web].env = force({"D": "d"})

    def weaker(m: Module) -> None:
        m[Web].env = default({"E": "e"})

    def computed(m: Module) -> None:
        m[Web].env = lazy(lambda c: {key.upper(): key for key in c[Sysctl]})

    assert dict(config(entries, whole)[Web].env) == {"A": "a", "B": "b", "C": "c"}
    assert dict(config(entries, stronger)[Web].env) == {"D": "d"}
    assert dict(config(entries, weaker)[Web].env) == {"A": "a", "B": "weak"}
    assert dict(config(weaker)[Web].env) == {"E": "e"}
    sysctl = lambda m: m[Sysctl].__setitem__("x", "1")  # noqa: E731
    assert dict(config(computed, sysctl)[Web].env) == {"X": "x"}


def test_a_forced_submodule_replaces_what_others_wrote() -> None:
    def fresh(service: Service) -> None:
        service.user = "fresh"

    def module(m: Module) -> None:
        m[Systemd].services["a"].after = ["x"]
        m[Systemd].services["a"] = force(fresh)
        m[Systemd].services["b"].after = ["x"]
        m[Systemd].services["b"] = fresh

    c = config(module)
    assert (c[Systemd].services["a"].user, c[Systemd].services["a"].after) == ("fresh", ())
    assert (c[Systemd].services["b"].user, c[Systemd].services["b"].after) == ("fresh", ("x",))


def test_each_that_goes_wrong() -> None:
    def no_keys(m: Module) -> None:
        m[Systemd].services.each(lambda c: 3, named)  # type: ignore[arg-type,return-value]

    def odd_keys(m: Module) -> None:
        m[Systemd].services.each(lambda c: [3], named)  # type: ignore[list-item]

    def raises(m: Module) -> None:
        m[Systemd].services.each(lambda c: ["a"], failing)

    def named(service: Service, key: str) -> None:
        service.user = key

    def failing(service: Service, key: str) -> None:
        service.user = NOTHING[key]

    assert refused(no_keys).startswith(
        f"{line(no_keys, '3')}: the each() of systemd.services failed: TypeError"
    )
    assert refused(odd_keys).startswith(
        f"{line(odd_keys, '3')}: systemd.services takes strings as keys, not int 3"
    )
    message = refused(raises)
    assert message.startswith(f"{line(raises, 'each')}: the each() of systemd.services failed: KeyError: 'a'")
    assert f"raised at {line(failing, 'NOTHING')}" in message


def test_unknown_entries_suggest() -> None:
    def module(m: Module) -> None:
        m[Systemd].services["nginx"].user = "x"
        m[Web].user = lazy(lambda c: c[Systemd].services["ngnix"].user)

    message = refused(module)
    assert message.startswith(f"{line(module, 'ngnix')}: systemd.services has no entry 'ngnix'.")
    assert f"needed by web.user, its definition at {line(module, 'ngnix')}" in message
    assert "Did you mean `nginx`?" in message
    assert "It has no entries at all." in told(lambda: config()[Files]["/a"])


def test_conflicts_name_every_definition() -> None:
    def one(m: Module) -> None:
        m[Web].user = "a"

    def two(m: Module) -> None:
        m[Web].user = lazy(lambda c: "b")
        m[Web].user = default("c")

    message = refused(one, two)
    assert message.startswith("web.user (a string) has 2 definitions that conflict.")
    assert f"  {line(one, 'user')}: 'a'" in message
    assert f"  {line(two, 'lazy')}: 'b'" in message
    assert "default(...) gives way to the others, force(...) beats them" in message


def test_authors_code_that_fails_keeps_option_chain_and_place() -> None:
    def module(m: Module) -> None:
        m[Web].user = lazy(lambda c: NOTHING["x"])
        m[Web].text = lazy(lambda c: c[Web].user)
        with m.when(lambda c: 1 // 0 == 1):
            m[Web].port = 3

    c = config(module)
    message = told(lambda: c[Web].text)
    assert message.startswith(f"{line(module, 'NOTHING')}: the lazy value of web.user failed: KeyError: 'x'")
    assert f"raised at {line(module, 'NOTHING')}" in message
    assert f"needed by web.text, its definition at {line(module, 'm[Web].text')}" in message
    message = told(lambda: c[Web].port)
    assert message.startswith(
        f"{line(module, 'm.when')}: the condition of web.port failed: ZeroDivisionError"
    )


def test_an_error_has_a_cause_only_if_the_author_raised_it() -> None:
    def module(m: Module) -> None:
        m[Web].user = lazy(lambda c: c[Web].text)
        m[Web].text = lazy(lambda c: NOTHING["x"])
        m[Web].env = lazy(lambda c: {"a": c[Systemd].services["none"].user})

    c = config(module)
    with pytest.raises(HoldfastError) as caught:
        c[Web].user  # noqa: B018
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(HoldfastError) as caught:
        c[Web].env  # noqa: B018
    assert caught.value.__cause__ is None


def test_an_author_may_catch_what_a_read_raises() -> None:
    def careful(c: Config) -> str:
        try:
            return c[Web].text
        except Exception:
            return "none"

    c = config(lambda m: setattr(m[Web], "user", lazy(careful)))
    assert c[Web].user == "none"


def test_read_only_takes_one_definition() -> None:
    class Fixed(OptionSet):
        value = option(STR, default="a", read_only=True)

    def module(m: Module) -> None:
        m[Fixed].value = "b"

    assert evaluate([module], sets=[Fixed])[Fixed].value == "b"
    assert "read-only" in told(lambda: evaluate([module, lambda m: module(m)], sets=[Fixed])[Fixed].value)


def test_an_entry_knows_its_key() -> None:
    def module(m: Module) -> None:
        m[Systemd].services.add("a")

    c = config(module)
    assert c[Systemd].services["a"].name == "a"

    def assigns(m: Module) -> None:
        m[Systemd].services["a"].name = "b"  # type: ignore[assignment]

    message = refused(assigns)
    assert message.startswith(f"{line(assigns, 'name')}: systemd.services.a.name is the key of its entry")
