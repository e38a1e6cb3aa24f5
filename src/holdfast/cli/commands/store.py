"""`holdfast store`: what was built, looked at, checked, cleaned and exported."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from holdfast.base.codec import JSON, every_field
from holdfast.base.errors import HoldfastError
from holdfast.cli.arguments import json_option
from holdfast.cli.output import write_json, write_table
from holdfast.cli.progress import describe_amount, show_progress
from holdfast.cli.rights import with_root_rights
from holdfast.distro.debian.bootstrap import prune_package_cache
from holdfast.store import Artifact, GcReport, Store, open_store


@click.group()
def command() -> None:
    """Look at, check, clean and export what was built.

    The store is HOLDFAST_STORE, else /var/lib/holdfast for root, else ~/.local/share/holdfast.
    """


def complete_ref(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names in the store, for the shell."""
    try:
        return [CompletionItem(name) for name in open_store().refs.list() if name.startswith(incomplete)]
    except HoldfastError:
        return []


@command.command()
@json_option
def ls(as_json: bool) -> None:
    """List what has a name, and how much space everything takes."""
    store = open_store()
    artifacts = {name: store.artifact(digest) for name, digest in store.refs.list().items()}
    blobs, total = _blob_space(store)
    if as_json:
        write_json(
            {
                "root": str(store.root),
                "blobs": blobs,
                "bytes": total,
                "refs": [{"name": name, **_as_json(artifact)} for name, artifact in artifacts.items()],
            }
        )
        return
    if artifacts:
        write_table(
            [
                (
                    name,
                    artifact.identity.removeprefix("sha256:")[:12],
                    str(len(artifact.layers)),
                    describe_amount(_size(artifact), "bytes"),
                )
                for name, artifact in artifacts.items()
            ],
            header=("NAME", "IDENTITY", "LAYERS", "SIZE"),
        )
    click.echo(f"{store.root}: {_blobs(blobs)}, {describe_amount(total, 'bytes')}")


def _blobs(count: int) -> str:
    return "1 blob" if count == 1 else f"{count} blobs"


def _blob_space(store: Store) -> tuple[int, int]:
    """Number and bytes of all blobs, packages included."""
    sizes = [path.stat().st_size for path in (store.root / "blobs" / "sha256").iterdir()]
    return len(sizes), sum(sizes)


def _as_json(artifact: Artifact) -> dict[str, JSON]:
    return {
        "identity": artifact.identity,
        "artifact": artifact.manifest,
        "type": artifact.artifact_type or artifact.config_media_type,
        "layers": [{"diff_id": layer.diff_id, "size": layer.size} for layer in artifact.layers],
        "annotations": dict(artifact.annotations),
    }


def _size(artifact: Artifact) -> int:
    return sum(layer.size for layer in artifact.layers)


@command.command()
@click.argument("name", shell_complete=complete_ref)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def rm(name: str, dry_run: bool) -> None:
    """Remove NAME. What it stood for goes with the next `holdfast store gc`."""
    store = open_store()
    if not dry_run:
        store.refs.delete(name)
    elif name not in store.refs.names():
        store.resolve(name)
    click.echo(f"{'Would remove' if dry_run else 'Removed'} {name}")


@command.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option(
    "--all-cache",
    is_flag=True,
    help="Forget the whole build cache too, not only what was not used for 14 days.",
)
@json_option
@with_root_rights
def gc(dry_run: bool, all_cache: bool, as_json: bool) -> None:
    """Remove what nothing needs any more.

    Needed is what a name, a running machine, a build or a cache entry that is still fresh stands on.
    """
    with show_progress(as_json=as_json):
        store = open_store()
        report = store.gc(dry_run, all_cache=all_cache)
        going = {item.name for item in report.removed if item.kind == "blob"}
        unpacked = prune_package_cache(store, dry_run=dry_run, everything=all_cache, going=going)
    if as_json:
        removed: list[JSON] = [every_field(item) for item in report.removed]
        write_json({**_report(report), "removed": removed, "unpacked_packages": list(unpacked)})
        return
    kinds = Counter(item.kind for item in report.removed)
    for kind, count in sorted(kinds.items()):
        size = sum(item.size for item in report.removed if item.kind == kind)
        click.echo(f"{kind:<12} {count:>5}  {describe_amount(size, 'bytes')}")
    if unpacked:
        click.echo(f"{'unpacked':<12} {len(unpacked):>5}  (packages; trees share their files)")
    verb = "Would free" if dry_run else "Freed"
    kept = describe_amount(report.kept_bytes, "bytes")
    click.echo(
        f"{verb} {describe_amount(report.freed_bytes, 'bytes')}; kept {_blobs(report.kept_blobs)}, {kept}"
    )


def _report(report: GcReport) -> dict[str, JSON]:
    return {
        "dry_run": report.dry_run,
        "freed_bytes": report.freed_bytes,
        "kept_blobs": report.kept_blobs,
        "kept_bytes": report.kept_bytes,
    }


@command.command()
@json_option
@with_root_rights
def verify(as_json: bool) -> None:
    """Read everything and compare it with its digest. The exit code is 1 if something is damaged."""
    with show_progress(as_json=as_json):
        report = open_store().verify()
    if as_json:
        write_json({**every_field(report), "ok": report.ok})
    else:
        for finding in report.findings:
            needed = f" (needed by {', '.join(finding.refs)})" if finding.refs else ""
            click.echo(f"{finding.kind} {finding.name}: {finding.problem}{needed}\n  -> {finding.resolution}")
        size = describe_amount(report.blob_bytes, "bytes")
        click.echo(
            f"{'Sound' if report.ok else f'{len(report.findings)} damaged'}: "
            f"{report.blobs} blobs ({size}), {report.trees} trees, {report.refs} names read"
        )
    if not report.ok:
        click.get_current_context().exit(1)


@command.command()
@click.argument("name", shell_complete=complete_ref)
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--tag", default="latest", show_default=True, help="Name of the image in the exported layout.")
@click.option(
    "--gzip", is_flag=True, help="Compress the layers, for registries. The identity stays the same."
)
@json_option
def export(name: str, directory: Path, tag: str, gzip: bool, as_json: bool) -> None:
    """Write NAME (or a digest) to DIRECTORY as an OCI layout.

    skopeo(1), umoci(1) and registries read such a directory.
    """
    store = open_store()
    with show_progress(as_json=as_json):
        digest = store.export(name, directory, tag=tag, gzip=gzip)
    identity = store.artifact(store.resolve(name)).identity
    if as_json:
        write_json({"directory": str(directory), "tag": tag, "artifact": digest, "identity": identity})
    else:
        click.echo(f"{directory}:{tag}  {identity}")
