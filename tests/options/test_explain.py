"""Every value explains itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from holdfast.options import Module, before, default, force, lazy
from tests.options.samples import Files, Hardening, Service, Systemd, Web, config, line, told


def module(m: Module) -> None:
    m[Web].user = default("weak")
    m[Web].user = "plain"
    m[Web].user = force(lazy(lambda c: f"forced-{c[Web].port}"))
    with m.when(lambda c: c[Web].enable):
        m[Web].user = "conditional"
        with m.when(lambda c: c[Web].port == 80):
            m[Web].text = "inner"
    m[Web].ports = [2]
    m[Web].ports = before([1])
    m[Systemd].services["hello"].user = "x"
    m[Systemd].services["hello"][Hardening].strict = True
    m[Systemd].services["hello"].section["Service"]["CPUQuota"] = "20%"
    m[Files]["/etc/nginx/nginx.conf"].text = "a"


def test_each_definition_has_its_place_and_its_fate() -> None:
    found = config(module).explain("web.user")
    assert (found.path, found.type, found.value, found.error) == (
        ("web", "user"),
        "a string",
        "'forced-80'",
        None,
    )
    assert [(one.value, one.priority, one.outcome) for one in found.definitions] == [
        ("'weak'", 1000, "outranked"),
        ("'plain'", 100, "outranked"),
        ("lazy(...)", 50, "won"),
        ("'conditional'", 100, "condition is false"),
        ("'www-data'", 1500, "outranked"),
    ]
    assert [str(one.place) for one in found.definitions[:4]] == [
        line(module, "weak"),
        line(module, "plain"),
        line(module, "forced"),
        line(module, '"conditional"'),
    ]
    assert found.definitions[1].why == "priority 100 gives way to priority 50"
    assert found.definitions[3].conditions[0].holds is False
    assert line(module, "m.when(lambda c: c[Web].enable)") in found.definitions[3].why
    assert found.declared is not None and found.declared.file.endswith("samples.py")


def test_conditions_inside_a_false_one_are_not_asked() -> None:
    (definition,) = config(module).explain("web.text").definitions
    assert [one.holds for one in definition.conditions] == [False, None]
    enabled = config(module).extend([lambda m: setattr(m[Web], "enable", True)]).explain("web.text")
    assert enabled.value == "'inner'"
    assert [one.holds for one in enabled.definitions[0].conditions] == [True, True]


def test_merged_definitions_and_order() -> None:
    found = config(module).explain("web.ports")
    assert found.value == "[1, 2]"
    assert [one.why for one in found.definitions] == [
        "priority 100, merged with 1 more",
        "priority 100, order 500, merged with 1 more",
    ]


def test_paths_through_mappings_extensions_and_sections() -> None:
    c = config(module)
    assert c.explain("systemd.services.hello.user").value == "'x'"
    assert c.explain("systemd.services.hello.hardening.strict").value == "True"
    assert c.explain("systemd.services.hello.section.Service.CPUQuota").value == "'20%'"
    assert c.explain('files."/etc/nginx/nginx.conf".text').value == "'a'"
    assert c.explain(("files", "/etc/nginx/nginx.conf", "text")).value == "'a'"
    assert c.explain("files").entries == ('files."/etc/nginx/nginx.conf"',)
    assert "systemd.services.hello.user" in c.explain("systemd.services.hello").entries
    assert "web.user" in c.explain("web").entries


def test_no_such_option_suggests() -> None:
    c = config(module)
    assert "Did you mean `web.user`" in told(lambda: c.explain("web.usr"))
    assert "Did you mean `systemd.services.hello`?" in told(lambda: c.explain("systemd.services.helo"))
    assert "Did you mean `systemd`?" in told(lambda: c.explain("sytemd"))
    assert "is not an option path" in told(lambda: c.explain('files."/etc'))


def test_a_value_that_cannot_be_had_says_why() -> None:
    def broken(m: Module) -> None:
        m[Web].user = "a"
        m[Web].user = "b"

    found = config(broken).explain("web.user")
    assert found.value is None
    assert found.error is not None and "conflict" in found.error
    assert [one.outcome for one in found.definitions[:2]] == ["won", "won"]
    unset = config().explain("web.text")
    assert unset.error is not None and "not defined" in unset.error


def test_what_a_whole_value_put_aside() -> None:
    def fresh(service: Service) -> None:
        service.user = "fresh"

    def forces(m: Module) -> None:
        m[Web].env["A"] = "a"
        m[Web].env = force({"B": "b"})
        m[Systemd].services["a"].user = "dropped"
        m[Systemd].services["a"] = force(fresh)

    c = config(forces)
    assert c.explain("web.env").value == "{'B': 'b'}"
    dropped = c.explain("web.env.A")
    assert [(one.value, one.outcome) for one in dropped.definitions] == [("'a'", "outranked")]
    assert dropped.value is None and dropped.error is not None and "no part in the result" in dropped.error
    user = c.explain("systemd.services.a.user")
    assert user.value == "'fresh'"
    assert [(one.value, one.outcome) for one in user.definitions] == [
        ("'fresh'", "won"),
        ("'root'", "outranked"),
        ("'dropped'", "outranked"),
    ]


def test_places_of_what_wins() -> None:
    places = config(module).places()
    assert list(places) == sorted(places)
    assert [f"{name}:{number}" for name, number in places["web.user"]] == [
        str(Path.cwd() / line(module, "forced")),
    ]
    assert [number for _, number in places["web.ports"]] == [
        int(line(module, text).rpartition(":")[2]) for text in ("before([1])", "= [2]")
    ]
    assert set(places) == {
        'files."/etc/nginx/nginx.conf".text',
        "systemd.services.hello.hardening.strict",
        "systemd.services.hello.section.Service.CPUQuota",
        "systemd.services.hello.user",
        "web.ports",
        "web.user",
    }


def test_text_and_data() -> None:
    found = config(module).explain("web.user")
    text = str(found)
    assert text.startswith("web.user = 'forced-80'\n  a string, declared at ")
    assert f"  * {line(module, 'forced')}: lazy(...)" in text
    assert dataclasses.asdict(found)["definitions"][0]["place"]["line"] > 0


def test_a_set_is_listed_without_a_value() -> None:
    text = str(config(module).explain("web"))
    assert text.startswith("web\n  option set Web\n")
    assert "\n  web.user\n" in text
