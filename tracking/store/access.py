"""Opening the store to read it: the journal is drained first, so that one reads one's own writes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any
from weakref import WeakSet

from weft.tracking import runtime
from weft.tracking.errors import NewerStoreError, StoreError
from weft.tracking.home import Home
from weft.tracking.journal.ingest import FOREIGN_SECONDS, Drained, Ingester
from weft.tracking.settings import Settings
from weft.tracking.store.store import Store
from weft.tracking.store.textindex import TextIndex

log = logging.getLogger("weft.ingest")


def open_store(
    settings: Settings | None = None, *, drain: bool = True, foreign_s: float | None = FOREIGN_SECONDS
) -> Store:
    """The store of these settings (default: this process's), ready to read.

    Args:
        drain: ingest first: this process's own records wholly, others' for at most `foreign_s` seconds. Where the store
            cannot be written this is logged, and it is opened all the same.

    Raises:
        StoreError: it cannot be opened; NewerStoreError where a newer weft wrote it.
        HomeError: the home cannot be used.
    """
    settings = settings or runtime.active().settings
    home = Home(settings.home)
    if home.read_only:
        store = _as_it_is(settings)
    else:
        home.ensure()
        store = Store.open(settings.url)
    if drain:
        try:
            take_in(store, settings, foreign_s=foreign_s)
        except BaseException:
            store.close()
            raise
    return store


def _as_it_is(settings: Settings) -> Store:
    """The store of a home that cannot be written."""
    try:
        return Store.open(settings.url, create=False)
    except NewerStoreError:
        raise
    except StoreError as error:
        advice = f"The home {settings.home} cannot be written here: copy it to where it can, and set WEFT_HOME to that."
        raise StoreError(f"{error} {advice}") from error


_told: WeakSet[Store] = WeakSet()
"""Stores of which it was said that nothing new comes in."""


def take_in(store: Store, settings: Settings, *, foreign_s: float | None = FOREIGN_SECONDS) -> None:
    """Ingest, before somebody reads. Where nothing can be written this is said, once a store: what it holds can be read
    all the same.

    Raises:
        HomeError: the home cannot be used.
    """
    try:
        if Home(settings.home).read_only:
            raise StoreError(f"The home {settings.home} cannot be written here.")
        drain_into(store, settings, foreign_s=foreign_s)
    except StoreError as error:
        if store not in _told:
            _told.add(store)
            log.warning("nothing new was taken in; what the store holds is shown. %s", error)


def drain_into(
    store: Store,
    settings: Settings,
    *,
    foreign_s: float | None = None,
    wait_s: float = 30.0,
) -> Drained:
    """One pass of the ingester over this home; what waits afterwards is logged."""
    own = [path.name for path in runtime.active().journal.segments] if runtime.active().settings == settings else []
    sink = store.sink(_load(settings.estimator)(settings))
    ingester = Ingester(Home(settings.home), sink, [_load(name)(settings) for name in settings.enrichers])
    done = ingester.drain(own=own, foreign_s=foreign_s, wait_s=wait_s)
    if done.waiting_bytes:
        log.info("%d bytes of journal wait to be ingested; run `weft ingest`", done.waiting_bytes)
    for name in done.newer:
        log.warning(
            "journal segment %s was written by a newer weft; it is kept as it is. Upgrade weft to read it", name
        )
    for name in done.unreadable:
        log.warning("journal segment %s could not be read; it is kept as it is. See `weft doctor`", name)
    for name in done.quarantined:
        log.warning("journal segment %s is damaged; its sound records were kept. See `weft doctor`", name)
    return done


def index_text(store: Store, seconds: float | None = None) -> int:
    """Bring the full-text index up to date, for that long; how many spans it took in. A failure is logged, no more:
    what was ingested is there without it."""
    try:
        return TextIndex(store).advance(seconds)
    except StoreError as error:
        log.info("the full-text index was not brought up to date: %s", error)
        return 0


def _load(name: str) -> Callable[[Settings], Any]:
    module, _, function = name.partition(":")
    made: Callable[[Settings], Any] = getattr(import_module(module), function)
    return made
