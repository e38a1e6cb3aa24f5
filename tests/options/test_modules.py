"""Which modules run, once each, and which option sets a system has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from holdfast.options import (
    BOOL,
    INT,
    STR,
    Module,
    OptionSet,
    evaluate,
    implements,
    lazy,
    list_of,
    module,
    option,
)
from tests.options.samples import Hardening, Service, Systemd, Web, config, line, refused, told


class Postgres(OptionSet, path="postgres"):
    enable = option(BOOL, default=False)
    port = option(INT, default=5432)


@implements(Postgres)
def postgres(m: Module) -> None:
    with m.when(lambda c: c[Postgres].enable):
        m[Web].ports = lazy(lambda c: [c[Postgres].port])


class Plain(OptionSet):
    value = option(STR, default="x")


def uses_postgres(m: Module) -> None:
    m[Postgres].enable = True  # here


def test_a_set_outside_the_system_names_the_import() -> None:
    message = told(lambda: config(uses_postgres))
    assert message.startswith(
        f"{line(uses_postgres, 'here')}: option set Postgres is not part of this system."
    )
    assert "m.imports(Postgres)" in message
    assert f"from {__name__} import Postgres" in message

    def reads(m: Module) -> None:
        m[Web].port = lazy(lambda c: c[Postgres].port)

    message = refused(reads)
    assert message.startswith(f"{line(reads, 'lazy')}: option set Postgres is not part of this system.")
    assert Postgres not in config() and Web in config()


@pytest.mark.parametrize(
    "modules", [(Postgres, uses_postgres), (uses_postgres, Postgres), (uses_postgres, postgres)]
)
def test_a_set_brings_its_function_and_a_function_its_set(
    modules: tuple[Callable[[Module], None], ...],
) -> None:
    assert config(*modules)[Web].ports == (5432,)


def test_imports_bring_sets() -> None:
    def imports(m: Module) -> None:
        m.imports(Postgres, Plain, postgres)
        m[Postgres].enable = True

    c = config(imports, imports)
    assert c[Web].ports == (5432,)
    assert c[Plain].value == "x"
    assert Postgres in c.sets()


def test_an_extension_outside_the_system_names_the_import() -> None:
    class Extra(OptionSet, extends=Service):
        x = option(INT, default=1)

    def writes(m: Module) -> None:
        m[Systemd].services["a"][Extra].x = 1

    def reads(m: Module) -> None:
        m[Systemd].services.add("a")
        m[Web].port = lazy(lambda c: c[Systemd].services["a"][Extra].x)

    assert "m.imports(Extra)" in refused(writes)
    assert "m.imports(Extra)" in refused(reads)
    assert config(reads, Extra)[Web].port == 1

    def unrelated(m: Module) -> None:
        m[Web][Hardening].strict = True

    def top(m: Module) -> None:
        m[Hardening].strict = True

    assert f"{line(unrelated, '[Hardening]')}: Hardening does not extend Web: it extends Service." in refused(
        unrelated
    )
    assert "Hardening extends Service; it has no place of its own" in refused(top)


def factory(port: int) -> Callable[[Module], None]:
    def made(m: Module) -> None:
        m[Web].ports = [port]

    return made


def parametrised(m: Module, port: int) -> None:
    m[Web].ports = [port]


def test_factories_and_partials_are_distinct_and_count_once() -> None:
    one, two = factory(1), factory(2)
    three = partial(parametrised, port=3)
    assert config(one, two, one, three, three, partial(parametrised, port=3))[Web].ports == (1, 2, 3, 3)


def test_modules_of_one_key_count_once() -> None:
    def keyed(port: int) -> Callable[[Module], None]:
        @module(key="the one")
        def made(m: Module) -> None:
            m[Web].ports = [port]

        return made

    assert config(keyed(1), keyed(2))[Web].ports == (1,)


def test_modules_in_a_loop_mean_what_they_meant() -> None:
    modules = [factory(port) for port in range(3)]
    assert config(*modules)[Web].ports == (0, 1, 2)


def test_imports_may_be_circular() -> None:
    def first(m: Module) -> None:
        m.imports(second)
        m[Web].ports = [1]

    def second(m: Module) -> None:
        m.imports(first)
        m[Web].ports = [2]

    assert config(first)[Web].ports == (2, 1)


def test_disabled_modules_leave_nothing_behind() -> None:
    one, two = factory(1), factory(2)

    def imports(m: Module) -> None:
        m.imports(one, two, Postgres)
        m[Postgres].enable = True

    def disables(m: Module) -> None:
        m.disable(one, Postgres)

    assert config(imports, disables)[Web].ports == (2,)
    assert config(disables, imports)[Web].ports == (2,)


def test_the_kind_of_a_module() -> None:
    @module(kind="container")
    def container(m: Module) -> None:
        m[Web].port = 1

    def imports(m: Module) -> None:
        m.imports(container)  # here

    assert config(container, kind="container")[Web].port == 1
    message = told(lambda: config(imports, kind="host"))
    assert message.startswith(f"{line(imports, 'here')}: module ")
    assert "is for systems of kind 'container', and this one is of kind 'host'" in message
    assert "of no kind" in told(lambda: config(container))


def test_imports_cannot_depend_on_the_config() -> None:
    def imports(m: Module) -> None:
        with m.when(lambda c: c[Web].enable):
            m.imports(factory(1))  # here

    assert refused(imports).startswith(f"{line(imports, 'here')}: imports cannot depend on the config")


def test_inputs_of_an_evaluation() -> None:
    def asks(m: Module) -> None:
        m[Web].user = m.given(str)

    assert evaluate([asks], sets=[Web], given=[3, "given"])[Web].user == "given"
    assert "was given no str" in told(lambda: config(asks))


def test_extending_keeps_the_kind_and_the_inputs() -> None:
    @module(kind="host")
    def host(m: Module) -> None:
        m[Web].user = m.given(str)

    c = config(kind="host", given=["x"]).extend([host])
    assert c[Web].user == "x"
    assert c.extend([factory(1)])[Web].ports == (1,)


def test_what_is_no_module() -> None:
    def imports(m: Module) -> None:
        m.imports(3)  # type: ignore[arg-type]  # here

    assert refused(imports).startswith(f"{line(imports, 'here')}: a module is a function of a Module")
    assert "int is a class but not an OptionSet" in told(lambda: config(int))  # type: ignore[arg-type]


def test_a_module_of_other_parameters_is_told_what_a_module_is() -> None:
    def without() -> None: ...

    def with_two(m: Module, c: object) -> None: ...

    for wrong in (without, with_two):
        message = told(lambda wrong=wrong: config(wrong))  # type: ignore[misc]
        assert "module test_a_module_of_other_parameters" in message
        assert "A module is a function of one parameter: def web(m: Module)" in message


def test_a_type_error_inside_a_module_is_no_question_of_its_parameters() -> None:
    def wrong(m: Module) -> None:
        len(3)  # type: ignore[arg-type]

    assert "one parameter" not in refused(wrong)


def test_a_set_has_one_function() -> None:
    def other(m: Module) -> None: ...

    assert "Postgres already has a function: postgres" in told(lambda: implements(Postgres)(other))


def test_a_local_name_for_definitions_of_a_list() -> None:
    class Local(OptionSet):
        names = option(list_of(STR))

    def records(m: Module) -> None:
        m.imports(Local)
        m[Local].names = ["a"]

    assert evaluate([records])[Local].names == ("a",)
