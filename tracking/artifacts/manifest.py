"""What a version holds: its files by path, and where each one's content is. Pure; what is read is checked as what is
written is, so a manifest that somebody edited leads nowhere.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from weft.tracking.errors import StoreError, UsageError

SHA256 = "sha256"
CHECKS = (SHA256, "md5", "etag", "uri")
"""What the digest of a reference is: of its content, or what the server says of it; `uri`: nothing is known of it."""
PACKED_BYTES = 16 << 10
"""From here on a manifest is compressed in the journal, and kept in shared parts in the store."""
PACKED_SCHEMA = 2
"""The schema number of an `ArtifactLogged` whose manifest is compressed: an older weft leaves its segment alone."""
PART_FILES = 64
"""Files of a part, on average: one changed file costs a part of this size."""
_LARGEST_PART = 8 * PART_FILES
_LARGEST_MANIFEST = 1 << 30
_BARRED = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PART_BYTES = 255


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an artifact."""

    path: str
    digest: str
    """sha256 hex of the content; of a reference what `check` says."""
    size: int | None
    """Bytes; None: a reference whose size nobody told."""
    ref: str | None = None
    """Where the content is, when the artifact does not hold it."""
    check: str = SHA256
    version_id: str | None = None
    """Of a reference into a bucket that keeps versions."""

    @classmethod
    def read(cls, path: str, body: object) -> Entry:
        """Of a manifest's JSON.

        Raises:
            UsageError: the path leads out of the artifact.
            StoreError: the manifest is damaged, or was edited.
        """
        check_path(path)
        if isinstance(body, Mapping):
            digest, size, ref = body.get("digest"), body.get("size_bytes"), body.get("ref")
            check, version_id = body.get("check", SHA256), body.get("version_id")
            sized = size is None if ref is not None and size is None else type(size) is int and size >= 0
            texts = all(value is None or isinstance(value, str) for value in (ref, version_id))
            told = isinstance(digest, str) and (_DIGEST.fullmatch(digest) or (ref is not None and check != SHA256))
            if told and sized and texts and check in CHECKS and len(body) <= 5:
                return cls(path, str(digest), size, ref, check, version_id)
        raise StoreError(
            f"the manifest's entry of {path!r:.150} is damaged: {body!r:.150}. "
            "Log the version again from its source, or bring the store back from a backup"
        )


class Manifest(dict[str, dict[str, Any]]):
    """{path: {digest, size_bytes}}; of a reference also {ref, check}. `entries` has them as `Entry`."""

    @property
    def entries(self) -> dict[str, Entry]:
        """By path.

        Raises:
            UsageError, StoreError: a path leads out, or an entry is none.
        """
        return {path: Entry.read(path, body) for path, body in self.items()}

    @property
    def canonical(self) -> bytes:
        """Compact JSON, paths and keys sorted: what the digest is of."""
        return orjson.dumps(dict(self), option=orjson.OPT_SORT_KEYS)

    @property
    def digest(self) -> str:
        """sha256 of the canonical form, hex."""
        return sha256(self.canonical).hexdigest()

    @property
    def size_bytes(self) -> int:
        """Of all files together, as far as known."""
        return sum(body.get("size_bytes") or 0 for body in self.values())


def check_path(name: object) -> str:
    """The path, if a file in an artifact may have it: relative, plain, below the artifact on every system.

    Raises:
        UsageError: it is absolute, holds `..`, an empty part, a backslash, a drive letter or a control character.
    """
    if not isinstance(name, str):
        raise UsageError(f"a path in an artifact must be text, got {type(name).__name__}: {name!r:.80}")
    parts = name.split("/")
    if (
        _BARRED.search(name)
        or _DRIVE.match(name)
        or any(part in ("", ".", "..") for part in parts)
        or (len(name) * 4 > _PART_BYTES and any(len(part.encode()) > _PART_BYTES for part in parts))
    ):
        raise UsageError(
            f"{name!r:.200} cannot be a path in an artifact: it must be relative, with / between plain names, "
            "without .., backslashes, drive letters or control characters"
        )
    return str.__str__(name)


def packed(canonical: bytes) -> bytes:
    """As it stands in the journal: compressed where it is long."""
    return canonical if len(canonical) < PACKED_BYTES else zlib.compress(canonical, 1)


def unpacked(data: bytes) -> bytes:
    """Back from `packed`.

    Raises:
        ValueError: it is neither.
    """
    if data[:1] == b"{":
        return data
    room = zlib.decompressobj()
    try:
        found = room.decompress(data, _LARGEST_MANIFEST)
    except zlib.error as error:
        raise ValueError(f"a manifest is neither JSON nor compressed: {error}") from None
    if room.unconsumed_tail:
        raise ValueError(f"a manifest is longer than {_LARGEST_MANIFEST:,} bytes")
    return found


def cut(manifest: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """The manifest as parts (digest, JSON), cut by the paths themselves: of two that differ in one file all parts but
    one are the same."""
    parts: list[tuple[str, bytes]] = []
    part: dict[str, Any] = {}
    for path in sorted(manifest):
        part[path] = manifest[path]
        if zlib.crc32(path.encode()) % PART_FILES == 0 or len(part) == _LARGEST_PART:
            parts.append(_part(part))
            part = {}
    if part:
        parts.append(_part(part))
    return parts


def joined(parts: Iterable[bytes]) -> Manifest:
    """Back from the parts' JSON."""
    whole = Manifest()
    for part in parts:
        whole.update(orjson.loads(part))
    return whole


def _part(entries: dict[str, Any]) -> tuple[str, bytes]:
    data = orjson.dumps(entries, option=orjson.OPT_SORT_KEYS)
    return sha256(data).hexdigest()[:32], data
