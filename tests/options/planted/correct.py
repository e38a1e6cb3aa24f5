"""Correct use of everything: no checker may find anything here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from holdfast.options import (
    Config,
    Module,
    after,
    before,
    default,
    evaluate,
    force,
    implements,
    is_defined,
    lazy,
    module,
    order,
    override,
)
from tests.options.planted.sets import Files, Hardening, Level, Nginx, Rule, Service, Sysctl, Systemd


@implements(Nginx)
def nginx(m: Module) -> None:
    with m.when(lambda c: c[Nginx].enable):
        unit = m[Systemd].services["nginx"]
        unit.exec_start = ["nginx"]
        unit.wanted_by = lazy(lambda c: (c[Nginx].user, *c[Systemd].services["hello"].wanted_by))


def web(m: Module) -> None:
    m.imports(nginx, Nginx, site("a"), partial(other, name="b"))
    m.disable(nginx)
    m[Files]["/etc/motd"].text = "Held fast.\n"
    m[Files]["/etc/motd"].mode = default("0600")
    m[Files].add("/etc/empty")
    m[Sysctl]["net.ipv4.ip_forward"] = "1"
    m[Sysctl]["vm.swappiness"] = force("1")
    m[Nginx].enable = True
    m[Nginx].user = default("www")
    m[Nginx].user = lazy(lambda c: c[Nginx].worker)
    m[Nginx].worker = force("old")
    m[Nginx].workers = None
    m[Nginx].workers = default(lazy(lambda c: len(c[Nginx].ports)))
    m[Nginx].ports = [80, 443]
    m[Nginx].ports = (80,)
    m[Nginx].ports = force([])
    m[Nginx].ports = before([1])
    m[Nginx].ports = after(default((1, 2)))
    m[Nginx].ports = order(700, [3])
    m[Nginx].ports = override(70, [])
    m[Nginx].ports = lazy(lambda c: [port + 1 for port in c[Nginx].ports])
    m[Nginx].groups = {"a", "b"}
    m[Nginx].level = "high"
    high: Level = "high"
    m[Nginx].level = high
    m[Nginx].listen = 80
    m[Nginx].listen = "unix:/run/x"
    m[Nginx].rules = [Rule(80)]
    hello = m[Systemd].services["hello"]
    hello.exec_start = ["/usr/bin/python3", "-m", "http.server"]
    hello.environment["PATH"] = "/usr/bin"
    hello.environment = {"LANG": "C", "TZ": default("UTC")}
    hello.section["Service"]["CPUQuota"] = "20%"
    hello[Hardening].strict = True
    m[Systemd].services["inline"] = service
    m[Systemd].services.each(lambda c: c[Sysctl], entry)
    m.assert_that(lambda c: c[Nginx].enable, "nginx is needed")
    m.warn("careful")


def service(one: Service) -> None:
    one.exec_start = ["true"]


def entry(one: Service, key: str) -> None:
    one.exec_start = ["echo", key]


@module(key="other", kind="host")
def other(m: Module, name: str) -> None:
    m[Nginx].user = name


def site(name: str) -> Callable[[Module], None]:
    def inner(m: Module) -> None:
        m[Files][name].text = name

    return inner


def read(c: Config) -> tuple[str, int | None, tuple[int, ...], frozenset[str], int | str, bool]:
    hello = c[Systemd].services["hello"]
    texts = {path: file.text for path, file in c[Files].items()}
    assert "x" not in texts and "x" not in c[Files]
    argv: tuple[str, ...] = hello.exec_start
    quota: str = hello.section["Service"]["CPUQuota"]
    maybe: Service | None = c[Systemd].services.get("hello")
    first: str | None = hello.environment.get("PATH")
    fallback: str = hello.environment.get("PATH", "/bin")
    strict: bool = hello[Hardening].strict
    defined: bool = is_defined(c[Nginx], Nginx.user)
    print(argv, quota, maybe, first, fallback, strict, defined, texts)
    return (
        c[Nginx].user,
        c[Nginx].workers,
        c[Nginx].ports,
        c[Nginx].groups,
        c[Nginx].listen,
        c[Nginx].enable,
    )


def run() -> Config:
    return evaluate([web, Nginx, partial(other, name="c")], sets=[Files, Sysctl, Systemd], kind="host")
