"""What every part of `weft.Api()` is made of: the store it asks, what was recorded taken in first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from weft.tracking import names, runtime
from weft.tracking.api.results import Results
from weft.tracking.api.storedrun import ENTITY
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.home import Home
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store, take_in
from weft.tracking.store.readmodels import Page

if TYPE_CHECKING:
    from weft.tracking.store.filters import Where
    from weft.tracking.store.reader import Reader

T = TypeVar("T")


class Asking:
    """A store that is open to be asked."""

    def __init__(
        self,
        project: str | Mapping[str, Any] | None = None,
        timeout: int | None = None,
        api_key: str | None = None,
        *,
        overrides: Mapping[str, Any] | None = None,
        settings: Settings | None = None,
    ) -> None:
        given = project if isinstance(project, Mapping) else overrides
        chosen = given.get("project") if given is not None and not isinstance(project, str) else project
        self.project = None if chosen is None else names.check_project(chosen)  # type: ignore[arg-type]
        self._own_settings = settings is None
        self._settings = settings or runtime.active().settings
        self._store = open_store(self._settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    @property
    def default_entity(self) -> str:
        """wandb's first part of an address: `local`."""
        return ENTITY

    def flush(self) -> None:
        """wandb's, to see what is new: every question here takes it in by itself."""

    @property
    def _home(self) -> Home:
        return Home(self._settings.home)

    def _take_in(self) -> None:
        """What was recorded, before something is read.

        Raises:
            UsageError: the program has since been configured to record elsewhere, so this would not show it.
        """
        if self._own_settings:
            now = runtime.active().settings
            if (now.home, now.url) != (self._settings.home, self._settings.url):
                raise UsageError(
                    f"this Api was made when the program recorded to {self._settings.home}; it now records to "
                    f"{now.home}. Make a new weft.Api(), or give weft.Api(settings=...) to read another home"
                )
        take_in(self._store, self._settings, foreign_s=0.0)

    def _of(self, where: Where | None) -> dict[str, Any]:
        if where is not None and not isinstance(where, Mapping):
            raise UsageError(f'a filter is a dict like {{"status": "error"}}, not {where!r:.80}')
        given = dict(where or {})
        return given if self.project is None or "project" in given else {**given, "project": self.project}

    def _results(self, kind: type[T], ask: Callable[..., Page[T]]) -> Results[T]:
        """The first page now, so that a mistake is heard at the call."""
        self._take_in()
        reader: Reader = self._store.reader()
        made = Results[T](lambda limit, after: ask(reader, limit=limit, after=after), kind=kind)
        made._reach(0)
        return made


def the_one(found: Sequence[T], what: str) -> T:
    for row in found:
        return row
    raise NotFoundError(f"there is no {what} in this store. `weft traces ls` and `weft runs ls` list what there is")
