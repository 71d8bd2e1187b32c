"""The files a Table is kept in: one Parquet file, and of an INCREMENTAL table one more for each `log()` with new rows.

`table.parquet` comes first, then `table.00001.parquet`, `table.00002.parquet`, ... Media in cells are files of the same
artifact (`media/<digest>.png`), so that whoever downloads, verifies or cleans up knows of them.
"""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from weft.tracking.artifacts.manifest import Manifest
from weft.tracking.payloads import mediatypes
from weft.tracking.tables import parquet
from weft.tracking.tables.arrow import ROWS_A_GROUP
from weft.tracking.tables.table import Table

if TYPE_CHECKING:
    from weft.tracking.artifacts.artifact import Artifact
    from weft.tracking.blobs import Blobs

TYPE = "run_table"
"""The type of the artifacts of Tables that runs log; their names are `run-<id>-<key>`."""
FILE = "table.parquet"
MAX_PARTS = 100
"""After so many the next `log()` writes all rows as one file again."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a logged table."""

    path: str
    n_rows: int
    files: Mapping[str, Mapping[str, Any]]
    """{path: {digest, size_bytes}}: the file itself, and those that its cells name."""


def part_paths(paths: Iterable[str], first: str) -> list[str]:
    """The files of a table, in order, of all that an artifact has."""
    numbered = re.compile(re.escape(first.removesuffix(".parquet")) + r"\.\d{5}\.parquet")
    return [first, *sorted(path for path in paths if numbered.fullmatch(path))]


def first_parts(paths: Iterable[str]) -> list[str]:
    """The tables among an artifact's files, each by its first file."""
    found = [path for path in paths if path.endswith(".parquet")]
    return [path for path in sorted(found) if not re.search(r"\.\d{5}\.parquet$", path)]


def read(paths: Iterable[str], first: str, open_file: Callable[[str], BinaryIO], blobs: Blobs | None = None) -> Table:
    """A table whose files are an artifact's.

    Args:
        paths: all files of the artifact.
        blobs: where media in cells lie.

    Raises:
        MissingExtraError, NotFoundError, UsageError: as `Table.from_parquet` and `open_file`.
    """
    with ExitStack() as opened:
        return Table.from_parquet(
            *(opened.enter_context(open_file(path)) for path in part_paths(paths, first)), blobs=blobs
        )


def source(manifest: Mapping[str, Any], first: str, blobs: Blobs) -> Any:
    """A table among an artifact's files, for SQL.

    Raises:
        MissingExtraError: pyarrow is not installed.
        NotFoundError: a file is not in this home.
        UsageError: one is no sound Parquet file.
    """
    digests = [str(manifest[path]["digest"]) for path in part_paths(manifest, first)]
    for digest in digests:
        blobs.size(digest)  # says so where it is not here
    files = [blobs.path(digest) for digest in digests]
    whole = parquet.dataset(files)
    return Table.from_parquet(*files, blobs=blobs).to_arrow() if whole is None else whole


def write(artifact: Artifact, table: Table, path: str, start: int = 0, *, overwrite: bool = False) -> Part:
    """Add a table's rows, from `start` on, as one file of an artifact, and its media as others.

    Raises:
        MissingExtraError: pyarrow is not installed.
        UsageError: as `Artifact.add_bytes`.
    """
    files: dict[str, dict[str, Any]] = {}

    def keep(data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        name = f"media/{digest[:20]}.{mediatypes.extension(mediatypes.guessed(data))}"
        if name not in files:
            artifact.add_bytes(data, name, overwrite=True)
            files[name] = {"digest": digest, "size_bytes": len(data)}
        return digest

    if len(table) - start > ROWS_A_GROUP:
        with tempfile.TemporaryDirectory(prefix="weft-") as folder:
            draft = Path(folder) / "table"
            table.to_parquet(draft, start=start, store_blob=keep)
            artifact.add_file(draft, path, overwrite=overwrite)
            with draft.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = draft.stat().st_size
    else:
        buffer = io.BytesIO()
        table.to_parquet(buffer, start=start, store_blob=keep)
        artifact.add_bytes(buffer.getvalue(), path, overwrite=overwrite)
        digest, size = hashlib.sha256(buffer.getvalue()).hexdigest(), len(buffer.getvalue())
    files[path] = {"digest": digest, "size_bytes": size}
    return Part(path, len(table) - start, files)


def write_increment(artifact: Artifact, table: Table, known: list[Part], blobs: Blobs) -> list[Part]:
    """Add the files of rows that were logged before, and one of those that are new. Returns them all.

    Raises:
        as `write`.
    """
    from weft.tracking.artifacts.versions import ArtifactVersion  # it imports this module

    logged = sum(part.n_rows for part in known)
    files = {path: dict(body) for part in known for path, body in part.files.items()}
    held = all(blobs.has(str(body["digest"])) for body in files.values())
    if not known or logged > len(table) or not held or (logged < len(table) and len(known) >= MAX_PARTS):
        return [write(artifact, table, FILE)]
    before = ArtifactVersion("", artifact.bare_name, artifact.type, "", Manifest(files), {}, blobs)
    artifact.continue_from(before)
    if logged == len(table):
        return known
    path = f"{FILE.removesuffix('.parquet')}.{len(known):05d}.parquet"
    return [*known, write(artifact, table, path, logged)]
