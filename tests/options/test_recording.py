"""What a module may write and read while it runs; what no checker sees is told with the corrected line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from holdfast.options import Config, Module, before, default, force, freeze, lazy, override
from tests.options.samples import (
    Files,
    Hardening,
    Service,
    Sysctl,
    Systemd,
    Web,
    config,
    line,
    refused,
    told,
)


def reads_in_an_if(m: Module) -> None:
    if m[Web].enable:  # here
        m[Web].port = 1


def reads_in_a_comparison(m: Module) -> None:
    if m[Web].port == 80 and True:  # here
        m[Web].port = 1


def reads_another_option(m: Module) -> None:
    m[Web].user = m[Systemd].services["a"].user  # here


def reads_inside_an_expression(m: Module) -> None:
    m[Web].user = "x-" + m[Web].text  # here


def adds_to_a_list(m: Module) -> None:
    m[Web].ports += (1,)  # here


def iterates_over_a_list(m: Module) -> None:
    for port in m[Web].ports:  # here
        m[Web].port = port


def iterates_over_a_mapping(m: Module) -> None:
    for name in m[Systemd].services:  # here
        m[Systemd].services[name].user = "x"


def asks_for_a_key(m: Module) -> None:
    if "a" in m[Systemd].services:  # here
        pass


def asks_a_keyed_set(m: Module) -> None:
    if "/etc/motd" in m[Files]:  # here
        pass


def reads_an_entry(m: Module) -> None:
    m[Web].user = m[Sysctl]["a"]  # here


def assigns_a_mapping(m: Module) -> None:
    m[Web].env = m[Systemd].services["a"].environment  # here


def asks_whether_a_set_is_true(m: Module) -> None:
    if m[Web]:  # type: ignore[truthy-bool]  # here
        pass


def passes_a_read_on(m: Module) -> None:
    print(m[Web].port)  # here


def reads_a_read_over_lines(m: Module) -> None:
    m[Web].user = (  # not here
        "a" + m[Web].text  # here
    )


def reads_through_a_local_name(m: Module) -> None:
    hello = m[Systemd].services["hello"]
    if hello.user == "x":  # here
        hello.after = ["a"]


def reads_in_a_when(m: Module) -> None:
    with m.when(m[Web].enable):  # type: ignore[arg-type]  # here
        m[Web].port = 1


def asks_a_local_mapping(m: Module) -> None:
    services = m[Systemd].services
    if "a" not in services:  # here
        pass


def assigns_an_option_set(m: Module) -> None:
    m[Web].env = m[Systemd].services["a"]  # type: ignore[assignment]  # here


CORRECTIONS: list[tuple[Callable[[Module], None], str]] = [
    (reads_in_an_if, "with m.when(lambda c: c[Web].enable):"),
    (reads_in_a_comparison, "with m.when(lambda c: c[Web].port == 80 and True):"),
    (reads_another_option, "m[Web].user = lazy(lambda c: c[Systemd].services['a'].user)"),
    (reads_inside_an_expression, "m[Web].user = lazy(lambda c: 'x-' + c[Web].text)"),
    (adds_to_a_list, "m[Web].ports = (1,)"),
    (iterates_over_a_list, "lambda c: c[Web].ports"),
    (iterates_over_a_mapping, "each(lambda c: c[Systemd].services, lambda entry, name: ...)"),
    (asks_for_a_key, "with m.when(lambda c: 'a' in c[Systemd].services):"),
    (asks_a_keyed_set, "with m.when(lambda c: '/etc/motd' in c[Files]):"),
    (reads_an_entry, "m[Web].user = lazy(lambda c: c[Sysctl]['a'])"),
    (assigns_a_mapping, "m[Web].env = lazy(lambda c: c[Systemd].services['a'].environment)"),
    (asks_whether_a_set_is_true, "with m.when(lambda c: c[Web]):"),
    (reads_through_a_local_name, "with m.when(lambda c: c[Systemd].services['hello'].user == 'x'):"),
    (reads_in_a_when, "with m.when(lambda c: c[Web].enable):"),
    (asks_a_local_mapping, "with m.when(lambda c: 'a' not in c[Systemd].services):"),
    (assigns_an_option_set, "m[Web].env = lazy(lambda c: c[Systemd].services['a'])"),
    (passes_a_read_on, "lazy(lambda c: c[Web].port)"),
    (reads_a_read_over_lines, "m[Web].user = lazy(lambda c: 'a' + c[Web].text)"),
]


@pytest.mark.parametrize(("module", "correction"), CORRECTIONS)
def test_reading_while_recording_shows_the_corrected_line(
    module: Callable[[Module], None], correction: str
) -> None:
    message = told(lambda: config(module))
    assert message.startswith(line(module, "# here") + ":")
    assert f"Write instead: {correction}" in message or correction in message.splitlines()[-1]


def test_advice_without_source() -> None:
    namespace: dict[str, Any] = {"Web": Web}
    exec("def module(m):\n    if m[Web].enable: pass\n", namespace)
    message = told(lambda: config(namespace["module"]))
    assert "<string>:2: web.enable has no value yet" in message
    assert "m.when(lambda c: ...)" in message


def test_misspelled_names() -> None:
    def assigns(m: Module) -> None:
        m[Web].enabel = True  # type: ignore[attr-defined]

    def reads(m: Module) -> None:
        m[Systemd].servces["a"].user = "x"  # type: ignore[attr-defined]

    def in_submodule(m: Module) -> None:
        m[Systemd].services["a"].usr = "x"  # type: ignore[attr-defined]

    def in_extension(m: Module) -> None:
        m[Systemd].services["a"][Hardening].strct = True  # type: ignore[attr-defined]

    def in_lambda(m: Module) -> None:
        m[Web].user = lazy(lambda c: c[Web].usre)  # type: ignore[attr-defined]

    assert (
        refused(assigns) == f"{line(assigns, 'enabel')}: Web has no option `enabel`.\nDid you mean `enable`?"
    )
    assert refused(reads).startswith(f"{line(reads, 'servces')}: Systemd has no option `servces`.")
    assert "Service has no option `usr`.\nDid you mean `user`?" in refused(in_submodule)
    assert "Hardening has no option `strct`.\nDid you mean `strict`?" in refused(in_extension)
    assert refused(in_lambda).startswith(f"{line(in_lambda, 'usre')}: Web has no option `usre`.")


def test_a_bare_string_for_a_list() -> None:
    def module(m: Module) -> None:
        m[Systemd].services["a"].after = "network.target"

    message = refused(module)
    assert message.startswith(f"{line(module, 'network')}: systemd.services.a.after takes a list of strings")
    assert "Write it as a list: ['network.target']." in message


def test_loop_variables_mean_what_they_meant() -> None:
    def module(m: Module) -> None:
        for number in range(3):
            m[Sysctl][f"s{number}"] = lazy(lambda c: str(number))  # noqa: B023 - this is the point
            with m.when(lambda c: number == 1):  # noqa: B023
                m[Sysctl][f"only{number}"] = "yes"

            def helper() -> str:
                return f"helped {number}"  # noqa: B023

            m[Sysctl][f"h{number}"] = lazy(lambda c: helper())
            m[Systemd].services.each(lambda c: [f"e{number}"], record(number))  # noqa: B023

    c = config(module)
    assert [c[Sysctl][f"s{number}"] for number in range(3)] == ["0", "1", "2"]
    assert [c[Sysctl][f"h{number}"] for number in range(3)] == ["helped 0", "helped 1", "helped 2"]
    assert "only1" in c[Sysctl] and "only0" not in c[Sysctl] and "only2" not in c[Sysctl]
    assert [service.user for service in c[Systemd].services.values()] == ["u0", "u1", "u2"]


def record(number: int) -> Callable[[Service, str], None]:
    def body(service: Service, key: str) -> None:
        service.user = f"u{number}"

    return body


def test_freezing_keeps_recursion_and_names_bound_later() -> None:
    def outer() -> Callable[[], int]:
        def count(number: int) -> int:
            return 0 if number == 0 else 1 + count(number - 1)

        frozen: Callable[[], int] = freeze(lambda: count(5) + later())

        def later() -> int:
            return 10

        return frozen

    assert outer()() == 15


def test_a_module_bound_to_a_method_or_partial() -> None:
    class Site:
        def module(self, m: Module) -> None:
            m[Web].ports = [1]

    def parametrised(m: Module, port: int) -> None:
        m[Web].ports = [port]

    site = Site()
    modules: list[Callable[[Module], None]] = [
        site.module,
        site.module,
        partial(parametrised, port=2),
        partial(parametrised, port=3),
    ]
    assert config(*modules)[Web].ports == (1, 2, 3)


def test_conditions_priorities_and_order_nest() -> None:
    def module(m: Module) -> None:
        m[Web].ports = force(before(lazy(lambda c: [1])))
        m[Web].ports = before(force([0]))
        m[Web].ports = force([2])
        m[Web].ports = [9]
        with m.when(lambda c: c[Web].enable), m.when(lambda c: not c[Web].enable):
            m[Web].user = "never"
        kept = m.when(lambda c: c[Web].port == 80)
        with m.when(lambda c: c[Web].enable), kept:
            m[Web].text = "never"
        with kept:
            m[Web].text = "kept"

    c = config(module)
    assert c[Web].ports == (1, 0, 2)
    assert c[Web].user == "www-data"
    assert c[Web].text == "kept"


def test_two_priorities_say_nothing_clear() -> None:
    assert "already has priority 50" in told(lambda: default(force(1)))
    assert "already has order 500" in told(lambda: before(before([1])))
    assert override(70, before([1])).priority == 70


def test_wrong_arguments() -> None:
    def when_true(m: Module) -> None:
        with m.when(True):  # type: ignore[arg-type]
            pass

    def not_a_set(m: Module) -> None:
        m["web"].enable = True  # type: ignore[index,assignment]

    def key(m: Module) -> None:
        m[Systemd].services[3].user = "a"  # type: ignore[index]

    def each_of_values(m: Module) -> None:
        m[Sysctl].each(lambda c: ["a"], lambda one, key: None)

    def string_condition(m: Module) -> None:
        with m.when(lambda c: c[Web].user):  # type: ignore[arg-type,return-value]
            m[Web].port = 1

    def lazy_priority(m: Module) -> None:
        m[Web].port = lazy(lambda c: force(1))  # type: ignore[arg-type,return-value]

    assert "a plain `if` will do" in refused(when_true)
    assert f"{line(not_a_set, 'web')}: m[...] takes an option set" in refused(not_a_set)
    assert f"{line(key, '[3]')}: keys are strings" in refused(key)
    assert "each() is for mappings of submodules" in refused(each_of_values)
    assert f"{line(string_condition, 'm.when')}: a condition is True or False, not str 'www-data'" in refused(
        string_condition
    )
    assert "force(lazy(lambda c: ...))" in refused(lazy_priority)
    assert "lazy() takes a function" in told(lambda: lazy(3))  # type: ignore[arg-type]


def test_recorders_stop_with_their_module() -> None:
    kept: list[Module] = []

    def module(m: Module) -> None:
        kept.append(m)
        m[Web].user = lazy(lambda c: sneak(c))

    def sneak(c: Config) -> str:
        kept[0][Web].port = 3
        return "x"

    assert "a module can only define options while it runs" in refused(module)


def test_read_views_cannot_be_written() -> None:
    c = config(lambda m: setattr(m[Systemd].services["a"], "user", "x"))

    def option() -> None:
        c[Web].port = 3  # here

    def entry() -> None:
        c[Sysctl]["a"] = "b"  # here

    def added() -> None:
        c[Systemd].services.add("b")  # here

    for write in (option, entry, added):
        message = told(write)
        assert message.startswith(line(write, "# here"))
        assert "read-only" in message


def test_module_code_that_fails_keeps_its_place() -> None:
    def module(m: Module) -> None:
        m[Web].port = int("eighty")

    message = refused(module)
    assert message.startswith(f"{line(module, 'eighty')}: module ")
    assert "ValueError: invalid literal" in message


def test_a_function_without_lazy_and_none() -> None:
    def function(m: Module) -> None:
        m[Web].user = lambda c: "web"  # type: ignore[assignment]

    def nothing(m: Module) -> None:
        m[Web].user = None  # type: ignore[assignment]

    message = refused(function)
    assert message.startswith(f"{line(function, 'lambda')}: web.user takes a string, not function ")
    assert f"<lambda> ({line(function, 'lambda')})" in message, "an address tells nobody anything"
    assert "put lazy(...) around the function" in message
    assert "Leave the assignment out" in refused(nothing)
