"""What users recorded becomes plain JSON and harmless text."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking.payloads.encoding import Tagged, decode, encode
from weft.ui.media import MEDIA
from weft.ui.values import DEEPEST, LITERAL, LONGEST, one_line, showable, visible

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(ANYTHING)
def test_whatever_was_recorded_can_go_to_the_browser(value: object) -> None:
    """Any decoded payload is JSON for the wire: no NaN, no bytes, no lone surrogate."""
    orjson.dumps(showable(decode(encode(value))))


def test_what_json_lacks_is_shown_as_what_it_is() -> None:
    """NaN and infinities, big integers, bytes and blobs are literals, told from text."""
    assert showable(float("nan")) == {LITERAL: "NaN"}
    assert showable(float("-inf")) == {LITERAL: "-Infinity"}
    assert showable(2**60) == {LITERAL: str(2**60)}
    assert showable(b"abc") == {LITERAL: "3 bytes, base64 YWJj"}
    blob = Tagged("blob", {"digest": "ab" * 32, "size_bytes": 2048, "media_type": "image/png"})
    assert showable([blob])[0][MEDIA]["text"] == "image/png, 2.0 KiB"
    assert showable([Tagged("blob", {"digest": "no", "size_bytes": 2048})]) == [{LITERAL: "blob, 2.0 KiB, sha256 no…"}]


def test_a_users_mapping_that_looks_like_a_literal_stays_a_mapping() -> None:
    """A recorded key of one NUL cannot pass for ours."""
    assert showable({LITERAL: "x"}) == {"(one key)": {LITERAL: "x"}}
    assert showable({MEDIA: {"src": "x"}}) == {"(one key)": {MEDIA: {"src": "x"}}}


def test_size_and_depth_are_bounded_and_said() -> None:
    """A huge text and a deep nest are cut with a word about it."""
    assert "characters more" in showable("x" * (LONGEST + 5))
    deep: object = "bottom"
    for _ in range(DEEPEST + 5):
        deep = [deep]
    assert "deeper than is shown" in str(showable(deep))
    assert showable(list(range(5003)))[-1] == {LITERAL: "… 3 more"}


def test_controls_are_signs() -> None:
    """ANSI escapes, bells and bidirectional overrides are visible; line breaks and tabs stay."""
    assert visible("\x1b[31mred\x07") == "⟨ESC⟩[31mred⟨BEL⟩"
    assert visible("a\u202eb") == "a⟨U+202E⟩b"
    assert visible("a\n\tb") == "a\n\tb"
    assert visible("\ud83d") == "⟨U+D83D⟩"


def test_one_line_is_one_line() -> None:
    """Cells have no line breaks and an end."""
    assert one_line("a\n\n b\tc") == "a b c"
    assert one_line("x" * 500, 10) == "xxxxxxxxx…"


def test_what_was_left_out_is_said_where_it_is_missing() -> None:
    """The part that was kept is shown as usual, and what is missing behind it; a preview where nothing was kept."""
    cut = Tagged("truncated", {"of": "items", "kept": 2, "total": 1002, "value": [1, 2]})
    assert showable(cut) == [1, 2, {LITERAL: "… 1,000 items were not kept"}]
    cut = Tagged("truncated", {"of": "items", "kept": 1, "total": 3, "value": {"a": 1}})
    assert showable(cut) == {"a": 1, "…": {LITERAL: "… 2 items were not kept"}}
    deep = Tagged("truncated", {"of": "levels", "kept": 200, "type": "list"})
    assert showable(deep) == {LITERAL: "… deeper than 200 levels was not kept (a list)"}
    none = {"of": "bytes", "kept": 0, "total": 5000, "preview": "abc", "value": None}
    assert showable(Tagged("truncated", none)) == {LITERAL: "… 5,000 bytes were not kept: abc…"}
    assert showable(Tagged("truncated", {"total": "x"})) == {LITERAL: "… some items were not kept"}


def test_a_medium_that_a_call_returned_is_shown_where_its_digest_stands() -> None:
    """`weft.Image` and its like; a dict that only looks like one stays what it is."""
    record = {
        "_type": "image-file",
        "digest": "a" * 64,
        "size_bytes": 300,
        "media_type": "image/png",
        "format": "png",
        "width": 4,
        "height": 3,
    }
    shown = showable(record)["digest"][MEDIA]
    assert (shown["kind"], shown["src"]) == ("picture", f"/blob/{'a' * 64}")
    assert "4 × 3" in shown["text"]
    for plain in ({**record, "_type": "mine"}, {**record, "digest": "../x"}, {"_type": "image-file", "digest": 3}):
        assert showable(plain)["digest"] == plain["digest"]
