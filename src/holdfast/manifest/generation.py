"""How a generation travels: an OCI artifact whose config is the manifest, and whose layers are everything that the manifest needs.

========================  ==========================================================================
media type                layer
========================  ==========================================================================
``BLOB``                  content that the manifest names by digest: a file, an encrypted secret
``IDS``                   JSON of the ids that accounts have to get; at most one
``PACKAGE_SET``           JSON of the locked packages; at most one
``PACKAGE``               a locked package file, which the package set names by digest
========================  ==========================================================================
"""

from __future__ import annotations

ARTIFACT_TYPE = "application/vnd.holdfast.generation.v1"
BLOB = "application/octet-stream"
IDS = "application/vnd.holdfast.ids.v1+json"
PACKAGE_SET = "application/vnd.holdfast.package-set.v1+json"
PACKAGE = "application/vnd.debian.binary-package"
