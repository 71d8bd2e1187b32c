"""Libraries that are traced by other people's OpenTelemetry instrumentors: which there are, switched on and off.

Their spans go to weft's own SDK provider and are read by the table of dialects. An instrumentor that the program has
switched on itself is left alone: its spans go where the program sends them.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

log = logging.getLogger("weft.instrument")


@dataclass(frozen=True, slots=True)
class Instrumentor:
    """A package that traces a library."""

    package: str
    """As pip names it."""
    path: str
    """Its class, `module:Name`."""

    @property
    def installed(self) -> bool:
        """Found without importing anything."""
        try:
            distribution(self.package)
        except PackageNotFoundError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Library:
    """A library that others trace."""

    name: str
    module: str
    """What is imported."""
    instrumentors: tuple[Instrumentor, ...]
    """In order of preference."""
    arguments: Mapping[str, Any]
    """What their `instrument` gets beside the provider."""

    @property
    def instrumentor(self) -> Instrumentor | None:
        """The one to use; None: none is installed."""
        return next((one for one in self.instrumentors if one.installed), None)


@cache
def libraries() -> Mapping[str, Library]:
    """All of `instrumentors.toml`, by name; an alias is another name of the same."""
    with Path(__file__).with_suffix(".toml").open("rb") as file:
        table = tomllib.load(file)
    found: dict[str, Library] = {}
    for name, entry in table.items():
        ordered = tuple(Instrumentor(*one) for one in entry["instrumentors"])
        library = Library(name, entry["module"], ordered, entry.get("arguments", {}))
        found.update(dict.fromkeys((name, *entry.get("aliases", ())), library))
    return found


_active: dict[str, Any] = {}
"""Library: the instrumentor that we switched on."""


def install(library: Library) -> None:
    """Switch on the library's instrumentor. The library is imported already.

    Raises:
        Exception: whatever the instrumentor raises.
    """
    chosen = library.instrumentor
    if chosen is None or library.name in _active:
        return
    from weft.tracer.otel.processor import (
        provider,  # imports the SDK, which a program without instrumentors never needs
    )

    module, _, name = chosen.path.partition(":")
    made = getattr(import_module(module), name)()
    if getattr(made, "is_instrumented_by_opentelemetry", False):
        log.info(
            "%s is instrumented by %s already, by the program itself; weft leaves it so", library.name, chosen.package
        )
        return
    made.instrument(tracer_provider=provider(), **library.arguments)
    if getattr(made, "is_instrumented_by_opentelemetry", True):  # else it said that it does not know this version
        _active[library.name] = made


def uninstall(library: Library) -> None:
    """Switch off what `install` switched on."""
    made = _active.pop(library.name, None)
    if made is not None:
        made.uninstrument()


def say_what_is_missing(library: Library) -> None:
    """One line for who asked for the library by name and has no instrumentor of it."""
    log.warning(
        "weft traces %s by an instrumentor that is not installed. Run: pip install %s",
        library.name,
        library.instrumentors[0].package,
    )
