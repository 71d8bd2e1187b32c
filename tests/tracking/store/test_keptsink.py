"""Files and alerts of runs: the last writer of a path, nothing of a run that was removed; who leads a run wins."""

from __future__ import annotations

import itertools

import pytest

from weft.tracking.errors import NotFoundError
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import (
    SCHEMA,
    AlertRaised,
    FileSaved,
    Record,
    Removed,
    RunFinished,
    RunStarted,
)
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

RUN = b"r" * 16


def _apply(store: Store, *records: Record, segment: str = "s") -> None:
    for at, record in enumerate(records):
        place = Position("home", segment, 100 * at + 100, segment.encode() * 8)
        store.sink().apply([Frame(100 * at, 100 * at + 100, record)], place)


def _file(at_ns: int, digest: str, path: str = "a.txt") -> FileSaved:
    return FileSaved(SCHEMA, RUN, at_ns, path, digest * 64, at_ns, "saved")


STARTED = RunStarted(SCHEMA, RUN, "mine", "p", "name", 1)


def test_the_last_writer_of_a_path_stands(store: Store) -> None:
    _apply(store, STARTED, _file(5, "b"), _file(3, "a"), _file(4, "c", "z.txt"))
    found = store.reader().files(RUN.hex())
    assert [(file.path, file.digest[0], file.size_bytes) for file in found] == [("a.txt", "b", 5), ("z.txt", "c", 4)]


def test_nothing_of_a_removed_run_stays_or_comes_back(store: Store) -> None:
    alert = AlertRaised(SCHEMA, RUN, 2, "title", "text", "INFO")
    _apply(store, STARTED, _file(5, "b"), alert)
    assert len(store.reader().alerts()) == 1
    _apply(store, Removed(SCHEMA, "run", RUN, "p", 9), _file(6, "d"), alert, segment="t")
    assert store.reader().alerts() == []
    with pytest.raises(NotFoundError):
        store.reader().files(RUN.hex())
    with store.reading() as connection:
        for table in ("run_file", "alert"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0


def test_who_leads_a_run_wins_in_any_order(store: Store) -> None:
    """A rank above 0 started later, said other things and failed later."""
    records: list[tuple[str, Record]] = [
        ("a", RunStarted(SCHEMA, RUN, "mine", "p", "led", 10, b'{"lr":1}', ["t"])),
        ("b", RunStarted(SCHEMA, RUN, "mine", "p", "joined", 20, b'{"lr":9,"rank":1}', ["u"], joined=True)),
        ("a", RunFinished(SCHEMA, RUN, 30, "finished", 0)),
        ("b", RunFinished(SCHEMA, RUN, 40, "failed", 1, joined=True)),
    ]
    seen = set()
    for number, order in enumerate(itertools.permutations(records)):
        uid = number.to_bytes(16, "big")
        for at, (writer, record) in enumerate(order):
            changed = {name: getattr(record, name) for name in record.__struct_fields__} | {"uid": uid}
            place = Position("home", f"{number}-{writer}", 100 * at + 100, writer.encode() * 8)
            store.sink().apply([Frame(100 * at, 100 * at + 100, type(record)(**changed))], place)
        [run] = store.reader().runs({"uid": uid.hex()}).rows
        config = tuple(sorted(run.config.items()))
        seen.add((run.state, run.name, tuple(run.tags), config, run.exit_code, run.started_ns))
    assert seen == {("finished", "led", ("t",), (("lr", 1), ("rank", 1)), 0, 10)}
