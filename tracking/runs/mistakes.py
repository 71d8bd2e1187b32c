"""Wrong arguments of one call, gathered so that all of them are told at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from weft.tracking.errors import UsageError

P = ParamSpec("P")
T = TypeVar("T")


class Mistakes:
    """What the checks of one call's arguments have found."""

    def __init__(self) -> None:
        self._found: list[UsageError] = []

    def tried(self, check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What the check answers; None where it raised, which `tell` says."""
        try:
            return check(*args, **kwargs)
        except UsageError as error:
            self._found.append(error)
            return None

    def tell(self, call: str) -> None:
        """
        Args:
            call: what was called, as in "init()".

        Raises:
            UsageError: something was found: the error itself where it is the only one, else one with all their words.
        """
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            told = "; ".join(f"({number}) {error}" for number, error in enumerate(self._found, 1))
            raise UsageError(f"{call} was given {len(self._found)} wrong arguments: {told}")
