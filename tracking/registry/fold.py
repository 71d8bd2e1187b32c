"""What a collection is, made of all that was ever done to it, in order of time. Pure.

Called by the sink with every event of a collection, again whenever one comes; so the outcome is the same in whatever
order they arrive, and after a rebuild. Why an event did nothing (another type, a guarded alias) is said of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from weft.tracking.registry.paths import LATEST
from weft.tracking.registry.requirements import asked, told

MOST = 1 << 31
"""Numbers that an event may ask for lie below."""


class Event(NamedTuple):
    """One action."""

    action: str
    at_ns: int
    author: str
    source: Source | None
    aliases: Sequence[str]
    details: Mapping[str, Any]


class Source(NamedTuple):
    """A version of an artifact."""

    project: str
    name: str
    digest: str


class Effect(NamedTuple):
    """What came of an event."""

    number: int | None
    """Of the linked version that it was about."""
    problem: str | None
    """Why nothing did."""


@dataclass(slots=True)
class Link:
    """A version in the collection."""

    number: int
    source: Source
    at_ns: int
    author: str
    live: bool = True
    """False: it was unlinked; its number is never given again."""


@dataclass(slots=True)
class State:
    """A collection."""

    exists: bool = False
    type: str = ""
    description: str | None = None
    tags: list[str] = field(default_factory=list)
    author: str = ""
    created_ns: int = 0
    updated_ns: int = 0
    protected: set[str] = field(default_factory=set)
    required: dict[str, list[Any]] = field(default_factory=dict)
    """By protected alias: what every promotion to it must have been checked for (`requirements.kept`)."""
    links: dict[int, Link] = field(default_factory=dict)
    """By number, in the order in which they were linked."""
    aliases: dict[str, int] = field(default_factory=dict)
    next_number: int = 0

    numbers: dict[Source, int] = field(default_factory=dict)
    """Of the versions that are linked now."""

    def live(self, source: Source | None) -> Link | None:
        """The link of this version that is there."""
        number = None if source is None else self.numbers.get(source)
        return None if number is None else self.links[number]

    def named(self) -> dict[str, int]:
        """Where aliases point, `latest` with them: the newest link that is there."""
        live = [link.number for link in self.links.values() if link.live]
        return self.aliases | ({LATEST: live[-1]} if live else {})


class _VoidError(Exception):
    """The event does nothing; why."""


def fold(events: Iterable[Event]) -> tuple[State, list[Effect]]:
    """The collection after these events, oldest first, and what came of each."""
    state, effects = State(), list[Effect]()
    for event in events:
        act = _ACTIONS.get(event.action)
        link = state.live(event.source)
        try:
            if act is None:
                raise _VoidError(f"this version of weft knows no action {event.action!r:.40}")
            number = act(state, event)
        except _VoidError as void:
            effects.append(Effect(link.number if link else None, str(void)))
            continue
        effects.append(Effect(number, _left(state, event, number)))
        if event.action != "refused":
            state.updated_ns = max(state.updated_ns, event.at_ns)
    return state, effects


def _left(state: State, event: Event, number: int | None) -> str | None:
    """Of a link: the guarded aliases that did not come with it."""
    left = [one for one in event.aliases if one != LATEST and state.aliases.get(one) != number]
    if event.action != "linked" or not left:
        return None
    return f"the alias {left[0]} is protected and stayed where it was"


def _created(state: State, event: Event) -> None:
    kind = event.details.get("type")
    if state.exists:
        raise _VoidError(
            "it was there already" if kind == state.type else f"it was there already, of type {state.type!r}"
        )
    _make(state, event)


def _make(state: State, event: Event) -> None:
    state.exists, state.type = True, str(event.details.get("type") or "")
    state.author, state.created_ns = event.author, event.at_ns


def _described(state: State, event: Event) -> None:
    _must_exist(state)
    if "description" in event.details:
        state.description = event.details["description"] or None
    if isinstance(tags := event.details.get("tags"), list):
        state.tags = [str(tag) for tag in tags]


def _linked(state: State, event: Event) -> int:
    kind = str(event.details.get("type") or "")
    if state.exists and kind != state.type:
        raise _VoidError(f"it holds type {state.type!r}, and this version is of type {kind!r}")
    if event.source is None:
        raise _VoidError("no version was named")
    if not state.exists:  # the event that made it is lost, or its writer could not look whether it was there
        _make(state, event)
    link = state.live(event.source)
    if link is None:
        link = Link(_number(state, event.details.get("number")), event.source, event.at_ns, event.author)
        state.links[link.number] = link
        state.numbers[link.source] = link.number
        state.next_number = max(state.next_number, link.number + 1)
    # The link stands where an alias that it came with is guarded; only the alias stays where it was.
    _move(state, event, link.number, [one for one in event.aliases if _may_move(state, event, one, link.number)])
    return link.number


def _number(state: State, wanted: object) -> int:
    """The number that its writer was told, if it is free: so a store that is made again gives the same ones, even where
    earlier events are lost. Else the next."""
    if isinstance(wanted, int) and not isinstance(wanted, bool) and 0 <= wanted < MOST and wanted not in state.links:
        return wanted
    return state.next_number


def _unlinked(state: State, event: Event) -> int:
    link = _link(state, event)
    held = sorted(alias for alias, number in state.aliases.items() if number == link.number)
    guarded = [alias for alias in held if alias in state.protected and not _forced(event)]
    if guarded:
        raise _VoidError(f"it has the protected alias {guarded[0]}")
    link.live = False
    del state.numbers[link.source]
    for alias in held:
        del state.aliases[alias]
    return link.number


def _aliased(state: State, event: Event) -> int:
    link = _link(state, event)
    guarded = [alias for alias in event.aliases if not _may_move(state, event, alias, link.number)]
    if guarded:
        raise _VoidError(f"the alias {guarded[0]} is protected")
    return _move(state, event, link.number, event.aliases)


def _promoted(state: State, event: Event) -> int:
    link = _link(state, event)
    for alias in event.aliases:  # its writer may not have known what was required meanwhile
        if alias in state.required and event.details.get("standing") != state.required[alias]:
            raise _VoidError(
                f"the alias {alias} requires {told(asked(state.required[alias]))}, for which it was not checked"
            )
    return _move(state, event, link.number, event.aliases)


def _move(state: State, event: Event, number: int, aliases: Iterable[str]) -> int:
    state.aliases |= dict.fromkeys((alias for alias in aliases if alias != LATEST), number)
    return number


def _unaliased(state: State, event: Event) -> int | None:
    _must_exist(state)
    guarded = [alias for alias in event.aliases if alias in state.protected and not _forced(event)]
    if guarded:
        raise _VoidError(f"the alias {guarded[0]} is protected")
    found = [number for alias in event.aliases if (number := state.aliases.pop(alias, None)) is not None]
    return found[0] if found else None


def _protected(state: State, event: Event) -> None:
    _must_exist(state)
    guarded = set(event.aliases) - {LATEST}
    state.protected |= guarded
    if isinstance(wanted := event.details.get("require"), list):
        state.required = {alias: held for alias, held in state.required.items() if alias not in guarded}
        state.required |= dict.fromkeys(guarded, wanted) if wanted else {}


def _unprotected(state: State, event: Event) -> None:
    _must_exist(state)
    state.protected -= set(event.aliases)
    state.required = {alias: held for alias, held in state.required.items() if alias in state.protected}


def _refused(state: State, event: Event) -> int | None:
    link = state.live(event.source)
    return link.number if link else None


def _deleted(state: State, event: Event) -> None:
    _must_exist(state)
    guarded = sorted(state.protected & state.aliases.keys())
    if guarded and not _forced(event):
        raise _VoidError(f"the alias {guarded[0]} is protected")
    for link in state.links.values():
        link.live = False
    # Its numbers stay given: made again under this name it goes on with the next.
    state.exists, state.type, state.description = False, "", None
    state.tags, state.protected, state.required, state.aliases, state.numbers = [], set(), {}, {}, {}


def _may_move(state: State, event: Event, alias: str, number: int) -> bool:
    return alias not in state.protected or state.aliases.get(alias) == number or _forced(event)


def _forced(event: Event) -> bool:
    return event.details.get("force") is True


def _link(state: State, event: Event) -> Link:
    link = state.live(event.source)
    if link is None:
        raise _VoidError("the version is not linked")
    return link


def _must_exist(state: State) -> None:
    if not state.exists:
        raise _VoidError("there is no such collection")


_ACTIONS: Mapping[str, Callable[[State, Event], int | None]] = {
    "created": _created,
    "described": _described,
    "linked": _linked,
    "unlinked": _unlinked,
    "aliased": _aliased,
    "unaliased": _unaliased,
    "promoted": _promoted,
    "refused": _refused,
    "protected": _protected,
    "unprotected": _unprotected,
    "deleted": _deleted,
}
