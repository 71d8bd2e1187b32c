"""The history of a collection in words, for the terminal and the app. Pure; the texts in it are the users' own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from weft.tracking.registry import requirements
from weft.tracking.store.readmodels import RegistryEvent


class Checked(NamedTuple):
    """A line of a promotion's evidence."""

    evaluation: str
    run: str | None
    """`project/id`."""
    required: str
    found: str
    passed: bool


def told(event: RegistryEvent) -> str:
    """`linked digits/cnn:v3 as v0 with staging`."""
    said = _SENTENCES.get(event.action, _other)(event)
    return said + (" by force" if event.details.get("force") is True else "")


def evidence(event: RegistryEvent) -> Iterator[Checked]:
    """What a promotion required, beside what was found."""
    for one in _list(event.details.get("evidence")):
        for finding in _list(one.get("findings")):
            run = one.get("run")
            yield Checked(
                str(one.get("evaluation", "")),
                run if isinstance(run, str) else None,
                str(finding.get("required", "")),
                str(finding.get("found", "")),
                finding.get("passed") is True,
            )


def notes(event: RegistryEvent) -> list[str]:
    """What is to be known besides: why it was done, what was said of the evaluations, why nothing came of it."""
    found = [str(event.details["note"])] if event.details.get("note") else []
    for one in _list(event.details.get("evidence")):
        found += [str(note) for note in one.get("notes") or ()]
    return found + ([f"without effect: {event.problem}"] if event.problem else [])


def source(event: RegistryEvent) -> str:
    """`digits/cnn:v3`; where the store does not have it, by its digest."""
    number = f"v{event.version}" if event.version is not None else (event.digest or "")[:12]
    return f"{event.project}/{event.name}:{number}"


def _list(value: Any) -> Sequence[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _number(event: RegistryEvent) -> str:
    return f"v{event.number}" if event.number is not None else source(event)


def _aliases(event: RegistryEvent) -> str:
    return ", ".join(event.aliases)


def _linked(event: RegistryEvent) -> str:
    at = f" as v{event.number}" if event.number is not None else ""
    return f"linked {source(event)}{at}" + (f" with {_aliases(event)}" if event.aliases else "")


def _promoted(event: RegistryEvent) -> str:
    former = event.details.get("from")
    return f"promoted {_number(event)} to {_aliases(event)}" + (
        f", which was on v{former}" if former is not None else ""
    )


def _protected(event: RegistryEvent) -> str:
    wanted = event.details.get("require")
    always = (
        f", which requires {requirements.told(requirements.asked(wanted)) or 'nothing more'}"
        if isinstance(wanted, list)
        else ""
    )
    return f"protected {_aliases(event)}{always}"


def _described(event: RegistryEvent) -> str:
    changed = [word for word in ("description", "tags") if word in event.details]
    return f"changed {' and '.join(changed) or 'nothing'}"


def _other(event: RegistryEvent) -> str:
    return " ".join(part for part in (event.action, _aliases(event)) if part)


_SENTENCES: Mapping[str, Callable[[RegistryEvent], str]] = {
    "created": lambda event: f"created it for type {event.details.get('type', '')}",
    "described": _described,
    "linked": _linked,
    "unlinked": lambda event: f"unlinked {_number(event)} ({source(event)})",
    "aliased": lambda event: f"moved {_aliases(event)} to {_number(event)}",
    "unaliased": lambda event: f"took {_aliases(event)} away",
    "promoted": _promoted,
    "refused": lambda event: f"refused {_number(event)} for {_aliases(event)}",
    "protected": _protected,
    "unprotected": lambda event: f"unprotected {_aliases(event)}",
    "deleted": lambda event: "deleted it",
}
