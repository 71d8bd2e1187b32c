"""In whatever order records of artifacts come, what is said of versions, their aliases and lineage are the same."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import SCHEMA, ArtifactLogged, ArtifactUsed, Record, Removed, VersionUpdated
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

DIGESTS = ["a" * 64, "b" * 64]
RUNS = [b"1" * 16, b"2" * 16]
ALIASES = st.lists(st.sampled_from(["best", "prod"]), max_size=2, unique=True)


@st.composite
def _records(draw: Any) -> list[Record]:
    """Some of each kind, a time of its own each."""
    made: list[Record] = []
    for at in range(1, draw(st.integers(1, 9))):
        digest, name = draw(st.sampled_from(DIGESTS)), draw(st.sampled_from(["one", "two"]))
        kind = draw(st.sampled_from(["log", "log", "edit", "use", "remove"]))
        if kind == "log":
            made.append(
                ArtifactLogged(
                    SCHEMA,
                    "p",
                    name,
                    draw(st.sampled_from(["x", "y"])),
                    digest,
                    b"{}",
                    0,
                    at,
                    aliases=draw(ALIASES),
                    description=draw(st.sampled_from([None, "said"])),
                    tags=draw(ALIASES),
                    metadata=draw(st.sampled_from([None, b'{"n":1}', b"{}"])),
                    ttl_s=draw(st.sampled_from([None, 5, -1])),
                    run_uid=draw(st.sampled_from([None, *RUNS])),
                )
            )
        elif kind == "edit":
            made.append(
                VersionUpdated(
                    SCHEMA,
                    "p",
                    name,
                    digest,
                    at,
                    description=draw(st.sampled_from([None, "", "edited"])),
                    tags=draw(st.none() | ALIASES),
                    aliases=draw(ALIASES),
                    dropped_aliases=draw(ALIASES),
                    metadata=draw(st.sampled_from([None, b"{}", b'{"n":2}'])),
                    ttl_s=draw(st.sampled_from([None, 7, -1])),
                )
            )
        elif kind == "use":
            used_as = draw(st.sampled_from([None, "input"]))
            made.append(ArtifactUsed(SCHEMA, "p", name, digest, draw(st.sampled_from(RUNS)), at, used_as=used_as))
        else:
            key = draw(st.sampled_from([digest, f"{digest}/{name}"]))
            made.append(Removed(SCHEMA, "artifact", key.encode(), "p", at))
    return made


def _told(template: Path, place: Path, records: list[tuple[int, Record]], batch: int) -> list[Any]:
    shutil.copyfile(template, place)
    with Store.open(f"sqlite:///{place}", create=False) as store:
        for start in range(0, len(records), batch):
            frames = [Frame(offset, offset + 1, record) for offset, record in records[start : start + batch]]
            store.sink(None).apply(frames, Position("h" * 32, "s.wj", 1000, b"w" * 8))
        found = []
        for row in store.reader().artifacts(limit=None, order="name").rows:
            said = (row.description, row.metadata, list(row.tags), row.ttl_s, row.type, row.logged_ns, row.updated_ns)
            links = (sorted(row.maker_paths), sorted(row.user_paths))
            found.append((row.name, row.digest, sorted(row.aliases), said, links))
        return sorted(found)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=120)
@given(records=_records(), seed=st.integers(0, 10**6), batch=st.integers(1, 5))
def test_order_and_batches_change_nothing_but_numbers(
    tmp_path: Path, sqlite_template: Path, records: list[Record], seed: int, batch: int
) -> None:
    offsets = list(enumerate(records, start=1))
    shuffled = random.Random(seed).sample(offsets, len(offsets))
    place = tmp_path / "order.db"
    assert _told(sqlite_template, place, offsets, 1) == _told(sqlite_template, place, shuffled, batch)
