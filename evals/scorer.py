"""Scorers: a function, or a class with `score`. What they return becomes `Score`s, whatever it is; rubbish is an error.

The runner calls `ScorerPlan`; users write functions, `@scorer` functions and `Scorer` classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar, cast, overload

from pydantic import BaseModel, ConfigDict

from weft.evals.arguments import Parameters, is_async
from weft.evals.model import code_digest
from weft.tracking import units
from weft.tracking.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

OFFERED = ("output", "inputs", "row", "latency_s", "cost_usd", "usage", "trace_id")
"""What a scorer may ask for by name beside the row's columns; a column of a name asked for here is refused.

output: the stored form of what the model returned. inputs: dict of the model's arguments. row: dict of all columns.
latency_s: seconds of the model's call. cost_usd: Decimal or None. usage: tokens by name, or None. trace_id: hex.
"""
RESERVED = frozenset({"rows", "planned", "errors", "scorer_errors", "latency_s", "cost_usd", "tokens"})
"""Keys of a run's summary that no scorer may take."""

MAX_DEPTH = 8
"""How deep dicts of scores may nest."""
_CONTRACT = "a scorer returns a bool, a number, a text label, a Score, a dict of those, or None"


@dataclass(frozen=True, slots=True)
class Score:
    """One judgement. With neither value nor label nor error the case is unscored, which is not zero."""

    value: bool | float | None = None
    label: str | None = None
    reason: str | None = None
    error: str | None = None
    """Why there is no judgement, when the scorer failed."""

    @property
    def scored(self) -> bool:
        """Whether there is a value or a label."""
        return self.value is not None or self.label is not None

    def __float__(self) -> float:
        return math.nan if self.value is None else float(self.value)


class Scorer(BaseModel):
    """Base of scorers with settings: fields are the settings, `score` judges. Sync or async.

    ```python
    class Mentions(weft.Scorer):
        word: str
        def score(self, output):
            return self.word in output
    ```
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", protected_namespaces=()
    )
    name: str | None = None
    """How results call it; the class's name where none is given."""
    columns: Mapping[str, str] = {}
    """{parameter of `score`: column of the dataset}, where the two differ."""

    def score(self, *args: Any, **kwargs: Any) -> Any:
        """Judge one output. Ask by parameter name for a column of the row or for anything in `OFFERED`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Marks:
    """What `@scorer` says of a function."""

    name: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """{parameter: column of the dataset}."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Settings it was made with; they are stored with every score."""
    inline: bool = False
    """Quick and never waiting: it runs in the event loop, without a thread."""


@overload
def scorer(function: F) -> F: ...
@overload
def scorer(
    *,
    name: str | None = ...,
    columns: Mapping[str, str] | None = ...,
    params: Mapping[str, Any] | None = ...,
    inline: bool = ...,
) -> Callable[[F], F]: ...
def scorer(
    function: F | None = None,
    *,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    inline: bool = False,
) -> F | Callable[[F], F]:
    """Name a scoring function, or say where its arguments come from. The function itself is returned, unchanged.

    Args:
        name: in results; the function's own name where none is given.
        columns: {parameter: column of the dataset}, where the two differ.
        params: settings to store with every score.
        inline: it is quick and waits for nothing, so it needs no thread.

    ```python
    @weft.scorer(columns={"expected": "answer"})
    def close(output, expected):
        return abs(output - expected) < 0.1
    ```
    """

    def mark(target: F) -> F:
        try:
            target.__weft_scorer__ = Marks(name, columns or {}, params or {}, inline)  # type: ignore[attr-defined]
        except (AttributeError, ValueError, TypeError) as error:
            raise UsageError(f"@scorer marks functions written in Python; {target!r} cannot be marked") from error
        return target

    return mark if function is None else mark(function)


@dataclass(frozen=True, slots=True)
class ScorerPlan:
    """A scorer, ready to be called."""

    name: str
    function: Callable[..., Any]
    parameters: Parameters
    columns: Mapping[str, str]
    inline: bool
    is_async: bool
    params: Mapping[str, Any]
    version: str | None
    """Digest of its code."""

    @property
    def wants_cost(self) -> bool:
        """Whether it asks for what the case cost, which has to be looked up."""
        taken = (*self.parameters.required, *self.parameters.optional, *self.columns.values())
        return self.parameters.rest or "cost_usd" in taken

    @classmethod
    def of(cls, given: object) -> ScorerPlan:
        """Read a scorer as the user gave it.

        Raises:
            UsageError: it is no scorer, has no `score` of its own, or takes a name that summaries use.
        """
        marks = getattr(given, "__weft_scorer__", None) or Marks()
        function = _function_of(given)
        name = marks.name or getattr(given, "name", None) or _own_name(given)
        if not isinstance(name, str) or name in RESERVED:
            raise UsageError(f"a scorer cannot be called {name!r}; give another: @scorer(name=...)")
        parameters = Parameters.of(function, f"scorer {name!r}")
        if not parameters.rest and not {*parameters.required, *parameters.optional}:
            raise UsageError(f"scorer {name!r} takes no arguments; let it take `output` or a column of the dataset")
        columns = given.columns if isinstance(given, Scorer) else marks.columns
        unknown = set(columns) - {*parameters.required, *parameters.optional}
        if unknown and not parameters.rest:
            raise UsageError(f"scorer {name!r}: columns= names {', '.join(sorted(unknown))}, which it does not take")
        params = dict(marks.params)
        if isinstance(given, BaseModel):
            params = {key: getattr(given, key) for key in type(given).model_fields if key not in ("name", "columns")}
        return cls(name, function, parameters, columns, marks.inline, is_async(function), params, code_digest(function))


def _function_of(given: object) -> Callable[..., Any]:
    if isinstance(given, type):
        raise UsageError(f"scorer {given.__name__} is a class; give an instance: {given.__name__}(...)")
    method = getattr(given, "score", None)
    if isinstance(given, Scorer) and type(given).score is Scorer.score:
        raise UsageError(f"scorer {type(given).__name__} has no `score` of its own; write def score(self, output): ...")
    if callable(method):
        return cast(Callable[..., Any], method)
    if not callable(given):
        raise UsageError(f"{given!r} is no scorer; a scorer is a function, or an object with a method `score`")
    if getattr(given, "__weft_makes_scorer__", False):
        made = getattr(given, "__name__", "it")
        raise UsageError(f"{made} makes a scorer when it is called: write {made}(...), not {made}")
    return given


def _own_name(given: object) -> str:
    return getattr(given, "__name__", None) or type(given).__name__


def read_scores(result: object, *, _depth: int = 0) -> dict[str, Score]:
    """What a scorer returned, as scores by key; the key is "" where it returned one score. Never raises."""
    if isinstance(result, BaseModel) and not isinstance(result, Scorer):
        result = dict(result)
    if isinstance(result, Mapping):
        if _depth >= MAX_DEPTH:
            return {"": Score(error=f"returned dicts more than {MAX_DEPTH} deep; {_CONTRACT}")}
        found: dict[str, Score] = {}
        for key, item in result.items():
            if not isinstance(key, str) or not key:
                found[str(key) or "?"] = Score(error=f"returned a dict with the key {key!r}; keys must be text")
                continue
            for inner, score in read_scores(item, _depth=_depth + 1).items():
                found[f"{key}.{inner}" if inner else key] = score
        return found or {"": Score(reason="returned an empty dict")}
    return {"": _read_one(result)}


def _read_one(result: object) -> Score:
    if isinstance(result, Score):
        inner = _read_one(result.value)
        if inner.error is not None or (isinstance(result.value, str) and result.label is not None):
            return Score(error=inner.error or f"returned a Score with two labels: {result!r}", reason=result.reason)
        return replace(result, value=inner.value, label=inner.label if inner.label is not None else result.label)
    if result is None:
        return Score()
    if isinstance(result, bool):
        return Score(result)
    if isinstance(result, str):
        return Score(label=str(result))
    if type(result).__module__ == "numpy" and getattr(result, "ndim", None) == 0:
        return _read_one(cast(Any, result).item())
    if isinstance(result, bytes) or not hasattr(result, "__float__"):
        return Score(error=f"returned {units.article(type(result).__name__)} ({_short(result)}); {_CONTRACT}")
    try:
        number = float(cast(Any, result))
    except Exception as error:
        return Score(error=f"returned {units.article(type(result).__name__)} that is no number ({error}); {_CONTRACT}")
    if not math.isfinite(number):
        return Score(error=f"returned {number}; return None to leave a case unscored")
    return Score(number)


def _short(value: object) -> str:
    try:
        shown = repr(value)
    except Exception as error:
        return f"its repr raises {type(error).__name__}"
    return shown if len(shown) <= 80 else shown[:79] + "…"
