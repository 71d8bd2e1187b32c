"""`weft ingest`: journal to store, once or for as long as it is watched. One watcher a home, at low priority."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from weft.commands import terminal
from weft.tracking import runtime, units
from weft.tracking.home import Home
from weft.tracking.journal.ingest import Drained, settle_collector
from weft.tracking.store.access import drain_into, index_text, open_store
from weft.watching import watch as watch_home


def ingest(
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on until interrupted; what is written shows at once.")
    ] = False,
    parent: Annotated[
        int | None, typer.Option(help="With --watch: end when this process, the parent, has gone.")
    ] = None,
    low_priority: Annotated[bool, typer.Option("--low-priority", help="Leave the processor to others.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Move what was recorded from the journal into the store. Reading commands do this by themselves."""
    if (watch or low_priority) and hasattr(os, "nice"):
        os.nice(10)  # it must never take the processor from the program it works for
    settle_collector()
    settings = runtime.active().settings
    home = Home(settings.home).ensure()
    if watch:
        _watch(home, parent)
        return
    with open_store(settings, drain=False) as store:
        done = drain_into(store, settings)
        if not done.busy:
            index_text(store)
    if json:
        terminal.print_json(done)
    else:
        terminal.console().print(terminal.text(_said(done)))
    if done.busy or done.newer or done.unreadable or done.left_out:
        raise SystemExit(terminal.INCOMPLETE)


def _said(done: Drained) -> str:
    parts = [f"{units.counted(done.records, 'record')} ingested"]
    if done.waiting_bytes:
        parts.append(
            f"{units.size(done.waiting_bytes)} wait" + (" (another process is ingesting)" if done.busy else "")
        )
    if done.torn:
        parts.append(
            f"{units.counted(len(done.torn), 'segment')} ended in the middle of a write (the writer was killed)"
        )
    if done.quarantined:
        parts.append(f"{units.counted(len(done.quarantined), 'damaged segment')} set aside (weft doctor)")
    if done.newer:
        parts.append(f"{units.counted(len(done.newer), 'segment')} of a newer weft left alone")
    if done.left_out:
        parts.append(f"{units.counted(len(done.left_out), 'record')} left out, by a mistake of weft (please report it)")
    if done.unreadable:
        parts.append(f"{units.counted(len(done.unreadable), 'segment')} could not be read (weft doctor)")
    return "; ".join(parts)


def _watch(home: Home, parent: int | None) -> None:
    def busy() -> bool:
        if parent is None:
            terminal.console().print("another watcher is at work on this home already")
        return parent is not None

    try:
        watch_home(home, runtime.active().settings, parent, on_busy=busy)
    except KeyboardInterrupt:
        pass
