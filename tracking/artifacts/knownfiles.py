"""Files that were hashed before: by size, times and inode, so that what did not change is not read again.

As git does, a file that was changed a moment before it was looked at is not believed: it could change once more within
the same tick of the clock. One small file a folder under `<home>/known/`; it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from pathlib import Path

import msgspec

from weft.tracking.home import Home

FOLDER = "known"
KEPT_FROM_BYTES = 1 << 20
"""A single file below this is hashed faster than it is looked up."""
_TICK_NS = 100_000_000
"""Time stamps of current file systems move on at least so often."""
_COARSE_NS = 2_500_000_000
"""Of those that keep whole seconds only (FAT: two)."""


class _Known(msgspec.Struct, array_like=True):
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    digest: bytes


_decoder = msgspec.msgpack.Decoder(dict[str, _Known])


class KnownFiles:
    """The files of one folder, by their path below it."""

    def __init__(self, home: Home, folder: str) -> None:
        name = hashlib.sha256(os.fsencode(Path(folder).absolute())).hexdigest()[:32]
        self._path = home.path / FOLDER / name
        self._known = _read(self._path)
        self._changed = False

    def digest(self, name: str, info: os.stat_result) -> str | None:
        """sha256 of the file as it was hashed before, if it is that still."""
        known = self._known.get(name)
        if known is not None and (
            known.size == info.st_size
            and known.mtime_ns == info.st_mtime_ns
            and known.ctime_ns == info.st_ctime_ns
            and known.inode == info.st_ino
            and known.device == info.st_dev
        ):
            return known.digest.hex()
        return None

    def learn(self, name: str, info: os.stat_result, digest: str, looked_ns: int) -> None:
        """It has this digest, read after it was looked at (`info`, at `looked_ns` of the wall clock)."""
        newest = max(info.st_mtime_ns, info.st_ctime_ns)
        coarse = info.st_mtime_ns % 1_000_000_000 == 0
        if newest > looked_ns - (_COARSE_NS if coarse else _TICK_NS):
            self._changed = self._known.pop(name, None) is not None or self._changed
            return
        self._known[name] = _Known(
            info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_dev, bytes.fromhex(digest)
        )
        self._changed = True

    def only(self, names: set[str]) -> None:
        """Of the whole folder only these are left."""
        for name in [name for name in self._known if name not in names]:
            del self._known[name]
            self._changed = True

    def save(self) -> None:
        """Keep what was learnt.

        Raises:
            OSError: it could not be written.
        """
        if not self._changed:
            return
        body = msgspec.msgpack.encode(self._known)
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        draft = self._path.with_name(f"{self._path.name}.{secrets.token_hex(6)}.new")
        try:
            draft.write_bytes(zlib.crc32(body).to_bytes(4, "little") + body)
            draft.replace(self._path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        self._changed = False


def _read(path: Path) -> dict[str, _Known]:
    """What a cut-off or older file says is not believed."""
    try:
        data = path.read_bytes()
    except OSError:
        return {}
    if zlib.crc32(data[4:]) != int.from_bytes(data[:4], "little"):
        return {}
    try:
        return _decoder.decode(data[4:])
    except msgspec.DecodeError:
        return {}
