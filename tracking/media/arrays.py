"""Other libraries' arrays and tensors, known by their look: nothing is imported for them, nothing is kept of them."""

from __future__ import annotations

import sys
from typing import Any

from weft.tracking.faults import let_through


def is_array(value: object) -> bool:
    """Whether this is an array or a tensor (numpy, torch, jax, tensorflow, cupy), and no class, series or frame."""
    try:
        return (
            not isinstance(value, type)
            and hasattr(value, "shape")
            and hasattr(value, "dtype")
            and not hasattr(value, "to_list")  # a column of pandas or polars is a value of its own
            and not hasattr(value, "columns")
            and (hasattr(value, "__array__") or hasattr(value, "tolist"))
        )
    except Exception as error:  # somebody else's object
        let_through(error)
        return False


def is_tensor(value: object) -> bool:
    """Whether its axes are those of torch: channels first."""
    return is_array(value) and callable(getattr(value, "detach", None))


def fetched(value: Any) -> Any:
    """The same numbers on this machine's own memory: a numpy array where numpy is loaded, else nested lists.

    Raises:
        Exception: whatever the array's library raises where they cannot be had (a device that is gone).
    """
    if callable(getattr(value, "detach", None)):
        value = value.detach()
        if getattr(value, "is_quantized", False):
            value = value.dequantize()
        if str(getattr(value, "layout", "torch.strided")) != "torch.strided" and not getattr(value, "is_nested", False):
            value = value.to_dense()
        for way in ("cpu", "resolve_conj", "resolve_neg"):
            if callable(getattr(value, way, None)):
                value = getattr(value, way)()
        if str(value.dtype).startswith(("torch.bfloat16", "torch.float8_")):
            value = value.float()  # numpy has none of these
    elif callable(getattr(value, "get", None)) and "cupy" in type(value).__module__:
        value = value.get()
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return value.tolist()
    found = numpy.asarray(value)
    return found.astype(numpy.float64) if found.dtype.kind == "V" and found.dtype.names is None else found


def flat(value: Any) -> list[Any]:
    """Every number of nested lists, in order."""
    if not isinstance(value, (list, tuple)):
        return [value]
    found: list[Any] = []
    for item in value:
        if isinstance(item, (list, tuple)):
            found += flat(item)
        else:
            found.append(item)
    return found


def numpy_for(value: Any) -> Any:
    """numpy, where the value at hand is made of it.

    Raises:
        TypeError: numpy is not loaded, so nothing can be an array of it.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None:
        raise TypeError(f"an array of numbers is needed, got {type(value).__name__}")
    return numpy
