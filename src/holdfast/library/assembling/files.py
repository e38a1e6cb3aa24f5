"""From the options of files to the manifest's entries, with the author's files that they take their content from."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from typing import cast

from holdfast.base.digests import Digest, digest_stream
from holdfast.library.assembling.problems import Problems
from holdfast.library.fetched import Fetched
from holdfast.library.files import File, Files
from holdfast.library.paths import check_managed_path, check_path, parents
from holdfast.library.rendering.command_lines import check_characters, check_utf8
from holdfast.library.rendering.formats import Data, to_ini, to_json, to_key_value, to_toml
from holdfast.manifest import model
from holdfast.manifest.contents import AuthorFile, Content, Download
from holdfast.options import definitions_of

_KINDS: tuple[tuple[str, Callable[[File], bool]], ...] = (
    ("text", lambda file: file.text is not None),
    ("source", lambda file: file.source is not None),
    ("secret", lambda file: file.secret is not None),
    ("json", lambda file: bool(definitions_of(file, File.json))),
    ("toml", lambda file: bool(definitions_of(file, File.toml))),
    ("ini", lambda file: len(file.ini) > 0),
    ("key_value", lambda file: len(file.key_value) > 0),
    ("link", lambda file: file.link is not None),
    ("directory", lambda file: file.directory),
)


class Assembly:
    """Turns all files of one system into the manifest's entries and the contents they need."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.entries: dict[str, model.Entry] = {}
        self.contents: dict[Digest, Content] = {}

    def run(self, files: Files) -> None:
        # In the order of their paths: what is declared below a tree comes after the tree, and replaces its part.
        for path, file in files.items():
            if file.enable:
                with self.problems.at("files", path):
                    check_managed_path(path)
                    self._file(path, file)
        self._check_parents()
        used = {
            entry.digest
            for entry in self.entries.values()
            if isinstance(entry, (model.BlobFile, model.SecretFile))
        }
        self.contents = {digest: content for digest, content in self.contents.items() if digest in used}

    def _file(self, path: str, file: File) -> None:
        kinds = [name for name, is_set in _KINDS if is_set(file)]
        if len(kinds) != 1:
            told = (
                f"both {kinds[0]} and {kinds[1]}; keep one"
                if kinds
                else "neither text, source, secret, link nor directory; set one"
            )
            self.problems.add(f"It has {told}.", "files", path, *kinds[1:2])
        elif kinds == ["source"]:
            self._source(path, file)
        elif kinds == ["secret"]:
            self._secret(path, file)
        else:
            self.entries[path] = self._entry(kinds[0], file)

    def _entry(self, kind: str, file: File) -> model.Entry:
        if kind == "link":
            if not file.link:
                raise ValueError("the link has an empty target")
            check_characters(file.link, "the link's target")
            return model.Link(file.link)
        if kind == "directory":
            return model.Directory(file.mode or "0755", file.user, file.group)
        text = self._text(kind, file)
        check_utf8(text, "the content")
        return model.TextFile(text, file.mode or "0644", file.user, file.group)

    def _text(self, kind: str, file: File) -> str:
        if kind == "json":
            return to_json(cast("Data", file.json))
        if kind == "toml":
            if not isinstance(file.toml, Mapping):
                raise ValueError("TOML begins with a table: assign a mapping")
            return to_toml(cast("Mapping[str, Data]", file.toml))
        if kind == "ini":
            return to_ini(file.ini)
        if kind == "key_value":
            return to_key_value(file.key_value)
        return file.text or ""

    def _source(self, path: str, file: File) -> None:
        source = file.source or ""
        if isinstance(source, Fetched):
            # A file of the author's with the same content is nearer.
            self.contents.setdefault(source.digest, Download(source.digest, source.url, path))
            self.entries[path] = model.BlobFile(source.digest, file.mode or "0644", file.user, file.group)
            return
        try:
            if set(source) & set("*?[") and not os.path.lexists(source):
                self._copy_matches(path, file, source)
            else:
                self._copy(path, file, source, top=True)
        except OSError as error:
            message = f"{error.filename or source} cannot be read: {error.strerror}."
            self.problems.add(message, "files", path, "source")

    def _copy_matches(self, path: str, file: File, pattern: str) -> None:
        from glob import glob  # only for patterns

        found = sorted(glob(pattern))  # noqa: PTH207 - pathlib costs 6 ms to import
        if not found:
            self.problems.add(f"No file matches {pattern}.", "files", path, "source")
        for source in found:
            below = f"{path}/{source.rpartition('/')[2]}"
            check_path(below)
            if below in self.entries:
                raise ValueError(f"two matches of {pattern} are called {below.rpartition('/')[2]!r}")
            self._copy(below, file, source, top=not os.path.isdir(source))  # noqa: PTH112

    def _secret(self, path: str, file: File) -> None:
        from holdfast.library.assembling.secrets import read_secret  # only where there is one

        try:
            entry, content = read_secret(file)
        except OSError as error:
            self.problems.add(f"{file.secret} cannot be read: {error.strerror}.", "files", path, "secret")
            return
        self.contents[content.digest] = content
        self.entries[path] = entry

    def _copy(self, path: str, file: File, source: str, *, top: bool) -> None:
        found = os.stat(source) if top else os.lstat(source)  # noqa: PTH116 - pathlib costs 6 ms to import
        if stat.S_ISDIR(found.st_mode):
            self.entries[path] = model.Directory(
                (file.mode if top else None) or "0755", file.user, file.group
            )
            for name in sorted(os.listdir(source)):  # noqa: PTH208
                check_path(f"{path}/{name}")
                self._copy(f"{path}/{name}", file, f"{source}/{name}", top=False)
        elif stat.S_ISLNK(found.st_mode):
            target = os.readlink(source)  # noqa: PTH115
            check_characters(target, f"the target of {source}")
            self.entries[path] = model.Link(target)
        elif stat.S_ISREG(found.st_mode):
            executable = bool(found.st_mode & stat.S_IXUSR)
            mode = (file.mode if top else None) or ("0755" if executable else "0644")
            with open(source, "rb") as stream:  # noqa: PTH123
                digest = digest_stream(stream)
            self.contents[digest] = AuthorFile(digest, source)
            self.entries[path] = model.BlobFile(digest, mode, file.user, file.group)
        else:
            self.problems.add(f"{source} is neither file, directory nor link.", "files", path, "source")

    def _check_parents(self) -> None:
        for path in self.entries:
            for above in parents(path):
                entry = self.entries.get(above)
                if entry is not None and not isinstance(entry, model.Directory):
                    kind = "a link" if isinstance(entry, model.Link) else "a file"
                    self.problems.add(f"It lies below {above}, which is declared as {kind}.", "files", path)
                    break
