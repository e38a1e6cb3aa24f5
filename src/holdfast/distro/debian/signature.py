"""Who signed an index: InRelease files are taken for what gpgv(1) says was signed, and for nothing else."""

from __future__ import annotations

import base64
import re
import tempfile
from pathlib import Path

from holdfast.base.errors import HoldfastError
from holdfast.base.process import run
from holdfast.distro.debian.releases import ARCHIVES, KEYRING_FILES, UBUNTU_KEYRING_FILES

_ARMOUR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?P<body>.*?)-----END PGP PUBLIC KEY BLOCK-----", re.S
)
_WEAK = {"1": "MD5", "2": "SHA-1", "3": "RIPEMD-160"}  # RFC 4880 section 9.4


def signed_content(in_release: bytes, *, key: str | None, what: str, archive: str = "debian") -> str:
    """The text that was signed, by one of ``key``'s (ASCII-armoured) or, without it, of this machine's keys for ``archive``.

    ``what`` names the file in errors.

    Raises:
        HoldfastError: the signature is bad, weak, or of an unknown key; or there is no keyring.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-gpgv-") as name:
        directory = Path(name)
        keyring = machine_keyring(archive) if key is None else directory / "key.gpg"
        if key is not None:
            keyring.write_bytes(dearmour(key, what=what))
        (directory / "InRelease").write_bytes(in_release)
        completed = run(
            [
                "gpgv",
                "--homedir",
                directory,
                "--keyring",
                keyring,
                "--status-fd",
                "1",
                "--output",
                directory / "content",
                directory / "InRelease",
            ],
            check=False,
        )
        _judge(completed.text, completed.stderr.decode(errors="replace"), keyring=key is None, what=what)
        return (directory / "content").read_text(errors="replace")


def machine_keyring(archive: str = "debian") -> Path:
    """The keys for an archive of Debian or Ubuntu, as the distribution's own package installed them here.

    Raises:
        HoldfastError: it is not installed.
    """
    row = ARCHIVES.get(archive)
    ubuntu = row is not None and row.distribution == "Ubuntu"
    for name in UBUNTU_KEYRING_FILES if ubuntu else KEYRING_FILES:
        if Path(name).is_file():
            return Path(name)
    package = "ubuntu-keyring (on Debian: ubuntu-archive-keyring)" if ubuntu else "debian-archive-keyring"
    raise HoldfastError(
        f"this machine has no {'Ubuntu' if ubuntu else 'Debian'} archive keys to check signatures with",
        resolution=f"Install the package {package}.",
    )


def dearmour(text: str, *, what: str) -> bytes:
    """Binary OpenPGP keys of one or more ASCII-armoured blocks (RFC 4880 section 6.2).

    Raises:
        HoldfastError: there is no key block, or it is damaged.
    """
    keys = b""
    for match in _ARMOUR.finditer(text.encode()):
        body = match["body"].replace(b"\r\n", b"\n")
        if b"\n\n" in body:  # armour headers such as Version: and Comment: end at an empty line
            body = body.partition(b"\n\n")[2]
        lines = [line.strip() for line in body.splitlines() if line.strip() and not line.startswith(b"=")]
        try:
            keys += base64.b64decode(b"".join(lines), validate=True)
        except ValueError:
            raise HoldfastError(f"the key of {what} is damaged: it is not valid base64") from None
    if not keys:
        raise HoldfastError(
            f"the key of {what} is no OpenPGP key",
            resolution="Give the text of an ASCII-armoured public key: -----BEGIN PGP PUBLIC KEY BLOCK----- ...",
        )
    return keys


def _judge(status: str, output: str, *, keyring: bool, what: str) -> None:
    """One good signature suffices and one bad one spoils it, as apt has it; signatures of unknown keys say nothing."""
    words = [line.split()[1:] for line in status.splitlines() if line.startswith("[GNUPG:] ")]
    kinds = {word[0] for word in words}
    verdict, sound = "", list[str]()
    for word in words:  # for each signature a verdict, and then VALIDSIG with the algorithms
        if word[0].endswith("SIG") and word[0] not in ("NEWSIG", "VALIDSIG"):
            verdict = word[0]
        elif word[0] == "VALIDSIG" and verdict == "GOODSIG":
            sound.append(word[8])
    weak = [_WEAK[algorithm] for algorithm in sound if algorithm in _WEAK]
    if len(sound) > len(weak) and "BADSIG" not in kinds:
        return
    if "BADSIG" in kinds:
        problem, next_step = "is not what was signed: the signature is bad", "Choose another mirror."
    elif weak:
        problem, next_step = f"is signed with {weak[0]}, which is broken", "Ask its owner to sign it anew."
    elif "EXPKEYSIG" in kinds or "REVKEYSIG" in kinds:
        problem, next_step = "is signed by an expired or revoked key", "Update the keys."
    elif "NO_PUBKEY" in kinds:
        problem = "is signed by a key that is not trusted here"
        next_step = (
            "Upgrade the package debian-archive-keyring."
            if keyring
            else "Give the source's key in the definition."
        )
    else:
        problem, next_step = "has no signature", "Choose another mirror."
    raise HoldfastError(f"{what} {problem}", details=output.strip(), resolution=next_step)
