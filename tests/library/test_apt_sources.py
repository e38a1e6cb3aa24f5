from __future__ import annotations

import pytest

from holdfast.library.apt_sources import render_source

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_golden() -> None:
    text = render_source(
        uris=["https://packages.example.org/debian"],
        suites=["trixie", "trixie-updates"],
        components=["main", "contrib"],
        key=KEY,
        check_valid_until=False,
    )
    assert text == (
        "Types: deb\nURIs: https://packages.example.org/debian\nSuites: trixie trixie-updates\n"
        "Components: main contrib\nCheck-Valid-Until: no\nSigned-By:\n"
        " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQENBF\n =abcd\n -----END PGP PUBLIC KEY BLOCK-----\n"
    )


def test_a_flat_repository_has_no_components() -> None:
    text = render_source(
        uris=["file:/srv/repo"], suites=["./"], components=[], signed_by="/etc/apt/keyrings/a.gpg"
    )
    assert text == "Types: deb\nURIs: file:/srv/repo\nSuites: ./\nSigned-By: /etc/apt/keyrings/a.gpg\n"


@pytest.mark.parametrize(
    ("suites", "components", "key", "message"),
    [
        ([], ["main"], None, "at least one URI and one suite"),
        (["trixie"], [], None, "every other suite needs one"),
        (["./"], ["main"], None, "no components"),
        (["trixie", "./"], [], None, "no components"),
        (["trixie"], ["main"], "/etc/key.gpg", "not ASCII armour"),
    ],
)
def test_bad_sources_are_refused(
    suites: list[str], components: list[str], key: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        render_source(uris=["https://a"], suites=suites, components=components, key=key)
