"""From the options of wrappers to the script that makes them."""

from __future__ import annotations

from holdfast.library.assembling.problems import Problems
from holdfast.library.rendering import wrappers as text
from holdfast.library.wrappers import PLACE, Wrapper, Wrappers, source_of
from holdfast.options import Config


def wrappers_script(c: Config) -> str:
    """Commands that fill /run/wrappers.

    Raises:
        HoldfastError: wrappers that could not work, each with its place.
    """
    problems = Problems(c)
    made: list[text.Wrapper] = []
    for name, wrapper in c[Wrappers].items():
        if wrapper.enable:
            with problems.at("wrappers", name):
                made.append(_wrapper(wrapper))
                text.check_wrapper(made[-1])
    problems.raise_any("the security wrappers")
    return text.render_wrappers(PLACE, made)


def _wrapper(wrapper: Wrapper) -> text.Wrapper:
    if wrapper.mode[0] != "0":
        raise ValueError(
            f"the mode {wrapper.mode} has more than permissions: write 0{wrapper.mode[1:]}, and set setuid or setgid"
        )
    special = 4 * wrapper.setuid + 2 * wrapper.setgid
    return text.Wrapper(
        name=wrapper.name,
        source=source_of(wrapper),
        owner=wrapper.owner,
        group=wrapper.group,
        mode=f"{special}{wrapper.mode[1:]}",
        capabilities=wrapper.capabilities,
    )
