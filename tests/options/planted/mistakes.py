"""Mistakes, one per marked line; both checkers must flag each of them, and no other line."""

from __future__ import annotations

from holdfast.options import (
    INT,
    STR,
    Module,
    OptionSet,
    default,
    evaluate,
    force,
    implements,
    lazy,
    list_of,
    option,
)
from tests.options.planted.sets import Files, Hardening, Nginx, Service, Sysctl, Systemd


def web(m: Module) -> None:
    m[Nginx].enabel = True  # expect-error: misspelled option
    m[Nginx].enable = "yes"  # expect-error: a string for a bool
    m[Nginx].user = 3  # expect-error: an int for a string
    m[Nginx].user = default(3)  # expect-error: the same with a priority
    m[Nginx].user = None  # expect-error: none for a string
    m[Nginx].user = lazy(lambda c: c[Nginx].ports)  # expect-error: a list for a string
    m[Nginx].user = force(lazy(lambda c: c[Nginx].workers))  # expect-error: perhaps none for a string
    m[Nginx].user = lazy(lambda c: c[Nginx].usr)  # expect-error: misspelled in a lambda
    m[Nginx].user = lambda c: "x"  # expect-error: a function without lazy
    m[Nginx].ports = ["80"]  # expect-error: strings for ports
    m[Nginx].ports = 80  # expect-error: one for a list
    m[Nginx].ports = force(["a"])  # expect-error: strings for ports, forced
    m[Nginx].level = "middle"  # expect-error: not one of the choices
    m[Nginx].listen = [80]  # expect-error: neither of two types
    m[Nginx].rules = [80]  # expect-error: not an instance of the class
    m[Nginx].gone = 1  # expect-error: a removed option
    m[Nginx].worker = 3  # expect-error: an int for a renamed string option
    with m.when(lambda c: c[Nginx].user):  # expect-error: a string is no condition
        pass
    with m.when(True):  # expect-error: a condition is a function
        pass
    m[Files]["/etc/motd"].txt = "x"  # expect-error: misspelled in a keyed set
    m[Files]["/etc/motd"] = "x"  # expect-error: a string for a file
    m[Sysctl]["a"] = 1  # expect-error: an int for a string value
    m[Systemd].services["a"].exec_strt = ["x"]  # expect-error: misspelled in a submodule
    m[Systemd].services["a"].exec_start = [1]  # expect-error: an int in a command line
    m[Systemd].services["a"].name = "b"  # expect-error: the key cannot be assigned
    m[Systemd].services["a"].environment["A"] = 1  # expect-error: an int for a string entry
    m[Systemd].services["a"].environment = {"A": 1}  # expect-error: the same as a whole
    m[Systemd].services["a"].section["Service"]["X"] = 5  # expect-error: an int in a freeform section
    m[Systemd].services["a"][Hardening].strct = True  # expect-error: misspelled in an extension
    m[Systemd].services["a"][Hardening].strict = 1.5  # expect-error: a float for a bool
    m[Systemd].services.each(lambda c: c[Nginx].enable, body)  # expect-error: a bool for keys
    m[Systemd].services[3].exec_start = ["x"]  # expect-error: an int for a key
    m["nginx"].enable = True  # expect-error: a string for a set
    m[int].real = 1  # expect-error: a class that is no set
    m.imports(3)  # expect-error: no module
    m.imports(web(m))  # expect-error: the result of a module instead of the module
    m.assert_that(lambda c: c[Nginx].user == "x")  # expect-error: no message
    m[Service.name] = 3  # expect-error: an option is no key


def body(one: Service, key: str) -> None:
    one.exec_start = [key]


def wrong_body(one: Service, key: int) -> None:
    one.exec_start = [str(key)]


def more(m: Module) -> None:
    m[Systemd].services.each(lambda c: c[Sysctl], wrong_body)  # expect-error: keys are strings
    m[Systemd].services["a"] = body  # expect-error: a function of two


class Broken(OptionSet):
    a = option(INT, default="x")  # expect-error: default of another type
    b = option(list_of(INT), default=["x"])  # expect-error: default with wrong items
    c = option(int)  # expect-error: a Python class is no option type
    d = option(INT, apply=str.upper)  # expect-error: apply takes what the type gives

    e = option(INT)
    f = option(STR)

    @e.fallback  # expect-error: a string for an int
    def default_e(self) -> str:
        return self.f

    @f.fallback
    def default_f(self) -> str:
        return self.e  # expect-error: an int for a string


@implements(Nginx)
def nginx(m: Nginx) -> None:
    m.enable = True


evaluate([web(3)])  # expect-error: called with something else
evaluate([nginx])  # expect-error: not a function of a Module
