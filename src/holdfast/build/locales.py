"""Generating a locale with the target's own locale-gen(8), as a layer between packages and configuration."""

from __future__ import annotations

import difflib
from pathlib import Path

from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import stage
from holdfast.build.cache import run_layer_step
from holdfast.build.layers import collect_layer
from holdfast.build.steps import Step
from holdfast.host.planning.identity import is_built_in, locale_directory
from holdfast.sandbox import Root, Sandbox, enter
from holdfast.store import Layer, Store

_VERSION = "1"
_GENERATOR = "usr/sbin/locale-gen"
_SUPPORTED = "usr/share/i18n/SUPPORTED"


def make_locale(store: Store, base: Layer, locale: str, *, epoch: int) -> Layer | None:
    """A layer on top of ``base`` that has ``locale``; None when nothing needs to be, or can be, generated.

    Raises:
        HoldfastError: the release has no such locale.
    """
    tree = store.trees.ensure(base.diff_id)
    if is_built_in(locale) or not (tree / _GENERATOR).exists():
        return None  # without the package 'locales' activation says what is missing
    if (tree / "usr/lib/locale" / locale_directory(locale)).is_dir():
        return None
    step = Step("locale", {"base": base.diff_id, "locale": locale, "version": _VERSION, "epoch": str(epoch)})
    return run_layer_step(store, step, lambda: _generate(store, tree, locale, epoch))


def _generate(store: Store, tree: Path, locale: str, epoch: int) -> Layer:
    charset = _charset((tree / _SUPPORTED).read_text(), locale)
    with stage(f"Generating the locale {locale}"), collect_layer(store, (tree,), epoch=epoch) as work:
        with explain_os_errors("write the list of locales"):
            (work.upper / "etc").mkdir()
            (work.upper / "etc/locale.gen").write_text(f"{locale} {charset}\n")
        root = Root((tree,), upper=work.upper)
        with enter(Sandbox(root, env={"SOURCE_DATE_EPOCH": str(epoch)})) as inside:
            inside.stream(["locale-gen"])
    return work.layer


def _charset(supported: str, locale: str) -> str:
    """The locale's character set, from the release's list of ``NAME CHARSET`` lines."""
    known = dict(line.split(None, 1) for line in supported.splitlines() if len(line.split()) == 2)
    if locale not in known:
        near = difflib.get_close_matches(locale, known, 3)
        raise HoldfastError(
            f"the release has no locale {locale!r}"
            + (f"; did you mean {' or '.join(near)}?" if near else ""),
            resolution="Its file /usr/share/i18n/SUPPORTED lists all of them.",
        )
    return known[locale].strip()
