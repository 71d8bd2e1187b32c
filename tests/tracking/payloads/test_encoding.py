"""Promises of `weft.tracking.payloads.encoding`: nothing JSON lacks is lost, nothing raises, nothing is cut unsaid."""

from __future__ import annotations

import array
import dataclasses
import datetime
import decimal
import enum
import hashlib
import json
import math
import pathlib
import subprocess
import sys
import time
import types
import uuid
from argparse import Namespace
from collections import OrderedDict, UserDict, deque, namedtuple
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import msgspec
import numpy as np
import pandas as pd
import pyarrow
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from weft.tracking.payloads import encoding, walk
from weft.tracking.payloads.encoding import Tagged, decode, encode, encode_object, spill


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Word(enum.StrEnum):
    HELLO = "hello"


@dataclasses.dataclass
class Point:
    x: int
    _y: float


@attrs.define
class Cat:
    name: str


class Dog(msgspec.Struct):
    name: str


class Bird(pydantic.BaseModel):
    name: str
    weight: float = 1.5
    parent: Bird | None = None


Pair = namedtuple("Pair", "left right")


def same(a: Any, b: Any) -> bool:
    """Equal, of the same types, NaN equal to itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            same(x, y) and same(v, w) for (x, v), (y, w) in zip(a.items(), b.items(), strict=True)
        )
    return bool(a == b)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]))
    | st.binary(max_size=20)
)
keys = scalars | st.tuples(scalars, scalars) | st.just("$weft") | st.just("v")


def unlike(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """A dict whose keys are distinct to Python; NaN keys are left out, they equal nothing."""
    return {
        key: value
        for key, value in pairs
        if not (isinstance(key, float) and math.isnan(key)) and "nan" not in repr(key)
    }


values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.lists(st.tuples(keys, inner), max_size=5).map(unlike),
    max_leaves=30,
)


@given(values)
def test_every_plain_value_comes_back_exactly(value: Any) -> None:
    """Floats, big integers, bytes, surrogates, any keys, and dicts that look like our tags."""
    data = encode(value)
    json.loads(data)
    assert same(decode(data), value)
    assert same(decode(data.decode()), value)


@given(st.from_type(type).flatmap(st.from_type) | st.functions() | values)
def test_encode_never_raises_and_writes_json(value: Any) -> None:
    """Whatever it is given."""
    json.loads(encode(value))


@given(values)
def test_a_tagged_value_is_written_again_as_it_was(value: Any) -> None:
    """What decodes to `Tagged` encodes to the same bytes, so a copy of a record says the same."""
    data = encode([Tagged("blob", {"digest": "00", "note": value}), Tagged("newer", value)])
    assert encode(decode(data)) == data


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ((1, [2]), [1, [2]]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"a"}), ["a"]),
        (deque([1, 2]), [1, 2]),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (UserDict({"a": 1}), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        ({"a": 1}.keys(), ["a"]),
        (Pair(1, 2), {"left": 1, "right": 2}),
        (types.SimpleNamespace(lr=0.1, model=Namespace(depth=2)), {"lr": 0.1, "model": {"depth": 2}}),
        (Colour.RED, "red"),
        (Level.LOW, 1),
        ({Word.HELLO: Word.HELLO}, {"hello": "hello"}),
        (Point(1, 2.5), {"x": 1, "_y": 2.5}),
        (Cat("Tom"), {"name": "Tom"}),
        (Dog("Rex"), {"name": "Rex"}),
        (
            Bird(name="a", parent=Bird(name="b")),
            {"name": "a", "weight": 1.5, "parent": {"name": "b", "weight": 1.5, "parent": None}},
        ),
        (datetime.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
        (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "2026-01-02T00:00:00+00:00"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.time(1, 2, tzinfo=datetime.UTC), "01:02:00+00:00"),
        (datetime.timedelta(days=1, milliseconds=500), "PT86400.5S"),
        (datetime.timedelta(0), "PT0S"),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (pd.Series([1, 2]), [1, 2]),
    ],
)
def test_common_types_are_written_as_plain_json(value: Any, written: Any) -> None:
    """Readable by anybody, alone and inside something that takes the exact walk."""
    assert json.loads(encode(value)) == written
    assert decode(encode({1: value})) == {1: written}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (ValueError("no"), "error"),
        (len, "repr"),
        (Bird, "repr"),
        (object(), "repr"),
        (iter([1]), "repr"),
        (pd.DataFrame({"a": [1]}), "table"),
        (np.zeros(2000), "array"),
        (Image.new("RGB", (2, 3)), "image"),
    ],
)
def test_what_has_no_json_form_is_described(value: Any, kind: str) -> None:
    """By a tag that says what it is."""
    assert decode(encode(value)).kind == kind
    assert decode(encode({"x": value, "y": math.nan}))["x"].kind == kind


@pytest.mark.parametrize(
    ("value", "nulls"),
    [
        (math.nan, 0),
        ([1.0, math.inf], 0),
        ({"a": (None, -math.inf)}, 1),
        (Point(1, math.nan), 0),
        ({"n": np.float64("nan"), "m": [None, None]}, 2),
        (Bird(name="b", weight=math.nan), 1),
    ],
)
def test_a_non_finite_float_is_never_written_as_null(value: Any, nulls: int) -> None:
    """Even inside tuples, dataclasses, models and NumPy scalars, beside true nulls."""
    data = encode(value)
    assert data.count(b'"$weft":"float"') == 1
    assert data.count(b"null") == nulls


def test_a_dict_that_looks_like_a_tag_comes_back_as_that_dict() -> None:
    """Beside true tags, in models and behind other mappings."""
    fake = {"$weft": "float", "v": "NaN"}
    assert decode(encode(fake)) == fake
    assert decode(encode([fake, b"x"])) == [fake, b"x"]
    assert decode(encode(types.MappingProxyType(fake))) == fake
    assert decode(encode({"text": '{"$weft":"float","v":"NaN"}'})) == {"text": '{"$weft":"float","v":"NaN"}'}


def test_a_value_that_contains_itself_ends_in_a_reference() -> None:
    """It says how many levels up the same container is."""
    loop: list[Any] = [1]
    loop.append({"again": loop})
    assert decode(encode(loop)) == [1, {"again": Tagged("ref", 2)}]
    owner: dict[str, Any] = {}
    owner["self"] = owner
    assert decode(encode(owner)) == {"self": Tagged("ref", 1)}


def test_what_is_shared_but_no_cycle_is_written_twice() -> None:
    """Only a container inside itself is a reference."""
    shared = [math.nan]
    decoded = decode(encode([shared, shared]))
    assert [len(item) for item in decoded] == [1, 1]


def test_depth_is_bounded_and_said() -> None:
    """The exact walk marks what lies below its deepest level."""
    deep: Any = "bottom"
    for _ in range(1000):
        deep = [deep]
    text = encode(deep).decode()
    assert '"of":"levels","kept":200' in text


def test_breadth_of_the_exact_walk_is_bounded_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of values there were is kept."""
    monkeypatch.setattr(walk, "MAX_ITEMS", 3)
    cut = decode(encode([math.nan, 1, 2, 3, 4]))
    assert cut.kind == "truncated"
    assert (cut.value["kept"], cut.value["total"], len(cut.value["value"])) == (3, 5, 3)


def test_a_long_repr_is_cut_and_its_length_said() -> None:
    """No more than 1,000 characters of it are kept."""

    class Wordy:
        def __repr__(self) -> str:
            return "w" * 5000

    body = decode(encode(Wordy())).value
    assert (len(body["text"]), body["chars"]) == (1000, 5000)


def test_a_repr_that_raises_is_said_to_have_raised() -> None:
    """The other values are kept."""

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("broken")

    decoded = decode(encode_object({"a": Broken(), "b": 1}))
    assert "repr raised RuntimeError" in decoded["a"].value["text"]
    assert decoded["b"] == 1


def test_a_property_or_dump_that_raises_spoils_no_other_value() -> None:
    """A model whose `model_dump` raises is described."""

    class Bad(pydantic.BaseModel):
        def model_dump(self, **_: Any) -> Any:
            raise RuntimeError("broken")

    decoded = decode(encode({"a": Bad(), "b": 1}))
    assert decoded["a"].kind == "repr"
    assert decoded["b"] == 1


def test_a_keyboard_interrupt_in_a_repr_is_the_users() -> None:
    """Only Exceptions are encoding's to handle."""

    class Interrupted:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode({"x": Interrupted()})


def test_iterators_are_not_consumed() -> None:
    """Looking at a value leaves it as it was."""
    numbers = (i for i in range(3))
    encode({"numbers": numbers})
    assert list(numbers) == [0, 1, 2]


def test_addresses_stay_out_so_that_equal_objects_are_written_equal() -> None:
    """A default repr holds where the object lies; that is noise."""

    class Thing:
        pass

    assert encode(Thing()) == encode(Thing())
    assert b" at 0x" not in encode([Thing().__init__, Thing(), lambda: 1])


def test_media_go_to_blobs_where_there_is_a_place_for_them() -> None:
    """Images, big arrays, big bytes: whole, and named by their digest."""
    kept: dict[str, bytes] = {}

    def store(data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        kept[digest] = data
        return digest

    array = np.arange(5000.0)
    decoded = decode(
        encode({"image": Image.new("RGB", (2, 3)), "array": array, "bytes": bytes(300_000)}, store_blob=store)
    )
    image = decoded["image"].value
    assert (image["width"], image["height"], image["blob"]["media_type"]) == (2, 3, "image/png")
    assert kept[image["blob"]["digest"]].startswith(b"\x89PNG")
    assert decoded["array"].value["shape"] == [5000]
    assert kept[decoded["array"].value["blob"]["digest"]].startswith(b"\x93NUMPY")
    assert kept[decoded["bytes"].value["digest"]] == bytes(300_000)


def test_a_blob_that_cannot_be_stored_leaves_a_description() -> None:
    """A full disk spoils no call."""

    def full(data: bytes) -> str:
        raise OSError(28, "No space left on device")

    assert decode(encode({"a": Image.new("L", (1, 1)), "b": 2}, store_blob=full))["b"] == 2


def test_what_is_too_large_for_a_record_goes_to_blobs() -> None:
    """A large text alone where that is enough, else all of it."""
    kept: dict[str, bytes] = {}

    def store(data: bytes) -> str:
        kept["d"] = data
        return "d"

    small = encode({"a": "x"})
    assert spill(small, store) is small
    lighter = decode(spill(encode({"a": "x" * 2_000_000, "b": 1}), store))
    assert lighter["b"] == 1
    assert lighter["a"].value["size_bytes"] == 2_000_000
    assert kept["d"] == b"x" * 2_000_000
    many = encode([["word"] * 10] * 50_000)
    whole = decode(spill(many, store))
    assert (whole.kind, whole.value["size_bytes"]) == ("blob", len(many))
    assert kept["d"] == many


def test_a_payload_no_frame_could_hold_is_replaced_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no place for blobs; the size is said."""
    monkeypatch.setattr(encoding, "MAX_INLINE_BYTES", 1000)
    cut = decode(encode("x" * 5000)).value
    assert (cut["of"], cut["total"]) == ("bytes", 5002)


def test_a_large_tensor_or_frame_says_its_full_size() -> None:
    """Only the beginning is written out."""
    table = decode(encode(pd.DataFrame({"a": range(500)}))).value
    assert (table["n_rows"], len(table["rows"]), table["columns"]) == (500, 100, ["a"])
    array = decode(encode(np.ones((100, 100)))).value
    assert (array["shape"], len(array["head"]), array["dtype"]) == ([100, 100], 1000, "float64")


def test_values_of_a_newer_weft_are_kept() -> None:
    """An unknown kind reads as `Tagged`, a broken tag too; neither raises."""
    assert decode(b'{"$weft":"hologram","v":{"a":{"$weft":"float","v":"NaN"}}}').kind == "hologram"
    assert decode(b'{"$weft":"int","v":"12 apples"}') == Tagged("int", "12 apples")
    assert decode(b'{"$weft":"map","v":7}') == Tagged("map", 7)
    assert decode(b'{"$weft":"float","v":"NaN","more":1}') == {"$weft": "float", "v": "NaN", "more": 1}


def test_encoding_imports_no_other_library() -> None:
    """Not even where it knows their types."""
    code = (
        "import sys; from weft.tracking.payloads.encoding import encode; encode({'x': object(), 'y': float('nan')});"
        "print([m for m in ('numpy','pandas','PIL','torch','polars','pydantic','attrs') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_encoding_draws_no_random_numbers() -> None:
    """A seeded experiment stays the same."""
    import random

    random.seed(1)
    before = random.getstate()
    encode({"a": [math.nan, object()]})
    assert random.getstate() == before


@dataclasses.dataclass
class Node:
    left: Any
    right: Any


def doubled(make: Callable[[Any], Any], levels: int = 40) -> Any:
    """A value that holds the one below it twice, so many levels deep: 2^levels values as JSON."""
    value: Any = ["leaf"]
    for _ in range(levels):
        value = make(value)
    return value


@pytest.mark.parametrize(
    "make",
    [
        lambda x: [x, x],
        lambda x: (x, x),
        lambda x: {"a": x, "b": x},
        lambda x: {1: x, 2: x},
        lambda x: [x, math.nan, x],
        lambda x: Node(x, x),
        lambda x: deque([x, x]),
        lambda x: {"only": [x] * 2, "more": None},
        lambda x: types.MappingProxyType({"a": x, "b": [x]}),
    ],
)
def test_what_holds_one_part_over_and_over_is_bounded_in_time_and_size(make: Callable[[Any], Any]) -> None:
    """Forty levels of twice the same: a second at the very most, some megabytes, and it says what is left out."""
    started = time.perf_counter()
    data = encode(doubled(make))
    assert time.perf_counter() - started < 5  # it would be years; no measure of speed
    assert len(data) < 20_000_000
    assert b'"of":"items","kept":0,"total":' in data
    assert b"leaf" in data


def test_a_cycle_through_every_level_is_bounded_too() -> None:
    """References that lead out of a part keep it from being used again, not from being counted."""
    top: list[Any] = []
    part = [top]
    for _ in range(40):
        part = [part, part]
    top.append(part)
    assert len(encode(top)) < 20_000_000


def test_a_breadth_that_repeats_itself_is_bounded() -> None:
    """Four levels of 256 times the same are 4 billion values."""
    assert len(encode([[[[0] * 256] * 256] * 256] * 256)) < 20_000_000


def test_one_large_text_a_thousand_times_is_bounded() -> None:
    """What is left out is said with its length; the text itself is there."""
    text = "word " * 200_000
    data = encode({"rows": [{"text": text} for _ in range(1)] * 1000})
    assert len(data) < 64 << 20
    assert b'"kept":0' in data
    assert text.encode() in data


@pytest.mark.parametrize("rows", [300, 20_000])
def test_ordinary_sharing_is_written_out_whole(rows: int) -> None:
    """One dict of metadata in every row, NaN beside it or not."""
    meta = {"model": "m", "tags": ["a", "b"]}
    for number in (1.5, math.nan):
        value = [{"id": at, "x": number, "meta": meta} for at in range(rows)]
        back = decode(encode(value))
        assert [row["id"] for row in back] == list(range(rows))
        assert all(row["meta"] == meta for row in back)


def test_a_part_used_again_deeper_keeps_its_references_right() -> None:
    """A cycle inside a shared part points to the same place wherever the part stands."""
    loop: dict[str, Any] = {"n": math.nan}
    loop["me"] = [loop]
    back = decode(encode([loop, [[loop]]]))
    assert back[0]["me"] == [Tagged("ref", 2)]
    assert back[1][0][0]["me"] == [Tagged("ref", 2)]


@pytest.mark.parametrize("levels", [300, 10_000])
def test_nesting_of_any_depth_is_bounded(levels: int) -> None:
    """Lists, dicts and both, ten thousand deep."""
    for wrap in (lambda x: [x], lambda x: {"a": x}, lambda x: [{"a": x}, math.nan]):
        deep: Any = "bottom"
        for _ in range(levels):
            deep = wrap(deep)
        data = encode(deep)
        assert len(data) < 20_000
        assert b'"of":"levels"' in data


HOSTILE = {
    "__proto__": {"polluted": True},
    "constructor.prototype": 1,
    "a..b": 2,
    "a.0.999999999": 3,
    "": 4,
    "\0": 5,
    "\ud800": 6,
    "\u202ex": 7,
    "$weft": "float",
    "v": "NaN",
    "{{ cycler.__init__ }}": "{x.__class__}",
    "k" * 100_000: "long",
}


def test_hostile_keys_are_stored_verbatim() -> None:
    """Names that mean something to somebody's machinery mean nothing here."""
    assert decode(encode(HOSTILE)) == HOSTILE
    assert decode(encode([{"deep": HOSTILE}])) == [{"deep": HOSTILE}]


@pytest.mark.parametrize("value", [1 + 2j, complex(math.inf, -0.0), complex("nan+1j"), range(3), range(10**12, 0, -7)])
def test_complex_numbers_and_ranges_come_back(value: Any) -> None:
    """Whatever their size."""
    assert repr(decode(encode(value))) == repr(value)
    assert repr(decode(encode({1: [value]}))[1][0]) == repr(value)


class Headers(Mapping[str, str]):
    """A mapping that hides what it holds from its repr, as HTTP libraries do."""

    def __getitem__(self, key: str) -> str:
        return {"a": "1", "b": "2"}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["a", "b"])

    def __len__(self) -> int:
        return 2


class Told:
    def to_dict(self) -> dict[str, int]:
        return {"a": 1}


class Broken:
    def to_dict(self) -> dict[str, int]:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        return "Broken!"


class Asked:
    """Answers every name, as mocks and proxies do."""

    def __getattr__(self, name: str) -> Any:
        return Asked()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Headers(), {"a": "1", "b": "2"}),
        (array.array("i", [1, 2]), [1, 2]),
        (Told(), {"a": 1}),
        (pyarrow.array([1, None]), [1, None]),
        (pd.Timestamp("2026-01-02T03:04:05"), "2026-01-02T03:04:05"),
        (np.datetime64("2026-01-02"), "2026-01-02"),
        (np.array([1.5, 2.5], dtype="float16"), [1.5, 2.5]),
        (
            datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=-3))),
            "2026-01-02T03:00:00-03:00",
        ),
        ({0: 0, 1: False, 2: "", 3: [], 4: None, 5: {}}, {0: 0, 1: False, 2: "", 3: [], 4: None, 5: {}}),
    ],
)
def test_more_types_are_written_as_plain_json(value: Any, written: Any) -> None:
    """Mappings and sequences of any make, objects that tell what they hold, arrow."""
    assert same(decode(encode(value)), written)
    assert same(decode(encode({1: value})), {1: written})


def test_tables_of_arrow_and_classes_of_pydantic_say_what_they_are() -> None:
    """Columns, rows and their number; the schema that a response is asked to have."""
    table = decode(encode(pyarrow.table({"a": range(500), "b": ["x"] * 500}))).value
    assert (table["columns"], table["n_rows"], table["rows"][:2]) == (["a", "b"], 500, [[0, "x"], [1, "x"]])
    schema = decode(encode({"response_format": Bird}))["response_format"].value
    assert schema["schema"]["$defs"]["Bird"]["properties"]["weight"]["default"] == 1.5


def test_objects_that_cannot_tell_are_described() -> None:
    """A `to_dict` that raises, and an object that has every attribute."""
    assert decode(encode(Broken())).value["text"] == "Broken!"
    assert decode(encode(Asked())).kind == "repr"


@pytest.mark.parametrize("value", [0, False, "", [], None, {}, 0.0, -0.0, b"", (), " "])
def test_falsy_values_are_kept_apart(value: Any) -> None:
    """Each comes back as itself (a tuple as a list)."""
    back = decode(encode(value))
    assert same(back, list(value) if isinstance(value, tuple) else value)


class Silent(type):
    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError(name)


class Told(metaclass=Silent):
    pass


@pytest.mark.parametrize(
    "wrap", [lambda value: value, lambda value: [value, 1], lambda value: {"a": (value, math.nan)}]
)
def test_an_object_whose_class_answers_nothing_leaves_a_marker(wrap: Callable[[Any], Any]) -> None:
    """Never a plain null, and what stands beside it is kept."""
    for value in (Told(), Told):
        data = encode(wrap(value))
        assert b'"$weft":"repr"' in data
        assert b"Told" in data
        assert (b"1" in data) or (b"NaN" in data) or wrap(value) is value


def test_public_slots_are_fields() -> None:
    """A small value object without words of its own; a repr is its word, a `__dict__` may hold anything."""

    class Base:
        __slots__ = ("_hidden", "x")

    class Point(Base):
        __slots__ = ("unset", "y")

        def __init__(self) -> None:
            self.x, self.y, self._hidden = 1, "two", 3

    class Spoken(Point):
        __slots__ = ()

        def __repr__(self) -> str:
            return "spoken"

    class Open(Point):
        pass

    class Empty:
        __slots__ = ()

    assert decode(encode([Point(), {"in": Point()}])) == [{"x": 1, "y": "two"}, {"in": {"x": 1, "y": "two"}}]
    assert [decode(encode(made)).kind for made in (Spoken(), Open(), Empty())] == ["repr"] * 3
