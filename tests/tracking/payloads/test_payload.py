"""The short road writes what the long one would, and large values stay whole."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking.faults import Faults
from weft.tracking.payloads import payload as module
from weft.tracking.payloads.encoding import MAX_FIELD_BYTES, decode, encode
from weft.tracking.payloads.payload import payload
from weft.tracking.payloads.redaction import redact


class Kept(dict[str, bytes]):
    """Blobs in memory."""

    def store(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self[digest] = data
        return digest


def written(value: object, *, redacted: bool = True, store: Callable[[bytes], str] | None = None) -> bytes:
    return payload(value, redacted=redacted, faults=Faults(strict=True), store_blob=store or Kept().store)


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=20)
    | st.binary(max_size=5)
    | st.sampled_from(["sk-abcdefghijklmnop", "password=hunter2", "joe:pw@host", "x=1", "\\"])
)
names = st.text(st.characters(exclude_categories=[]), max_size=8) | st.sampled_from(
    ["$weft", "v", "api_key", "token", "role", "content", "Cookie"]
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names | st.integers(), inner, max_size=5),
    max_leaves=25,
)


@given(values)
def test_the_short_road_writes_what_the_long_one_would(value: Any) -> None:
    """Plain data is told from the rest without a mistake, secrets included."""
    assert written(value) == redact(encode(value))
    assert written(value, redacted=False) == encode(value)


@pytest.mark.parametrize(
    "value",
    [[1.0, math.nan], [1, 2.5, math.inf], [1e308, 1e308], [10**400, 1.0], {"a": [[math.nan]]}, (1.0, -math.inf)],
)
def test_lists_of_numbers_are_looked_at_whole(value: Any) -> None:
    """A sum tells of a NaN among them; a sum that overflows costs time, not truth."""
    assert written(value) == encode(value)


def test_a_value_that_contains_itself_takes_the_long_road() -> None:
    """And ends."""
    loop: list[Any] = [{}]
    loop[0]["again"] = loop
    assert written(loop) == encode(loop)


def test_a_large_value_is_kept_whole_in_a_blob_and_without_its_secrets() -> None:
    """At most 1 MiB stays in the record."""
    kept = Kept()
    value = {"log": "line\n" * 400_000 + "sk-abcdefghijklmnop", "n": 1}
    data = written(value, store=kept.store)
    assert len(data) <= MAX_FIELD_BYTES
    decoded = decode(data)
    assert decoded["n"] == 1
    text = kept[decoded["log"].value["digest"]].decode()
    assert text == "line\n" * 400_000 + "[redacted:api-key]"


def test_a_large_value_that_cannot_be_kept_leaves_its_size() -> None:
    """A full disk is counted, said in the record, and raises nothing."""

    def full(data: bytes) -> str:
        raise OSError(28, "No space left on device")

    faults = Faults()
    data = payload("x" * 2_000_000, redacted=True, faults=faults, store_blob=full)
    assert decode(data).value == {"cause": "2000002 bytes could not be kept: OSError"}
    assert faults.counts == {"keep a large value as a blob": 1}


def test_a_program_with_endless_names_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of names is bounded."""
    monkeypatch.setattr(module, "_NAMES_KEPT", 10)
    for number in range(100):
        written({f"name-{number}": 1})
    assert len(module._names) <= 10
