"""What a visitor says of a call: written as any program would, into the journal; it shows once it is ingested."""

from __future__ import annotations

import getpass
import hashlib

from weft.tracking import runtime
from weft.tracking.errors import Error
from weft.tracking.store.readmodels import SpanRecord, TraceRecord

REACTIONS = ("👍", "👎")
LONGEST_NOTE = 20_000
LONGEST_AUTHOR = 200
"""Characters."""


class FeedbackError(Error):
    """What was said could not be kept; the message says why."""


def author() -> str:
    """The name of whoever runs the app; empty where the system does not tell."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        return ""


def say(on: TraceRecord | SpanRecord, kind: str, text: str, by: str) -> None:
    """Keep a reaction or a note. A second reaction of the same author replaces the first.

    Args:
        kind: reaction or note.
        text: the emoji, or the note.
        by: the author; may be empty.

    Raises:
        FeedbackError: nothing is recorded here, the journal could not be written, or there is nothing to say.
        UsageError: it cannot be meant.
    """
    # It brings OpenTelemetry and the encoder: a tenth of a second that only who says something should pay.
    from weft.tracer.feedback import score

    rt = runtime.active()
    text, by = text.strip()[:LONGEST_NOTE], by.strip()[:LONGEST_AUTHOR]
    if not rt.recording:
        raise FeedbackError("Not kept: recording is switched off where this app runs (WEFT_MODE).")
    if kind not in ("reaction", "note") or not text or (kind == "reaction" and text not in REACTIONS):
        raise FeedbackError("Not kept: there is nothing in it.")
    lost = rt.journal.dropped
    if kind == "reaction":
        score("reaction", label=text, on=on, kind="reaction", author=by or None, id=_reaction_id(on, by))
    else:
        score("note", on=on, kind="note", reason=text, author=by or None)
    if rt.journal.dropped > lost:
        raise FeedbackError(f"Not kept: {rt.home.path} cannot be written (space, permissions); weft doctor says more.")


def _reaction_id(on: TraceRecord | SpanRecord, by: str) -> str:
    """One reaction a person and call: the same words make the same id."""
    place = f"{on.trace_id}/{on.span_id}" if isinstance(on, SpanRecord) else on.trace_id
    return hashlib.sha256(f"weft ui reaction\n{place}\n{by}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
