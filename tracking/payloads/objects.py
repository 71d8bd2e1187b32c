"""One step from any Python object towards JSON: the table of handlers that `encoding` looks types up in.

Other libraries' types are known by what is already in `sys.modules`; nothing is imported for them, and nothing is ever
consumed (an iterator), moved (a tensor on a GPU) or called that is not the object's own way to describe itself.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import io
import re
import sys
import types
from base64 import b64encode
from collections import OrderedDict, UserDict, UserList, deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, TypeAlias
from uuid import UUID

from weft.tracking.faults import let_through
from weft.tracking.payloads import mediatypes

StoreBlob: TypeAlias = Callable[[bytes], str]
"""Keeps bytes and answers their sha256 as hex (`Blobs(home).put`)."""
Handler: TypeAlias = Callable[[Any, StoreBlob | None], object]

TAG = "$weft"
REPR_CHARS = 1000
"""A longer repr is cut, and its full length said."""
ARRAY_ITEMS = 1000
"""An array of at most this many numbers is written as plain lists; of a larger one the first ones and its shape."""
TABLE_ROWS = 100
"""Rows of a data frame that are written out; their full number is always said."""
BLOB_BYTES = 256 << 10
"""Bytes and texts from this size on go to a blob where there is a place for blobs."""

MEDIA_BYTES = 1 << 10
"""Bytes from this size on that begin as an image, a recording or a PDF go to a blob and are shown as such."""
IMAGES_KNOWN = 64
"""Images whose encoded form is remembered by their pixels."""

_address = re.compile(r" at 0x[0-9A-Fa-f]+")
_qualname = type.__dict__["__qualname__"]
_handlers: dict[type, Handler] = {}
_HANDLERS_KEPT = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class Tagged:
    """A decoded tagged value that has no Python value of its own: a blob, a cycle, an unserialisable object, ..."""

    kind: str
    """blob, ref, repr, truncated, error, array, table, image; or what a newer weft wrote."""
    value: Any


class Tag(dict[str, object]):
    """A tagged form, told by its type from a user's dict that looks like one."""

    __slots__ = ()


def tag(kind: str, value: object) -> Tag:
    """The tagged form of `docs/format.md`."""
    return Tag({TAG: kind, "v": value})


def handler_of(kind: type) -> Handler:
    """How instances of this type become plainer; found once a type."""
    found = _handlers.get(kind)
    if found is None:
        if len(_handlers) >= _HANDLERS_KEPT:
            _handlers.clear()  # a program that makes classes without end must not make us keep them all
        found = _handlers[kind] = _resolve(kind)
    return found


def type_name(kind: Any) -> str:
    """`module.Class` (or function), without `builtins.`. Never raises."""
    try:
        module = getattr(kind, "__module__", None)
        name = getattr(kind, "__qualname__", None) or getattr(kind, "__name__", None) or str(kind)
    except Exception as error:  # a metaclass that answers nothing: every class has the name it was made with
        let_through(error)
        return class_name(kind if isinstance(kind, type) else type(kind))
    return str(name) if module in (None, "builtins") else f"{module}.{name}"


def class_name(kind: type) -> str:
    """A class's own qualified name, whatever its metaclass says."""
    name: str = _qualname.__get__(kind)
    return name


def described(value: object) -> Tag:
    """Type and bounded repr; a repr that raises is said to have raised."""
    kind = type(value)
    try:
        if kind.__repr__ is object.__repr__:
            text = f"<{type_name(kind)} object>"
        else:
            text = _address.sub("", repr(value))
    except Exception as error:
        let_through(error)
        text = f"<{type_name(kind)} object; its repr raised {type(error).__name__}>"
    body: dict[str, object] = {"type": type_name(kind), "text": text[:REPR_CHARS]}
    if len(text) > REPR_CHARS:
        body["chars"] = len(text)
    return tag("repr", body)


def blob_tag(data: bytes, media_type: str, store_blob: StoreBlob, **more: object) -> Tag:
    """Keep the bytes as a blob and name it."""
    return tag("blob", {"digest": store_blob(data), "size_bytes": len(data), "media_type": media_type, **more})


def content_tag(data: bytes, media_type: str, store_blob: StoreBlob, **more: object) -> Tag:
    """Keep the bytes as a blob and name it as media, which reads back as `weft.Content`."""
    return tag("content", {"digest": store_blob(data), "size_bytes": len(data), "media_type": media_type, **more})


def is_media(handler: Handler) -> bool:
    """Whether this handler wants a place for blobs."""
    return handler in _MEDIA


def _bytes(value: Any, store_blob: StoreBlob | None) -> object:
    data = bytes(value)
    if store_blob is not None and len(data) >= MEDIA_BYTES:
        found = mediatypes.sniffed(data)
        if found is not None and found.startswith(mediatypes.MEDIA):
            return content_tag(data, found, store_blob, form="bytes")
        if len(data) >= BLOB_BYTES:
            return blob_tag(data, "application/octet-stream", store_blob)
    return tag("bytes", b64encode(data).decode("ascii"))


def _duration(value: datetime.timedelta, _: StoreBlob | None) -> str:
    return f"PT{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "S"  # ISO 8601


def _set(value: Any, _: StoreBlob | None) -> object:
    try:
        return sorted(value)
    except TypeError:
        return list(value)


def _fields(names: tuple[str, ...]) -> Handler:
    def handle(value: Any, _: StoreBlob | None) -> object:
        return {name: getattr(value, name) for name in names if hasattr(value, name)}

    return handle


def _error(value: BaseException, _: StoreBlob | None) -> object:
    try:
        message = str(value)
    except Exception as error:
        let_through(error)
        message = f"<its message raised {type(error).__name__}>"
    return tag("error", {"type": type_name(type(value)), "message": message})


def _callable(value: Any, _: StoreBlob | None) -> object:
    return tag("repr", {"type": type(value).__name__, "text": type_name(value)[:REPR_CHARS]})


def _generic(value: object, _: StoreBlob | None) -> object:
    return described(value)


def _array(value: Any, store_blob: StoreBlob | None) -> object:
    if value.size <= ARRAY_ITEMS or value.dtype.hasobject:
        return value.tolist()
    body: dict[str, object] = {
        "dtype": str(value.dtype),
        "shape": list(value.shape),
        "size_bytes": int(value.nbytes),
        "head": value[(slice(0, ARRAY_ITEMS),) * value.ndim].ravel()[:ARRAY_ITEMS].tolist(),
    }
    if store_blob is not None:
        numpy = sys.modules["numpy"]
        buffer = io.BytesIO()
        numpy.save(buffer, value, allow_pickle=False)
        body["blob"] = blob_tag(buffer.getvalue(), "application/x-npy", store_blob)["v"]
    return tag("array", body)


def _tensor(value: Any, store_blob: StoreBlob | None) -> object:
    if value.device.type != "cpu":  # reading it would wait for the device
        return tag("array", {"dtype": str(value.dtype), "shape": list(value.shape), "device": str(value.device)})
    try:
        array = value.detach().numpy()
    except TypeError:  # a dtype that numpy has not (bfloat16)
        array = value.detach().float().numpy()
    return _array(array, store_blob)


def _pandas_frame(value: Any, _: StoreBlob | None) -> object:
    rows = [list(row) for row in value.head(TABLE_ROWS).itertuples(index=False, name=None)]
    return tag("table", {"columns": [str(name) for name in value.columns], "n_rows": len(value), "rows": rows})


def _polars_frame(value: Any, _: StoreBlob | None) -> object:
    rows = [list(row) for row in value.head(TABLE_ROWS).rows()]
    return tag("table", {"columns": list(value.columns), "n_rows": value.height, "rows": rows})


def _series(value: Any, _: StoreBlob | None) -> object:
    if len(value) <= ARRAY_ITEMS:
        return value.to_list()
    return tag(
        "array",
        {"dtype": str(value.dtype), "shape": [len(value)], "head": value[:ARRAY_ITEMS].to_list()},
    )


_images: OrderedDict[bytes, tuple[bytes, str]] = OrderedDict()
"""Encoded images by what they show: the same one again costs a hash, not a compression."""


def _image(value: Any, store_blob: StoreBlob | None) -> object:
    body: dict[str, object] = {"width": value.width, "height": value.height, "mode": value.mode}
    if store_blob is not None:
        form = value.format if value.format in ("PNG", "JPEG", "WEBP") else "PNG"
        shown = hashlib.sha256(value.tobytes())
        shown.update(repr((form, value.mode, value.size, value.getpalette() if value.mode == "P" else None)).encode())
        key = shown.digest()
        data, form = _images.get(key) or _written_image(value, form)
        if len(data) < BLOB_BYTES:  # a large one is not worth the memory
            _images[key] = (data, form)
            while len(_images) > IMAGES_KNOWN:
                _images.popitem(last=False)
        body["blob"] = blob_tag(data, f"image/{form.lower()}", store_blob)["v"]
    return tag("image", body)


def _written_image(value: Any, form: str) -> tuple[bytes, str]:
    """The image as a file, nothing of it lost that Pillow can keep; modes that PNG has not go into a TIFF."""
    options: tuple[tuple[str, dict[str, object]], ...] = (("PNG", {"compress_level": 1}), ("TIFF", {}))
    if form == "JPEG":
        options = ((form, {"quality": "keep"}), (form, {"quality": 95}), *options)
    elif form == "WEBP":
        options = ((form, {"lossless": True, "method": 0}), *options)
    for at, (name, how) in enumerate(options, 1):
        buffer = io.BytesIO()
        try:
            value.save(buffer, name, **how)
        except (OSError, ValueError):
            if at == len(options):
                raise
        else:
            return buffer.getvalue(), name
    raise AssertionError("the last way was tried")


def _recording(value: Any, store_blob: StoreBlob | None) -> object:
    """A `wave.open` to read, whole, left at the frame where it stood."""
    body = dict(value.getparams()._asdict())
    at = value.tell()
    try:
        value.rewind()
        frames = value.readframes(value.getnframes())
    finally:
        value.setpos(at)
    if store_blob is None:
        return tag("repr", {"type": "wave.Wave_read", "text": f"<{body['nframes']} frames>", **body})
    buffer = io.BytesIO()
    with sys.modules["wave"].open(buffer, "wb") as written:
        written.setparams(value.getparams())
        written.writeframes(frames)
    return content_tag(buffer.getvalue(), "audio/wav", store_blob)


def _arrow_table(value: Any, _: StoreBlob | None) -> object:
    names = list(value.schema.names)
    columns = [value.column(at).slice(0, TABLE_ROWS).to_pylist() for at in range(len(names))]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return tag("table", {"columns": names, "n_rows": value.num_rows, "rows": rows})


def _arrow_array(value: Any, _: StoreBlob | None) -> object:
    if len(value) <= ARRAY_ITEMS:
        return value.to_pylist()
    head = value.slice(0, ARRAY_ITEMS).to_pylist()
    return tag("array", {"dtype": str(value.type), "shape": [len(value)], "size_bytes": value.nbytes, "head": head})


def _itself(value: Any, store_blob: StoreBlob | None) -> object:
    """Our own media, which know their form."""
    return value.__weft_payload__(store_blob)


def _mapping(value: Any, _: StoreBlob | None) -> object:
    return {key: value[key] for key in value}


def _attributes(value: Any, _: StoreBlob | None) -> object:
    return dict(vars(value))


def _own_words(name: str) -> Handler:
    """By the method with which an object describes itself; where it cannot, by type and repr."""

    def handle(value: Any, _: StoreBlob | None) -> object:
        try:
            told = getattr(value, name)()
        except Exception as error:
            let_through(error)
            return described(value)
        return told if isinstance(told, Mapping | list | tuple | str) and told is not value else described(value)

    return handle


def _numpy_scalar(value: Any, _: StoreBlob | None) -> object:
    plain = value.item()
    return plain if type(plain) is not type(value) else str(value)


def _class(value: Any, _: StoreBlob | None) -> object:
    """A pydantic class (a response format, a tool's arguments) says its schema too."""
    plain = _callable(value, None)
    if type(plain) is Tag and callable(getattr(value, "model_json_schema", None)):
        try:
            plain["v"]["schema"] = value.model_json_schema()  # type: ignore[index]
        except Exception as error:
            let_through(error)  # generics, forward references: its name stands
    return plain


_EXACT: tuple[tuple[tuple[type, ...], Handler], ...] = (
    ((Tagged,), lambda value, _: tag(value.kind, value.value)),
    ((Enum,), lambda value, _: value.value),
    ((bytes, bytearray, memoryview), _bytes),
    ((set, frozenset), _set),
    ((datetime.timedelta,), _duration),
    ((datetime.datetime, datetime.date, datetime.time), lambda value, _: value.isoformat()),
    ((Decimal, UUID, PurePath), lambda value, _: str(value)),
    ((BaseException,), _error),
    ((complex,), lambda value, _: tag("complex", str(value))),
    ((range,), lambda value, _: tag("range", [value.start, value.stop, value.step])),
    ((UserDict,), lambda value, _: dict(value)),
    ((types.SimpleNamespace,), _attributes),
    ((deque, UserList), lambda value, _: list(value)),
    ((type({}.keys()), type({}.values()), type({}.items())), lambda value, _: list(value)),
    ((type,), _class),
    (
        (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType),
        _callable,
    ),
)
_FOREIGN: tuple[tuple[str, str, Handler], ...] = (
    ("numpy", "ndarray", _array),
    ("numpy", "generic", _numpy_scalar),
    ("pandas", "DataFrame", _pandas_frame),
    ("pandas", "Series", _series),
    ("pandas", "Index", _series),
    ("polars", "DataFrame", _polars_frame),
    ("polars", "Series", _series),
    ("torch", "Tensor", _tensor),
    ("pyarrow", "Table", _arrow_table),
    ("pyarrow", "RecordBatch", _arrow_table),
    ("pyarrow", "Array", _arrow_array),
    ("pyarrow", "ChunkedArray", _arrow_array),
    ("PIL.Image", "Image", _image),
    ("wave", "Wave_read", _recording),
    ("argparse", "Namespace", _attributes),
)
_MEDIA = frozenset({_bytes, _array, _tensor, _image, _recording, _itself})
_WORDS = ("model_dump", "to_dict", "__json__")
"""Methods that objects of many libraries have to say what they hold, in the order they are tried."""


def _resolve(kind: type) -> Handler:
    # Structural kinds before the table: an Enum or a model may derive from anything.
    if any("__weft_payload__" in base.__dict__ for base in kind.__mro__):
        return _itself
    for module, name, handler in _FOREIGN:
        foreign = getattr(sys.modules.get(module), name, None)
        if isinstance(foreign, type) and issubclass(kind, foreign):
            return handler
    for bases, handler in _EXACT:
        if issubclass(kind, bases):
            return handler
    if issubclass(kind, float):
        return lambda value, _: float.__float__(value)
    if issubclass(kind, tuple):
        names = getattr(kind, "_fields", None)
        if isinstance(names, tuple) and all(isinstance(name, str) for name in names):
            return lambda value, _: dict(zip(names, tuple.__iter__(value), strict=False))
        return lambda value, _: list(tuple.__iter__(value))
    if dataclasses.is_dataclass(kind):
        return _fields(tuple(field.name for field in dataclasses.fields(kind)))
    if callable(getattr(kind, "model_dump", None)) and hasattr(kind, "model_fields"):
        return _model
    if callable(getattr(kind, "dict", None)) and hasattr(kind, "__fields__"):  # pydantic 1
        return lambda value, _: value.dict()
    attributes = getattr(kind, "__attrs_attrs__", None)
    if isinstance(attributes, tuple):
        return _fields(tuple(attribute.name for attribute in attributes))
    struct_fields = getattr(kind, "__struct_fields__", None)
    if isinstance(struct_fields, tuple):  # msgspec
        return _fields(struct_fields)
    if issubclass(kind, Mapping):
        return _mapping
    if issubclass(kind, Sequence):
        return lambda value, _: list(value)
    # Asked of the class: an object that answers every name (a mock, a proxy) is not asked.
    words = next((_own_words(name) for name in _WORDS if callable(getattr(kind, name, None))), None)
    slots = _public_slots(kind) if words is None else ()
    return words or (_fields(slots) if slots else _generic)


def _public_slots(kind: type) -> tuple[str, ...]:
    """The fields of a small value object: it has `__slots__`, no `__dict__` and no repr of its own. Reading a slot runs
    no code.
    """
    own: Any = kind.__repr__
    if own is not object.__repr__ or kind.__dictoffset__:
        return ()
    return tuple(
        name
        for base in reversed(kind.__mro__)
        for name, item in vars(base).items()
        if type(item) is types.MemberDescriptorType and not name.startswith("_")
    )


def _model(value: Any, _: StoreBlob | None) -> object:
    dumped = value.model_dump(warnings=False)
    return dict(dumped) if isinstance(dumped, Mapping) else dumped
