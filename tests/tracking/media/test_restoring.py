"""Records come back as what they were, and what is no record stays what it is."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.tracking.blobs import Blobs
from weft.tracking.home import Home
from weft.tracking.media import Histogram, Html, Media, restore, revived
from weft.tracking.media.restoring import KINDS
from weft.tracking.payloads.content import ContentError
from weft.tracking.payloads.encoding import decode, encode


def test_bytes_are_read_from_the_blobs_and_checked(tmp_path: Path) -> None:
    blobs = Blobs(Home(tmp_path / "home"))
    record = Html("<p>x").record(blobs.put)
    found = restore(decode(encode(record)), blobs)
    assert isinstance(found, Html)
    assert found.bytes() == Html("<p>x").bytes()
    blobs.path(found.digest).write_bytes(b"y" * found.size_bytes)
    with pytest.raises(ContentError, match="damaged"):
        restore(record, blobs).bytes()  # type: ignore[attr-defined]
    blobs.path(found.digest).unlink()
    with pytest.raises(ContentError, match="cannot be read"):
        restore(record, blobs).bytes()  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [*KINDS, "nonsense", None, 7])
@pytest.mark.parametrize(
    "fields",
    [{}, {"digest": "../../etc/passwd", "size_bytes": 3, "media_type": "image/png", "format": "png"}, {"digest": 7}],
)
def test_a_dict_that_only_looks_like_a_record_is_refused_and_left(kind: Any, fields: dict[str, Any]) -> None:
    record = {"_type": kind, **fields}
    with pytest.raises(ValueError, match="record"):
        restore(record)
    assert revived(record) == record


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([*KINDS, "images/separated", "a" * 64, "png"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["_type", "digest", "size_bytes", "items", "values", "bins", "format"]), inner
        )
    ),
    max_leaves=20,
)


@settings(deadline=None)  # other processes may have the processor
@given(JSON)
def test_any_json_is_revived_without_a_word(value: Any) -> None:
    revived(value)


def test_media_within_lists_and_dicts_come_back() -> None:
    made = Histogram([1, 2])
    assert revived({"a": [made.record(), 3]}) == {"a": [made, 3]}
    assert pickle.loads(pickle.dumps(made)) == made
    assert revived({"_type": "histograms", "count": 1, "items": [made.record()]}) == [made]


def test_a_kind_of_medium_that_cannot_be_restored_cannot_be_made() -> None:
    class Half(Media):
        def _fields(self, store_blob: object) -> dict[str, object]:
            return {}

    with pytest.raises(TypeError, match="_restore"):
        Half()  # type: ignore[abstract]
