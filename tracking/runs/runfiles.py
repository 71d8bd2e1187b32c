"""The files of one run: `run.save` and what lies in `run.dir`. Each is in the blobs before the record that names it."""

from __future__ import annotations

import glob as globbing
import logging
import os
import posixpath
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from weft.tracking.blobs import Blobs
from weft.tracking.errors import HomeError, NotFoundError, UsageError
from weft.tracking.journal.records import SCHEMA, FileSaved, Record
from weft.tracking.payloads.redaction import clean_name

if TYPE_CHECKING:
    from weft.tracking.runtime import Runtime
    from weft.tracking.settings import Settings

log = logging.getLogger("weft.recording")

POLICIES = ("live", "now", "end")


class RunFiles:
    """What one run saves. `live` and `end` are saved at once, too, and again at the end where they changed."""

    def __init__(self, rt: Runtime, uid: bytes, folder: Callable[[], Path], record: Callable[[Record], None]) -> None:
        """
        Args:
            folder: where `run.dir` is, or would be.
            record: takes what was saved.
        """
        self._rt = rt
        self._uid = uid
        self._folder = folder
        self._record = record
        self._watched: dict[Path, str] = {}
        """Files to look at again at the end, and the names they have in the run."""
        self._kept: dict[tuple[Path, str], tuple[int, int]] = {}
        """Time and size of a file when it was kept, by its path and its name in the run."""

    def save(self, pattern: object, base_path: object, policy: str, *, expand: bool) -> list[str]:
        """`Run.save`."""
        if policy not in POLICIES:
            raise UsageError(f"save(policy=) is one of {', '.join(POLICIES)}, not {policy!r:.80}")
        text = _path_text("save()", pattern)
        folder = self._folder()
        if base_path is None and not os.path.exists(text) and os.path.exists(folder / text):  # noqa: PTH110 - which raise nothing
            text = str(folder / text)  # as older scripts say what they have put into run.dir
        if "://" in text:
            log.warning("save(%r): an address is no file here and is left out; Artifact.add_reference keeps one", text)
            return []
        chosen = Path(os.path.abspath(text))  # noqa: PTH100 - without following links, which resolve() would
        base = self._base(chosen, Path(text), base_path)
        found, path = [], None
        for path in _files(str(chosen), expand=expand):
            name = path.relative_to(base).as_posix()
            if policy != "now":
                self._watched[path] = name
            if self._keep(path, name):
                found.append(str(path))
        if path is None:  # one that is there and could not be kept was told by `_keep`
            log.warning("save(%r): there is no such file; nothing was saved", text)
        return found

    def close(self) -> None:
        """At the end of the run: what changed since, and what lies in `run.dir`."""
        for path, name in self._watched.items():
            if os.path.isfile(path):  # noqa: PTH113 - which raises nothing
                self._keep(path, name)
        folder = self._folder()
        for path in _files(str(folder), expand=False):
            self._keep(path, path.relative_to(folder).as_posix())

    def _base(self, chosen: Path, given: Path, base_path: object) -> Path:
        if base_path is not None:
            base = Path(os.path.abspath(_path_text("save(base_path=)", base_path)))  # noqa: PTH100 - as above
        elif chosen.is_relative_to(self._folder()):
            base = self._folder()
        elif given.is_absolute():
            base = chosen.parent
        else:
            base = Path.cwd()
        if not chosen.is_relative_to(base) or chosen == base:
            raise UsageError(
                f"save({str(given)!r}): the path must lie below {base}, for its name in the run is told from there. "
                "Give base_path= the folder that it is in"
            )
        return base

    def _keep(self, path: Path, name: str) -> bool:
        try:
            stat = path.stat()
            if self._kept.get((path, name)) == (stat.st_mtime_ns, stat.st_size):
                return True
            blobs = Blobs(self._rt.home)
            digest = blobs.put_file(path)
            size = blobs.size(digest)
        except (OSError, HomeError, UsageError) as error:  # UsageError: it became a pipe since it was found
            self._rt.faults.note("save a file of a run", error)
            return False
        self._kept[path, name] = (stat.st_mtime_ns, stat.st_size)
        clean = clean_name(name.encode("utf-8", "backslashreplace").decode(), self._rt.settings.redact)
        self._record(FileSaved(SCHEMA, self._uid, self._rt.ids.wall_ns(), clean, digest, size))
        return True


def stored(settings: Settings, project: str, ident: str, name: str) -> str:
    """The digest of a file of a run.

    Raises:
        NotFoundError: there is no such run, or it has no such file.
        StoreError: the store cannot be read.
    """
    from weft.tracking.store.access import open_store  # late: what logs alone needs no database

    with open_store(settings) as store:
        reader = store.reader()
        runs = reader.runs({"project": project, "id": ident}, limit=1).rows
        files = reader.files(runs[0].uid) if runs else ()
    if not runs:
        raise NotFoundError(f"there is no run {project}/{ident} in {settings.home}; `weft runs ls` lists what there is")
    plain = posixpath.normpath(name)
    for file in files:
        if file.path in (name, plain):
            return file.digest
    raise NotFoundError(f"run {project}/{ident} has no file {name!r:.150}; it has {len(files)} others")


def restore(blobs: Blobs, digest: str, name: str, root: Path, *, replace: bool) -> Path:
    """A file of a run, copied to below a folder.

    Raises:
        UsageError: its name leads out of the folder.
        NotFoundError: its content is no longer here.
        OSError: it cannot be written.
    """
    place = Path(os.path.abspath(root / name))  # noqa: PTH100 - as above
    if not place.is_relative_to(os.path.abspath(root)):  # noqa: PTH100 - as above
        raise UsageError(f"restore({name!r}) would write outside of {root}")
    if place.exists() and not replace:
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{secrets.token_hex(8)}.weft")  # one a call: threads restore at once
    try:
        with blobs.open(digest) as source, draft.open("xb") as target:
            shutil.copyfileobj(source, target)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
    return place


def _path_text(what: str, value: object) -> str:
    if isinstance(value, bytes | os.PathLike):
        value = os.fsdecode(value)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{what} takes the path of a file, or a pattern such as 'logs/*.txt', not {value!r:.80}")
    return value


def _files(pattern: str, *, expand: bool) -> Iterator[Path]:
    """What a pattern stands for now: files, and all files below the folders it names."""
    for found in sorted(globbing.glob(pattern, recursive=True)) if expand else [pattern]:  # noqa: PTH207 - a text, absolute or not
        path = Path(found)
        if os.path.isfile(path):  # noqa: PTH113 - Path's own raise where a folder may not be looked into
            yield path
        elif os.path.isdir(path):  # noqa: PTH112 - as above
            yield from sorted(below for below in path.rglob("*") if os.path.isfile(below))  # noqa: PTH113 - as above
