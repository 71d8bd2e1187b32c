"""Methods of other people's classes, replaced and put back: the very functions that were there."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from weft.tracking import runtime

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


class Patches:
    """The methods of one library that are wrapped at the moment."""

    def __init__(self, library: str) -> None:
        """
        Args:
            library: the name it is installed by, for messages.
        """
        self._library = library
        self._originals: dict[tuple[type, str], Any] = {}

    def wrap(self, owner: type, name: str, wrapper: Wrap) -> None:
        """Wrap a method that its class itself defines, once: a second call does nothing.

        A method that is not there is said once, with the library's version; everything else goes on.
        """
        if (owner, name) in self._originals:
            return
        original = vars(owner).get(name)
        if not callable(original):
            self.missing(f"{owner.__module__}.{owner.__qualname__}.{name}")
            return
        self._originals[owner, name] = original
        setattr(owner, name, wrapper(original))

    def missing(self, what: str) -> None:
        """Say that this version of the library lacks something that weft looks for."""
        try:
            found = version(self._library)
        except PackageNotFoundError:
            found = "of unknown version"
        runtime.active().faults.note(
            f"find {what} in {self._library} {found}",
            hint="Those calls are not traced, or not wholly; they work as ever.",
        )

    def restore(self) -> None:
        """Put every original back. One that somebody else has wrapped since stays theirs: taking it away would undo
        their work too; our wrapper below it then lets calls pass as they are.
        """
        for (owner, name), original in self._originals.items():
            current = vars(owner).get(name)
            if getattr(current, "__wrapped__", None) is original:
                setattr(owner, name, original)
        self._originals.clear()

    def __contains__(self, method: tuple[type, str]) -> bool:
        return method in self._originals
