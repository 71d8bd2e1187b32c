"""Arguments by name: which of a row's values a model or scorer takes; what is missing is known before anything runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.tracking.errors import UsageError

_LISTED = 8
"""Columns an error message names."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a function takes."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    positional: tuple[str, ...] = ()
    """Those of them that cannot be given by name."""
    rest: bool = False
    """It takes `**kwargs`: everything there is."""

    @classmethod
    def of(cls, function: Callable[..., Any], what: str) -> Parameters:
        """The parameters of a function, a method or a callable object.

        Args:
            what: how an error calls it.

        Raises:
            UsageError: Python cannot tell its parameters (some built-ins).
        """
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"{what}: its parameters cannot be read ({error}). Wrap it: def f(question): return ..."
            ) from error
        named = [item for item in parameters if item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)]
        return cls(
            required=tuple(item.name for item in named if item.default is item.empty),
            optional=tuple(item.name for item in named if item.default is not item.empty),
            positional=tuple(item.name for item in named if item.kind is item.POSITIONAL_ONLY),
            rest=any(item.kind is item.VAR_KEYWORD for item in parameters),
        )

    def pick(self, values: Mapping[str, Any], columns: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Those of `values` that it takes, by parameter name.

        Args:
            columns: {parameter: name in `values`} where the two differ.
        """
        names = columns or {}
        if self.rest:
            taken = dict(values)
            for parameter, name in names.items():
                if name in values:
                    taken[parameter] = values[name]
            return taken
        taken = {}
        for parameter in (*self.required, *self.optional):
            name = names.get(parameter, parameter)
            if name in values:
                taken[parameter] = values[name]
        return taken

    def call(self, function: Callable[..., Any], picked: Mapping[str, Any]) -> Any:
        """Call with what `pick` found. Lists and dicts are copies: what the function does to them stays its own."""
        given = {name: fresh(value) for name, value in picked.items()}
        leading = [given.pop(name) for name in self.positional if name in given]
        return function(*leading, **given)

    def check(
        self,
        what: str,
        rows: Sequence[tuple[str, Mapping[str, Any]]],
        offered: Iterable[str] = (),
        columns: Mapping[str, str] | None = None,
    ) -> None:
        """Make sure that every row has what is required.

        Args:
            rows: (row id, columns) of each.
            offered: names that are there beside the columns (`output`, ...).

        Raises:
            UsageError: a required argument is no column of some row; says which, of how many rows, and the way out.
        """
        names = columns or {}
        # A column that was named by hand must be there even where the parameter could do without.
        wanted = {names.get(name, name): name for name in (*self.required, *names)}
        for name in offered:
            wanted.pop(name, None)
        for column, parameter in wanted.items():
            lacking = [row_id for row_id, values in rows if column not in values]
            if lacking:
                raise UsageError(_lack(what, column, parameter, lacking, rows))

    def check_shadowed(
        self,
        what: str,
        rows: Sequence[tuple[str, Mapping[str, Any]]],
        offered: Iterable[str],
        columns: Mapping[str, str] | None = None,
    ) -> None:
        """Make sure that no name it asks for means two things: what is offered, and a column.

        One that takes `**kwargs` has asked for none of them by name: it is given what is offered.

        Raises:
            UsageError: some row has a column of such a name; says which, and the way out.
        """
        names = columns or {}
        asked = [names.get(name, name) for name in (*self.required, *self.optional, *names)]
        for name in offered:
            if (
                name in asked
                and (row_id := next((row_id for row_id, values in rows if name in values), None)) is not None
            ):
                better = "expected" if name == "output" else f"row_{name}"
                raise UsageError(
                    f"{what} asks for {name!r}, which it is given for each case, but the dataset has a column {name!r} "
                    f"too (the first: row {row_id}), which it would not see. Rename the column, e.g. to {better!r}."
                )


def fresh(value: Any) -> Any:
    """A copy of lists and dicts, all the way down; anything else is itself."""
    kind = type(value)
    if kind is not dict and kind is not list:
        return value
    try:
        return {key: fresh(item) for key, item in value.items()} if kind is dict else [fresh(item) for item in value]
    except RecursionError:  # it holds itself; then it stays as it is
        return value


def _lack(
    what: str, column: str, parameter: str, lacking: Sequence[str], rows: Sequence[tuple[str, Mapping[str, Any]]]
) -> str:
    there = list(dict.fromkeys(name for _, values in rows for name in values))
    listed = ", ".join(there[:_LISTED]) + (", ..." if len(there) > _LISTED else "")
    if len(lacking) == len(rows):
        return (
            f"{what} needs an argument {parameter!r}, but the dataset has no column {column!r}. Its columns are "
            f"{listed}. Rename the column or the parameter, or give the parameter a default."
        )
    return (
        f"{what} needs an argument {parameter!r}, but {len(lacking)} of {len(rows)} rows have no column {column!r} "
        f"(the first: row {lacking[0]}). Fill the column in, or give the parameter a default."
    )


def is_async(function: Callable[..., Any]) -> bool:
    """Whether it is to be called on the event loop: coroutine functions, asynchronous generators, objects that are."""
    for target in (function, getattr(type(function), "__call__", None)):  # noqa: B004
        if inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target):
            return True
    return False
