"""Files whose content only the target learns: what arrives here is encrypted already, and stays so."""

from __future__ import annotations

import re
from typing import Literal

from holdfast.base.digests import digest_bytes
from holdfast.library.files import File
from holdfast.manifest import model
from holdfast.manifest.contents import AuthorFile

_AGE = (b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----")
# The metadata that sops adds, in JSON (also for binary files), YAML, dotenv and INI.
_SOPS = rb'^\s*"sops"\s*:|[{,]\s*"sops"\s*:|^sops:|^sops_version=|^\[sops\]'


def read_secret(file: File) -> tuple[model.SecretFile, AuthorFile]:
    """The entry, and where its encrypted content is.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not encrypted, or no key is named.
    """
    path = file.secret or ""
    with open(path, "rb") as stream:  # noqa: PTH123 - pathlib costs 6 ms to import
        data = stream.read()
    encryption = encryption_of(data)
    if encryption is None:
        raise ValueError(
            f"{path} is not encrypted: encrypt it for the machine, for instance with "
            f"`age --encrypt --recipients-file KEYS --output {path}.age {path}`, and name the result"
        )
    if not file.identities:
        raise ValueError("identities is empty: name the files on the machine that hold the private keys")
    digest = digest_bytes(data)
    entry = model.SecretFile(digest, encryption, file.identities, file.mode or "0400", file.user, file.group)
    return entry, AuthorFile(digest, path)


def encryption_of(data: bytes) -> Literal["age", "sops"] | None:
    """What ``data`` is encrypted with, by its own header or metadata; None: with nothing that is known here."""
    if data.startswith(_AGE):
        return "age"
    if b"ENC[AES256_GCM," in data and re.search(_SOPS, data, re.MULTILINE):
        return "sops"
    return None
