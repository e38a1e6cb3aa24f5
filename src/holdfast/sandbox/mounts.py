"""Putting a root file system together. Every function here needs a mount namespace of its own around it.

overlayfs takes its layers in one option string of at most a page, and gives meaning to ``:``, ``,`` and ``\\`` in it. So the
layers get short names: symbolic links on a tmpfs, with the thread's working directory beside them. That fits the kernel's own
limit of 500 layers into two kilobytes on every kernel, with any character in any path (ADR 0010).
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path, PurePosixPath

from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.sandbox import kernel
from holdfast.sandbox.root import Bind, Root, Sandbox, Scratch
from holdfast.sandbox.rootless import outer_uid
from holdfast.store.overlay import OPAQUE_USER, opaque_xattr

_MAX_LAYERS = 500  # OVL_MAX_STACK of fs/overlayfs/params.h
_DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "core": "/proc/kcore",
    "ptmx": "pts/ptmx",
}


def anchor() -> Path:
    """An empty directory to make a private mount at. Outside of that mount it is empty, always.

    Where a private mount of ours is in sight already, it is a new directory in that, so that neither hides the other.
    """
    if os.geteuid() == 0 and os.access("/run", os.W_OK):
        path = Path("/run/holdfast/mount")
    else:
        path = _own_directory() / "holdfast-mount"
    with explain_os_errors("make the mount point for private mounts"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="inner-", dir=path)) if path.is_mount() else path


def _own_directory() -> Path:
    """Where an ordinary user keeps what lasts as long as a session; in a user namespace, too."""
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if given.startswith("/") and os.access(given, os.W_OK):
        return Path(given)
    path = Path(f"/tmp/holdfast-{outer_uid()}")
    with explain_os_errors("make the mount point for private mounts"):
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise HoldfastError(
                f"{path} belongs to somebody else", resolution="Set XDG_RUNTIME_DIR to a directory of yours."
            )
    return path


def leave_shared_mounts() -> None:
    """Give the calling thread its own mount namespace: what it mounts stays in it, what the machine unmounts goes here too."""
    try:
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
    except PermissionError:
        raise HoldfastError(
            "entering a root file system needs root's rights to mount",
            resolution="Run the command with sudo, or as root.",
        ) from None


def mount_root(root: Root, stand: Path) -> Path:
    """Mount ``root`` under the empty directory ``stand`` (which gets a tmpfs) and return where.

    Raises:
        HoldfastError: a layer is missing, there are too many, or the kernel refuses; names the root.
    """
    _check(root)
    kernel.mount("holdfast", stand, "tmpfs", options="mode=0755")
    place = stand / "root"
    place.mkdir()
    with explain_os_errors(f"mount the root file system {root.describe()}"):
        if isinstance(root.upper, Path) and not root.layers:
            kernel.mount(str(root.upper), place, flags=kernel.MS_BIND | kernel.MS_REC)
        elif root.upper is None and len(root.layers) == 1:
            _bind(root.layers[0], place, writable=False)
        else:
            _mount_overlay(root, stand, place)
    return place


def _check(root: Root) -> None:
    if not root.layers and not isinstance(root.upper, Path):
        raise HoldfastError("a root file system needs at least one layer or a directory")
    if len(root.layers) > _MAX_LAYERS:
        raise HoldfastError(
            f"a root file system of {len(root.layers)} layers is more than overlayfs can stack ({_MAX_LAYERS})",
            resolution="Merge some of the layers into one.",
        )
    for layer in root.layers:
        if not layer.is_dir():
            raise HoldfastError(
                f"the layer {layer} is not there",
                details=f"It belongs to the root file system {root.describe()}.",
                resolution="Build it again: the store makes missing trees anew.",
            )


def _mount_overlay(root: Root, stand: Path, place: Path) -> None:
    names = stand / "layers"
    names.mkdir()
    for number, layer in enumerate(root.layers):
        (names / f"{number:x}").symlink_to(layer.absolute())
    options = ["lowerdir=" + ":".join(f"{number:x}" for number in reversed(range(len(root.layers))))]
    if root.upper is not None:
        upper, work = _upper_directories(root, stand)
        (names / "upper").symlink_to(upper)
        (names / "work").symlink_to(work)
        options += ["upperdir=upper", "workdir=work"]
        options += ["volatile"] if root.volatile else []
    # Only whole files and plain directories may land in the upper layer, since it becomes a layer for others.
    options += ["redirect_dir=nofollow", "metacopy=off", "index=off"]
    # Trusted attributes are root's of the whole machine; in a user namespace overlayfs has to read and write its other form.
    options += ["userxattr"] if opaque_xattr(stand) == OPAQUE_USER else []
    before = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(names)
        kernel.mount("overlay", place, "overlay", options=",".join(options))
    finally:
        os.fchdir(before)
        os.close(before)


def _upper_directories(root: Root, stand: Path) -> tuple[Path, Path]:
    if isinstance(root.upper, Scratch):
        scratch = stand / "scratch"
        scratch.mkdir()
        kernel.mount("scratch", scratch, "tmpfs", options=f"mode=0755,size={root.upper.size}")
        upper, work = scratch / "upper", scratch / "work"
    else:
        assert root.upper is not None
        upper = root.upper.absolute()
        work = (root.work or upper.with_name(upper.name + ".work")).absolute()
    upper.mkdir(mode=0o755, parents=True, exist_ok=True)
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A volatile mount leaves a mark that refuses the next one (kernel: Documentation/filesystems/overlayfs.rst); between two
    # mounts nothing of value lives here.
    shutil.rmtree(work / "work", ignore_errors=True)
    return upper, work


def furnish(sandbox: Sandbox, place: Path) -> None:
    """Put ``/dev``, ``/run``, ``/tmp`` and the binds into a mounted root. ``/proc`` is for the first process inside to mount.

    Raises:
        HoldfastError: a mount point cannot be made or a bind's source is missing; names them.
    """
    with explain_os_errors(f"prepare the root file system {sandbox.root.describe()}"):
        make_point(place, "/proc", directory=True)
        device_directory = make_point(place, "/dev", directory=True)
        kernel.mount("dev", device_directory, "tmpfs", kernel.MS_NOSUID, "mode=0755,size=4m")
        _fill_devices(device_directory)
        for path, options in (("/run", "mode=0755"), ("/tmp", "mode=1777")):
            kernel.mount("tmpfs", make_point(place, path, directory=True), "tmpfs", 0, options)
        for target, bind in sorted(_binds(sandbox).items()):
            if not bind.source.exists():
                raise HoldfastError(
                    f"{bind.source} is not there and cannot be shown as {target} in {sandbox.root.describe()}"
                )
            _bind(
                bind.source,
                make_point(place, target, directory=bind.source.is_dir()),
                writable=bind.writable,
            )


def _binds(sandbox: Sandbox) -> dict[str, Bind]:
    resolver = Path("/etc/resolv.conf")
    changing = isinstance(sandbox.root.upper, Path)
    if sandbox.network and resolver.exists() and not changing:
        return {"/etc/resolv.conf": Bind(resolver), **sandbox.binds}
    return dict(sandbox.binds)


def _fill_devices(directory: Path) -> None:
    for name, (major, minor) in _DEVICES.items():
        path = directory / name
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            path.chmod(0o666)  # mknod(2) applies the umask
        except PermissionError:  # in a user namespace: show the machine's own six
            path.touch()
            _bind(Path("/dev") / name, path, writable=True)
    (directory / "shm").mkdir()
    (directory / "shm").chmod(0o1777)
    (directory / "pts").mkdir()
    try:
        kernel.mount(
            "devpts",
            directory / "pts",
            "devpts",
            kernel.MS_NOSUID | kernel.MS_NOEXEC,
            "newinstance,ptmxmode=0666,mode=620,gid=5",
        )
    except OSError as error:  # gid 5 is not mapped in a small user namespace
        if error.errno != errno.EINVAL:
            raise
        kernel.mount(
            "devpts",
            directory / "pts",
            "devpts",
            kernel.MS_NOSUID | kernel.MS_NOEXEC,
            "newinstance,ptmxmode=0666,mode=620",
        )
    for name, target in _LINKS.items():
        (directory / name).symlink_to(target)


def _bind(source: Path, target: Path, *, writable: bool) -> None:
    kernel.mount(str(source.absolute()), target, flags=kernel.MS_BIND | kernel.MS_REC)
    if not writable:
        kernel.make_read_only(target)


def make_point(place: Path, inside: str, *, directory: bool) -> Path:
    """Where ``inside`` is under ``place``, made if it is missing; links on the way are followed inside the root, never out.

    Raises:
        HoldfastError: the path leaves the root or is not absolute.
        OSError: it cannot be made.
    """
    if not inside.startswith("/") or ".." in PurePosixPath(inside).parts:
        raise HoldfastError(f"{inside!r} is no absolute path inside a root file system")
    path = resolve_inside(place, inside)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        if directory:
            path.mkdir()
        else:
            path.touch()
    return path


def resolve_inside(place: Path, inside: str) -> Path:
    """Where ``inside`` leads, links followed, for a process with the root ``place`` (path_resolution(7)).

    Raises:
        OSError: the links lead round in a circle.
    """
    pending = [part for part in inside.split("/") if part not in ("", ".")][::-1]
    reached: list[str] = []
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            reached = reached[:-1]
            continue
        candidate = place.joinpath(*reached, part)
        if candidate.is_symlink():
            links += 1
            if links > 40:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), inside)
            target = str(candidate.readlink())
            if target.startswith("/"):
                reached = []
            pending += [piece for piece in target.split("/") if piece not in ("", ".")][::-1]
        else:
            reached.append(part)
    return place.joinpath(*reached)
