"""What a trace used in all, pure: each token once, whichever spans report it, in whatever order they came.

The rule, from the leaves up, for a span that reports usage and has others that do below it:

- An *aggregate* (kind agent, chain, workflow; or a span that names no model) repeats what the calls below it used: the
  calls count, and of its own report only what exceeds them (calls that nobody traced).
- Anything else is a *call* of a model. A call below it is the same one, seen again by an inner layer, where its model
  has the same name (a provider's prefix or a date aside) and such calls together used no more than it says; or where
  their counts are its own exactly. Those are left out. Everything else below it was a call of its own, and is added.
- Counts that were estimated stand back: an estimate over calls below counts for nothing, one below a report of the same
  model likewise. Where two layers count alike, the inner one's cost holds: it heard what was cached from the provider.

`weft.evals` meters with the same function, so that a budget and a trace's row agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

AGGREGATES = frozenset(("agent", "chain", "workflow"))
"""Kinds whose usage is that of what they contain."""


class Reported(NamedTuple):
    """One span's report."""

    span_id: bytes
    above: bytes | None
    """The nearest span above that reports, too (`nearest`)."""
    kind: str
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: int | None
    """In any whole unit."""
    estimated: bool = False
    """Nobody reported the counts: the text was counted."""

    @property
    def aggregate(self) -> bool:
        return self.kind in AGGREGATES or self.model is None


class Used(NamedTuple):
    """A sum. None: nobody said."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: int | None = None

    def plus(self, other: Used | Reported) -> Used:
        return Used(
            _added(self.input_tokens, other.input_tokens),
            _added(self.output_tokens, other.output_tokens),
            _added(self.cost, other.cost),
        )

    def covers(self, other: Used | Reported) -> bool:
        """Whether it holds at least the tokens of the other."""
        return (self.input_tokens or 0) >= (other.input_tokens or 0) and (self.output_tokens or 0) >= (
            other.output_tokens or 0
        )


def nearest(
    reporting: Iterable[bytes] | Mapping[bytes, object], parents: Mapping[bytes, bytes | None]
) -> dict[bytes, bytes | None]:
    """For every span that reports the nearest one above it that does, too; None where there is none, or only itself,
    parents going in a ring.
    """
    ids = frozenset(reporting)
    known: dict[bytes, bytes | None] = {}
    found: dict[bytes, bytes | None] = {}
    for span_id in ids:
        path = []
        above = parents.get(span_id)
        while above is not None and above not in ids and above not in known:
            known[above] = None  # a ring that comes back here ends
            path.append(above)
            above = parents.get(above)
        if above is not None and above not in ids:
            above = known[above]
        known.update(dict.fromkeys(path, above))
        found[span_id] = None if above == span_id else above
    return found


def total(reports: Iterable[Reported]) -> Used:
    """What was used in all."""
    return summed(calls(reports))


def calls(reports: Iterable[Reported]) -> list[Reported]:
    """The reports that count, those in excess of what they contain cut to the excess."""
    spans = {report.span_id: report for report in reports}
    below: dict[bytes, list[Reported]] = {}
    tops = []
    for report in spans.values():
        if report.above is not None and report.above in spans:
            below.setdefault(report.above, []).append(report)
        else:
            tops.append(report)
    order = list(tops)
    for report in order:  # grows as it goes: every parent before its children
        order += below.get(report.span_id, ())
    counted: dict[bytes, list[Reported]] = {}
    for report in reversed(order):
        inner = [call for child in below.get(report.span_id, ()) for call in counted.pop(child.span_id)]
        counted[report.span_id] = _counted(report, inner) if inner else [report]
    seen = {report.span_id for report in order}
    ring = [report for report in spans.values() if report.span_id not in seen]
    return [call for found in counted.values() for call in found] + ring


def summed(reports: Iterable[Used | Reported]) -> Used:
    """Added up as they are."""
    found = Used()
    for report in reports:
        found = found.plus(report)
    return found


def _counted(own: Reported, inner: list[Reported]) -> list[Reported]:
    """The calls that count of a span and of those below it."""
    if own.estimated:
        return inner
    if own.aggregate:
        found = summed(inner)
        if own[4:6] != (None, None) and found.covers(own):  # only what nobody below says
            left = (mine if theirs is None else None for mine, theirs in zip(own[4:7], found, strict=True))
        else:
            left = (_excess(mine, theirs) for mine, theirs in zip(own[4:7], found, strict=True))
        inputs, outputs, cost = left
        rest = own._replace(input_tokens=inputs, output_tokens=outputs, cost=cost)
        return [*inner, rest] if Used(*rest[4:7]) != Used() else inner
    same: list[Reported] = []
    others: list[Reported] = []
    for call in inner:
        (same if call.model is not None and same_model(call.model, own.model or "") else others).append(call)
    if same and Used(*own[4:7]).covers(summed(call for call in same if not call.estimated)):
        return [_completed(own, same), *others]
    counts = own[4:6]
    if summed(inner)[:2] == counts:
        return [_completed(own, inner)]
    twin = min((call for call in inner if call[4:6] == counts), key=lambda call: call.span_id, default=None)
    if twin is not None:
        return [_completed(own, [twin]), *(call for call in inner if call is not twin)]
    return [own, *inner]


def _completed(own: Reported, again: list[Reported]) -> Reported:
    """The outer layer's report, with what only the inner one says: its cost, where it names the model better."""
    found = summed(again)
    if found[:2] == own[4:6] and found.cost is not None:
        return own._replace(cost=found.cost)
    return own._replace(
        input_tokens=found.input_tokens if own.input_tokens is None else own.input_tokens,
        output_tokens=found.output_tokens if own.output_tokens is None else own.output_tokens,
        cost=found.cost if own.cost is None else own.cost,
    )


def same_model(one: str, other: str) -> bool:
    """Whether two names are of one model: `openai/gpt-4o` and `gpt-4o-2024-08-06` are."""
    first, second = one.lower().rpartition("/")[2], other.lower().rpartition("/")[2]
    shorter, longer = sorted((first, second), key=len)
    if not longer.startswith(shorter):
        return False
    rest = longer[len(shorter) :].lstrip("-@:")
    return not rest or rest.replace("-", "").isdigit()


def _added(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return one + other


def _excess(own: int | None, found: int | None) -> int | None:
    if own is None:
        return None
    return max(0, own - (found or 0))
