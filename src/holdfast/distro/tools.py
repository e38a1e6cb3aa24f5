"""The tools tree: a Debian system of Holdfast's own making, in which the programs run that builds need.

So what a build does depends on no program of the machine's but Python. Its lock is kept in the store, as the configuration of
the artifact ``tools/GROUP``: made on first use, the same from then on until it is updated.
"""

from __future__ import annotations

import platform
from typing import Literal

from holdfast.base.codec import DecodeError, canonical_json, decode_json
from holdfast.base.errors import HoldfastError
from holdfast.base.events import stage
from holdfast.base.records import dataclass
from holdfast.distro.family import family, unknown
from holdfast.distro.lockfile import PackageSet, normalise
from holdfast.manifest.model import Distribution, Packages
from holdfast.sandbox import ToolsTree
from holdfast.store import Store
from holdfast.store.artifacts import Artifact

Group = Literal["tools", "bench"]


@dataclass(frozen=True)
class Tool:
    """One program, the package that has it, and why it is needed."""

    program: str
    package: str
    purpose: str
    group: Group = "tools"


TOOLS = (
    Tool("apt-get", "apt", "choose packages"),
    Tool("dpkg-deb", "dpkg", "look into packages"),
    Tool("gpgv", "gpgv", "check the signatures of package indexes"),
    Tool("update-ca-certificates", "ca-certificates", "trust web servers as Debian does"),
    Tool("systemd-analyze", "systemd", "check units before they are deployed"),
    Tool("skopeo", "skopeo", "copy images to and from registries"),
    Tool("umoci", "umoci", "unpack images as other people's tools do"),
    Tool("xz", "xz-utils", "decompress what Python cannot"),
    Tool("zstd", "zstd", "decompress packages of derived distributions, compress layers for transport"),
    Tool("mmdebstrap", "mmdebstrap", "the peer of our bootstrap", "bench"),
    Tool("apt-ftparchive", "apt-utils", "make the repository that the peer reads", "bench"),
    Tool("nix-instantiate", "nix-bin", "the peer of our evaluation", "bench"),
    Tool("mkosi", "mkosi", "the peer of our image builds", "bench"),
)

KEYRING = "debian-archive-keyring"
RELEASE = "trixie"
_ARTIFACT = "application/vnd.holdfast.tools.v1"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def tools_tree(store: Store, group: Group = "tools") -> ToolsTree:
    """The tree of a group, made if this store has none or the table of tools changed.

    Raises:
        HoldfastError: it cannot be made; the machine needs apt, gpgv, root and a mirror for that, once.
    """
    wanted = tools_request(group)
    distribution = Distribution("debian", RELEASE, machine_architecture())
    name = f"tools/{group}"
    digest = store.refs.get(name)
    previous = _read_lock(store, store.artifact(digest)) if digest is not None else None
    current = previous is not None and (previous.distribution, previous.request) == (distribution, wanted)
    if digest is not None and current:
        (layer,) = store.artifact(digest).layers
        return ToolsTree((store.trees.ensure(layer.diff_id),))
    with stage("Building the tools tree") as progress:
        debian = family(distribution)
        locked = debian.resolve(store, distribution, wanted, previous, update="nothing")
        made = debian.bootstrap(store, locked)
        artifact = store.put_artifact(_ARTIFACT, canonical_json(locked), f"{_ARTIFACT}+json", [made.layer])
        store.refs.set(name, artifact.manifest)
        progress.note = f"{len(locked.packages)} packages"
    return ToolsTree((made.tree,))


def tools_request(group: Group) -> Packages:
    """The packages of a group, as a request to the resolver.

    Raises:
        HoldfastError: there is no such group.
    """
    groups = tuple(dict.fromkeys(tool.group for tool in TOOLS))
    if group not in groups:
        raise unknown("group of tools", group, groups)
    return normalise(Packages(install=(KEYRING, *(tool.package for tool in TOOLS if tool.group == group))))


def machine_architecture() -> str:
    """Debian's name of this machine's architecture.

    Raises:
        HoldfastError: Holdfast has no row for it.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise HoldfastError(f"no tools tree is known for a machine of the architecture {machine}")
    return _ARCHITECTURES[machine]


def _read_lock(store: Store, artifact: Artifact) -> PackageSet | None:
    """The lock that the tree was made from; None when a different version of Holdfast wrote it."""
    try:
        return decode_json(PackageSet, store.blobs.read(artifact.identity), what="the tools tree's lock")
    except DecodeError:
        return None
