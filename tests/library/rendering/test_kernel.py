from __future__ import annotations

import pytest

from holdfast.library.rendering.kernel import (
    check_module,
    check_sysctl_name,
    plain_value,
    render_modprobe,
    render_sysctl,
)


@pytest.mark.parametrize(
    "name", ["vm.swappiness", "net.ipv4.conf.eth0/100.rp_filter", "fs.binfmt_misc.qemu-arm"]
)
def test_names_of_kernel_parameters(name: str) -> None:
    assert check_sysctl_name(name) == name


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("net/ipv4/ip_forward", "write 'net.ipv4.ip_forward'"),
        ("/proc/sys/vm/swappiness", "write 'vm.swappiness'"),
        ("net.ipv4.conf.*.rp_filter", "is a pattern"),
        ("swappiness", "not the name"),
        ("vm.swappiness = 1\nx", "not the name"),
    ],
)
def test_what_is_no_name_of_a_parameter(name: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        check_sysctl_name(name)


@pytest.mark.parametrize(
    ("value", "text"), [(True, "1"), (False, "0"), (10, "10"), ("4096 87380 6291456", "4096 87380 6291456")]
)
def test_values(value: bool | int | str, text: str) -> None:
    assert plain_value(value) == text


@pytest.mark.parametrize("value", ["", " 1", "1\n2", "a\0"])
def test_values_that_are_no_line(value: str) -> None:
    with pytest.raises(ValueError, match="the value"):
        plain_value(value)


def test_parameters_stand_in_the_order_of_their_names() -> None:
    assert render_sysctl({"vm.b": "1", "vm.a": "2"}) == "vm.a = 2\nvm.b = 1\n"


def test_settings_of_modules() -> None:
    options: dict[str, dict[str, bool | int | str]] = {
        "kvm_intel": {"nested": True, "ept": False},
        "dummy": {"name": "a b"},
        "none": {},
    }
    assert render_modprobe(["nouveau", "floppy"], options, "\ninstall dccp /bin/false\n\n") == (
        "blacklist floppy\nblacklist nouveau\n"
        'options dummy name="a b"\noptions kvm_intel ept=0 nested=1\n'
        "install dccp /bin/false\n"
    )
    assert render_modprobe((), {}, "  \n") == ""


@pytest.mark.parametrize("module", ["br_netfilter.ko", "/lib/x", "", "a b", "-x"])
def test_names_that_no_module_has(module: str) -> None:
    with pytest.raises(ValueError, match="kernel module"):
        check_module(module)


def test_parameters_that_modprobe_could_not_read() -> None:
    with pytest.raises(ValueError, match="neither quotes"):
        render_modprobe((), {"a": {"x": 'say "x"'}})
    with pytest.raises(ValueError, match="parameter"):
        render_modprobe((), {"a": {"x y": 1}})
