"""What one `log()` holds besides numbers, as the JSON of its record: media in the blobs first, then their names.

`Run.log` calls it off its fast path. Recording trouble becomes a marker in the value's place and a fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import orjson

from weft.tracking.blobs import Blobs
from weft.tracking.media.base import TYPE, Media, Record
from weft.tracking.payloads.payload import payload, unrecorded
from weft.tracking.payloads.redaction import clean_name, redact

if TYPE_CHECKING:
    from weft.tracking.runtime import Runtime

ROOT = "media"
"""Where media lie among a run's files."""
AT_ONCE = 8
"""Files of a batch that are written at a time: of 32 small ones on ext4 in 43 ms, one by one in 260."""
_NAME_BYTES = 100
_strange = re.compile(r"[^\w\- .]+|\.{2,}")


def rich_json(rt: Runtime, values: Mapping[str, Any], step: int) -> bytes | None:
    """JSON object of named values, secrets out; None where there are none. Blobs are synced when this returns.

    Args:
        values: as `metrics.split` sorts them; records of logged tables too.
        step: what they were logged at, for the names of media files.
    """
    if not values or not rt.recording:
        return None
    rules, store = rt.settings.redact, Blobs(rt.home).put
    parts = []
    for name, value in values.items():
        try:
            data = payload(_placed(clean_name(name, rules), step, value, rt, store), rules, rt.faults, store)
        except Exception as error:  # a full disk; the run goes on
            rt.faults.note("keep a logged medium", error, hint="A marker stands in its place.")
            data = unrecorded(f"{type(error).__name__} while its bytes were kept")
        parts.append(orjson.dumps(_text(name)) + b":" + data)
    # Once more as a whole: a name may say that its value is a secret.
    return redact(b"{" + b",".join(parts) + b"}", rt.faults, rules)


def _placed(key: str, step: int, value: Any, rt: Runtime, store: Callable[[bytes], str]) -> Any:
    """Media as their records with a path among the run's files, lists of media as one batch."""
    if isinstance(value, Media):
        return _record(key, step, value, store)
    if not isinstance(value, list) or not value or not all(isinstance(item, Media) for item in value):
        return value
    records = _records(key, step, value, store)
    if len({type(item) for item in value}) > 1:
        rt.faults.note("keep a list of different media as one batch", hint="Each is kept by itself.")
        return records
    if len({(getattr(item, "width", None), getattr(item, "height", None)) for item in value}) > 1:
        rt.faults.note("find one size for a list of images", hint="Each is kept in its own.")
    return {TYPE: value[0].batch, "count": len(records), "items": records}


def _records(key: str, step: int, media: list[Media], store: Callable[[bytes], str]) -> list[Record]:
    """Of each; several at a time, since most of it is waiting for the disk to have synced a file."""
    if len(media) >= AT_ONCE // 2:
        try:
            with ThreadPoolExecutor(AT_ONCE, "weft-media") as pool:
                return list(pool.map(lambda medium: _record(key, step, medium, store), media))
        except RuntimeError:  # no threads any more: the interpreter ends
            pass
    return [_record(key, step, medium, store) for medium in media]


def _record(key: str, step: int, medium: Media, store: Callable[[bytes], str]) -> Record:
    record = medium.record(store)
    if "digest" in record:
        record["path"] = media_path(medium.folder, key, step, record["digest"], record["format"])
    return record


def media_path(folder: str, key: str, step: int, digest: str, ending: str) -> str:
    """`media/<folder>/<safe key>_<step>_<20 digits of sha256>.<ending>`: within the run, whatever the key is."""
    safe = _strange.sub("_", key).strip("._ ") or "media"
    safe = safe.encode("utf-8", "replace")[:_NAME_BYTES].decode("utf-8", "ignore")
    return f"{ROOT}/{folder}/{safe}_{step}_{digest[:20]}.{ending}"


def _text(name: str) -> str:
    """A name that JSON can hold."""
    return name.encode("utf-8", "backslashreplace").decode()
