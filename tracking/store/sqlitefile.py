"""How SQLite opens a store's file: as usual where its folder can be written, else asking for nothing that must be made.

Beside a database in WAL mode SQLite makes `-wal` and `-shm`, which a folder that may not be written has no place for.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from weft.tracking.errors import StoreError

_WAL = b"\x02\x02"
"""Bytes 18 and 19 of a database in WAL mode."""


def read_only_uri(path: Path) -> str:
    """The URI that opens the database of a folder that cannot be written, as it stands now.

    Where `-wal` lies beside it with its `-shm`, SQLite reads both, and sees what a writer on the other side of the
    mount commits. Without `-wal` everything is in the database itself, which is then read as a file that does not
    change: ask again for each connection, since it may have changed by then.

    Raises:
        StoreError: `-wal` is there and `-shm` is not: what was written last cannot be read.
    """
    uri = f"file:{quote(str(path))}?mode=ro"
    with path.open("rb") as file:
        if file.read(20)[18:] != _WAL:
            return uri
    wal, shm = (path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))
    if not wal.exists() or not wal.stat().st_size:
        return f"{uri}&immutable=1"
    if not shm.exists():
        raise StoreError(
            f"weft could not read the store {path}: what was written last is in {wal.name}, and its folder cannot be "
            "written, which SQLite needs to read that. Copy the folder to a place that can be written."
        )
    return uri
