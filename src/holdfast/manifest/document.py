"""Reading and writing manifests: canonical bytes, the digest that names a manifest, and refusal of newer schemas."""

from __future__ import annotations

import json
from typing import cast

from holdfast.base.codec import JSON, DecodeError, canonical_json, decode, json_schema
from holdfast.base.digests import Digest, digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.manifest.model import SCHEMA_VERSION, Manifest

MEDIA_TYPE = "application/vnd.holdfast.manifest.v1+json"


def write_manifest(manifest: Manifest) -> bytes:
    """The canonical bytes; equal manifests give equal bytes."""
    return canonical_json(manifest)


def read_manifest(data: bytes, *, what: str = "manifest") -> Manifest:
    """Parse and check what :func:`write_manifest` wrote.

    Raises:
        HoldfastError: it is not a manifest, or one of a newer schema.
    """
    try:
        document: object = json.loads(data)
    except ValueError as error:
        raise DecodeError(f"{what} is not valid JSON: {error}") from None
    schema = _schema_of(document)
    if isinstance(schema, int) and schema > SCHEMA_VERSION:
        raise HoldfastError(
            f"{what} has schema {schema}; this holdfast reads up to {SCHEMA_VERSION}",
            resolution="Upgrade holdfast on this machine.",
        )
    return decode(Manifest, document, what=what)


def _schema_of(document: object) -> object:
    return cast("dict[object, object]", document).get("schema") if isinstance(document, dict) else None


def manifest_digest(manifest: Manifest) -> Digest:
    return digest_bytes(write_manifest(manifest))


def manifest_schema() -> dict[str, JSON]:
    """The manifest's JSON Schema (draft 2020-12)."""
    return json_schema(Manifest, title="Holdfast manifest")
