"""What `@op(...)` and `f.options(...)` take: checked once, frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from weft.tracer.sampling import checked_rate
from weft.tracking.errors import UsageError

DISPLAY_NAME_CHARS = 1024
"""A longer display name is shown up to here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one op. `op` says what each is for."""

    name: str | None = None
    kind: str = "op"
    display_name: str | Callable[[Mapping[str, Any]], str] | None = None
    attributes: Mapping[str, Any] | None = None
    capture_inputs: bool = True
    capture_output: bool = True
    accumulator: Callable[[Any, Any], Any] | None = None
    postprocess_inputs: Callable[[dict[str, Any]], Any] | None = None
    postprocess_output: Callable[[Any], Any] | None = None
    sample_rate: float | None = None

    def but(self, changes: Mapping[str, Any], of: str = "op") -> Options:
        """These with changes.

        Args:
            of: who takes them, for messages.

        Raises:
            TypeError: there is no such option.
            UsageError: one has the wrong type.
        """
        names = [field.name for field in dataclasses.fields(self)]
        unknown = changes.keys() - set(names)
        if unknown:
            raise TypeError(f"{of}() has no option {sorted(unknown)[0]!r}; it takes {', '.join(names)}")
        for name, value in changes.items():
            _check(name, value)
        return dataclasses.replace(self, **changes)


def _check(name: str, value: Any) -> None:
    if name == "sample_rate":
        if value is not None:
            checked_rate(value)
    elif name in ("capture_inputs", "capture_output"):
        if not isinstance(value, bool):
            raise UsageError(f"{name} of @op is True or False, not {value!r:.80}")
    elif value is None and name != "kind":
        return
    elif name in ("name", "kind"):
        if not isinstance(value, str) or not value:
            raise UsageError(f"{name} of @op must be a text, not {value!r:.80}")
    elif name == "attributes":
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise UsageError(f"attributes of @op must be a mapping of names to values, not {value!r:.80}")
    elif name == "display_name":
        if not isinstance(value, str) and not callable(value):
            raise UsageError(f"display_name of @op must be a text or a function of the inputs, not {value!r:.80}")
    elif not callable(value):
        raise UsageError(f"{name} of @op must be a function, not {value!r:.80}")
