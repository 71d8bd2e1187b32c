"""What somebody says of a call, during it or later: scores, notes, reactions, labels. Kept as facts, never overwritten.

`weft.score` is the one way in; evaluations write their scores themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from weft.tracer.capture import capture
from weft.tracer.context import SAMPLED_OUT_KEY, current_span, get_current
from weft.tracer.livespan import Span
from weft.tracking import names, runtime
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import SCHEMA, ScoreLogged
from weft.tracking.payloads.redaction import redact_text
from weft.tracking.runs.run import Run
from weft.tracking.runtime import Runtime
from weft.tracking.targets import Target, target_of

NOT_RECORDED = "Sampling left its trace out, or it ran where nothing was recorded; there is nothing to judge."
KINDS = ("score", "reaction", "note", "value", "label")


def score(
    name: str,
    value: float | str | None = None,
    *,
    on: object = None,
    label: str | None = None,
    reason: str | None = None,
    kind: str = "score",
    author: str | None = None,
    source: Mapping[str, Any] | None = None,
    id: str | None = None,  # noqa: A002 - what the records call it
) -> str:
    """Say something of a call, a trace or a run. It is in a file when this returns.

    Args:
        name: what is judged: "helpful", "toxicity". Notes and reactions are told apart by `kind`.
        value: a number (True is 1); a text is taken as the label.
        on: a live span, what `weft.Api()` answered (a trace, a span, a run), a run, or the text of a trace's id or of
            `trace_id/span_id`; default the call that is running.
        label: a word for it: "good", or the emoji of a reaction.
        reason: why, in words; a note's text.
        kind: score, or what a person said: reaction, note, value, label.
        author: who says so.
        source: what made it, such as {"scorer": "judge", "version": "3"}.
        id: of an earlier one that this one replaces; both stay in the journal, the later counts.

    Returns:
        Its id.

    Raises:
        UsageError: nothing to judge, nothing said, or a wrong type.

    Example:
        >>> weft.score("helpful", 0.9, on=weft.Api().trace(trace_id), reason="answered at once", author="ana")
    """
    rt = runtime.active()
    target = _target(on)
    value, label = _split(value, label)
    _check(name, value, label, reason, kind)
    if source is not None and not isinstance(source, Mapping):
        raise UsageError(f'source= of a score is a dict such as {{"scorer": "judge"}}, not {source!r:.80}')
    uid = rt.ids.uid() if id is None else _uid(id)
    if rt.recording and target is not None:
        record = ScoreLogged(
            SCHEMA,
            uid,
            target.kind,
            rt.ids.wall_ns(),
            name,
            target.project or (rt.run.project if rt.run is not None else rt.settings.project),
            value,
            _clean(rt, label),
            _clean(rt, reason),
            target.trace_id,
            target.span_id,
            target.run_uid,
            None,
            None if source is None else capture(rt, dict(source)),
            kind=kind,
            author=_clean(rt, author),
        )
        rt.journal.append(record)
    return uid.hex()


def _target(on: object) -> Target | None:
    """What is judged; None: a call that is not recorded (sampling, mode disabled), so nothing is said of it."""
    if on is None:
        span = current_span()
        if span is None:
            if not runtime.active().recording or SAMPLED_OUT_KEY in get_current():
                return None
            raise UsageError("weft.score() was called outside of any call: say what it is of, with on=")
        on = span
    if isinstance(on, Span):
        if on._runtime is None:
            rt = runtime.active()
            if rt.recording:
                rt.faults.note("keep the score of a call that is not recorded", hint=NOT_RECORDED)
            return None
        return Target("span", on.project, bytes.fromhex(on.trace_id), bytes.fromhex(on.span_id))
    if isinstance(on, Run):
        return Target("run", on.project, run_uid=on.uid)
    return target_of(on)


def _split(value: Any, label: str | None) -> tuple[float | None, str | None]:
    if isinstance(value, str):
        if label is not None:
            raise UsageError(
                f"weft.score() got the text {value!r:.80} and label={label!r:.80}; one of them is the label"
            )
        return None, value
    if value is None:
        return None, label
    try:
        return float(value), label  # numpy's numbers, too
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"a score's value is a number or a text, not {value!r:.80}") from None


def _check(name: object, value: float | None, label: object, reason: object, kind: object) -> None:
    if not isinstance(name, str) or not name:
        raise UsageError(f"a score's name is a text of at least one character, not {name!r:.80}")
    if kind not in KINDS:
        raise UsageError(f"kind of a score is {kind!r:.80}; it must be one of {', '.join(KINDS)}")
    for what, text in (("label", label), ("reason", reason)):
        if text is not None and not isinstance(text, str):
            raise UsageError(f"a score's {what} is a text, not {text!r:.80}")
    if value is None and not label and not reason:
        raise UsageError(f"the score {name!r} says nothing: give it a value, a label or a reason")
    if value is not None and not math.isfinite(value) and not label and not reason:
        raise UsageError(f"the score {name!r} is {value}, which is no judgement; leave the value out and give a reason")


def _uid(text: object) -> bytes:
    try:
        found = bytes.fromhex(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = b""
    if len(found) != 16:
        raise UsageError(f"a score's id is 32 hex digits, as weft.score() returns; not {text!r:.80}")
    return found


def _clean(rt: Runtime, text: str | None) -> str | None:
    if text is None:
        return None
    told = names.check_text("a score's text", text)
    return redact_text(told, rt.settings.redact)
