"""Package sources in deb822 form (sources.list(5)), with their key inline, so that one file says all."""

from __future__ import annotations

from collections.abc import Sequence

_ARMOUR = "-----BEGIN PGP PUBLIC KEY BLOCK-----"


def render_source(
    *,
    uris: Sequence[str],
    suites: Sequence[str],
    components: Sequence[str],
    key: str | None = None,
    signed_by: str | None = None,
    check_valid_until: bool = True,
    architectures: Sequence[str] = (),
) -> str:
    """The text of one ``.sources`` file. ``key`` is ASCII armour and goes inline; ``signed_by`` is a keyring's path.

    Raises:
        ValueError: nothing to fetch from, or a key that is not armoured.
    """
    if not uris or not suites:
        raise ValueError("a repository needs at least one URI and one suite")
    flat = [suite for suite in suites if suite.endswith("/")]
    if bool(flat) == bool(components) or (flat and len(flat) != len(suites)):
        raise ValueError(
            "a suite that ends in / (a flat repository) has no components, and every other suite needs one"
        )
    lines = ["Types: deb", f"URIs: {' '.join(uris)}", f"Suites: {' '.join(suites)}"]
    if components:
        lines.append(f"Components: {' '.join(components)}")
    if architectures:
        lines.append(f"Architectures: {' '.join(architectures)}")
    if not check_valid_until:
        lines.append("Check-Valid-Until: no")
    if key is not None:
        lines += ["Signed-By:", *_inline_key(key)]
    elif signed_by is not None:
        lines.append(f"Signed-By: {signed_by}")
    return "\n".join(lines) + "\n"


def _inline_key(key: str) -> list[str]:
    """Continuation lines: a space first, and an empty line is a single dot."""
    text = key.strip()
    if not text.startswith(_ARMOUR):
        raise ValueError(f"the key is not ASCII armour: it must begin with {_ARMOUR}")
    return [f" {line.strip()}" if line.strip() else " ." for line in text.splitlines()]
