"""A collection is the same in whatever order and batches its events come, however often; and keeps its promises."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import RegistryChanged
from weft.tracking.store import schema
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

PATHS = ("model/a", "model/b")
ALIASES = st.lists(st.sampled_from(["prod", "gold", "latest"]), max_size=2, unique=True)
ACTIONS = ("created", "described", "linked", "unlinked", "aliased", "unaliased", "promoted", "refused", "protected")
ASKED = [{"eval": "digits", "conditions": [["accuracy", ">=0.9"]]}]
RARE = ("unprotected", "deleted", "painted")


class Placed(NamedTuple):
    segment: int
    frame: Frame


@st.composite
def events(draw: st.DrawFn, uid: int) -> RegistryChanged:
    action = draw(st.sampled_from([*ACTIONS, "linked", "linked", *RARE]))
    digest = draw(st.sampled_from("xyz")) * 64
    details: dict[str, Any] = {"type": draw(st.sampled_from(["model", "model", "model", "dataset"]))}
    if action == "linked" and draw(st.booleans()):
        details["number"] = draw(st.sampled_from([0, 1, 2, 3, -1, True, "2", 1 << 40]))
    if draw(st.integers(0, 4)) == 0:
        details["force"] = True
    if action == "described":
        details |= {"description": draw(st.sampled_from(["", "# one", "two"])), "tags": ["t"]}
    if action == "protected":
        details |= {"require": draw(st.sampled_from([ASKED, ASKED, [], [1, {"eval": 2}], "broken"]))}
    if action == "promoted" and draw(st.booleans()):
        details["standing"] = ASKED
    source = ("p", "cnn", digest) if action != "protected" else (None, None, None)
    at_ns, path = draw(st.integers(0, 12)), draw(st.sampled_from(PATHS))
    said = orjson.dumps(details) if draw(st.integers(0, 9)) else draw(st.sampled_from([None, b"[1]", b"{broken"]))
    return RegistryChanged(1, b"%016d" % uid, path, action, at_ns, "ana", *source, draw(ALIASES), said)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Placed], list[Placed], list[int]]:
    written = [
        Placed(draw(st.integers(0, 1)), Frame(100 * at, 100 * at + 100, draw(events(at))))
        for at in range(draw(st.integers(1, 16)))
    ]
    again = draw(st.lists(st.sampled_from(written), max_size=4))
    # A home that was copied: the same event once more, elsewhere
    again += [Placed(1 - one.segment, one.frame) for one in draw(st.lists(st.sampled_from(written), max_size=2))]
    mixed = draw(st.permutations([*written, *again]))
    return [*written, *again], list(mixed), draw(st.lists(st.integers(0, len(mixed)), max_size=4))


def apply(store: Store, placed: Sequence[Placed], cuts: Sequence[int]) -> None:
    sink = store.sink()
    for start, end in pairwise([0, *sorted(cuts), len(placed)]):
        for segment, part in groupby(placed[start:end], key=lambda item: item.segment):
            found = [item.frame for item in part]
            offset = max(frame.end for frame in found)
            sink.apply(found, Position("home", f"segment{segment}", offset, b"writer%02d" % segment))


def contents(store: Store) -> dict[str, Any]:
    """All tables of the registry, without the local keys."""
    with store.reading() as connection:
        rows = {
            table.name: [dict(row) for row in connection.execute(table.select()).mappings()]
            for table in (
                schema.registry_collection,
                schema.registry_link,
                schema.registry_alias,
                schema.registry_event,
            )
        }
    paths = {row["id"]: row["path"] for row in rows["registry_collection"]}
    for row in rows["registry_link"] + rows["registry_alias"]:
        row["collection"] = paths[row.pop("collection_key")]
    for row in rows["registry_collection"]:
        del row["id"]
    return {name: sorted(map(repr, held)) for name, held in rows.items()}


def empty(store: Store) -> None:
    with store.writing() as transaction:
        for table in schema.metadata.sorted_tables:
            transaction.run(f"DELETE FROM {table.name}")


QUICK = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@QUICK
@given(deliveries())
def test_any_order_any_split_any_repetition(
    store: Store, delivery: tuple[list[Placed], list[Placed], list[int]]
) -> None:
    written, mixed, cuts = delivery
    empty(store)
    apply(store, written, range(len(written)))
    straight = contents(store)
    empty(store)
    apply(store, mixed, cuts)
    assert contents(store) == straight


@QUICK
@given(deliveries())
def test_what_a_collection_is_holds_together(
    store: Store, delivery: tuple[list[Placed], list[Placed], list[int]]
) -> None:
    """Aliases lead to what is linked, `latest` among them as long as anything is; numbers are below the next one."""
    written, mixed, cuts = delivery
    empty(store)
    apply(store, mixed, cuts)
    reader = store.reader()
    assert len(reader.registry_events()) == len({one.frame.record.uid for one in written})  # type: ignore[union-attr]
    for record in reader.collections(limit=None).rows:
        numbers = [link.number for link in record.links]
        assert len(set(numbers)) == len(numbers)
        assert all(0 <= number < record.next_number for number in numbers)
        assert len({link.digest for link in record.links}) == len(numbers)
        assert set(record.aliases.values()) <= set(numbers)
        assert ("latest" in record.aliases) == bool(numbers)
        assert "latest" not in record.protected
        assert set(record.required) <= set(record.protected)
