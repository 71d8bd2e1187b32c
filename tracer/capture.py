"""Values and exceptions to the bytes of a record: encoded, redacted, and what is too large moved to a blob."""

from __future__ import annotations

import traceback
from asyncio import CancelledError
from types import TracebackType

from weft.tracking.blobs import Blobs
from weft.tracking.faults import let_through
from weft.tracking.payloads.objects import type_name
from weft.tracking.payloads.payload import payload
from weft.tracking.runtime import Runtime, active

OWN_CODE = "<weft op "
"""How the file name of a generated wrapper begins: such frames are left out of stack traces."""
OUTERMOST_FRAMES = 10
INNERMOST_FRAMES = 30
"""What a stack trace of more frames keeps: how it was come to and where it is. Every op that an exception passes
renders it, so this bounds what deep nesting costs."""
CAUSE_FRAMES = 100
"""The innermost frames kept of an exception's cause or context."""


def store_blob(data: bytes) -> str:
    """Keep bytes in the blobs of the active home."""
    return Blobs(active().home).put(data)


def capture(rt: Runtime, value: object) -> bytes:
    """What a record holds of a value: JSON, secrets out, at most 1 MiB."""
    return payload(value, rt.settings.redact, rt.faults, store_blob)


def capture_error(rt: Runtime, error: BaseException) -> bytes:
    """JSON {type, message, stacktrace} of an exception, redacted."""
    body = {"type": type_name(type(error)), "message": message_of(error), "stacktrace": stacktrace(error)}
    return capture(rt, body)


def message_of(error: BaseException) -> str:
    """What an exception says; somebody else's may fail even at that."""
    try:
        return str(error)
    except Exception as inner:
        let_through(inner)
        return f"<its message raised {type(inner).__name__}>"


def stacktrace(error: BaseException) -> str:
    """As Python prints it, without the frames of our own wrappers; of a deep one the ends, and how much is missing."""
    try:
        trace, left_out = _ends(error.__traceback__)
        printed = traceback.TracebackException(type(error), error, trace, lookup_lines=False, limit=-CAUSE_FRAMES)
        _leave_out_own(printed)
        ends = f"the outermost {OUTERMOST_FRAMES} and the innermost {INNERMOST_FRAMES}"
        said = f"[{left_out} frames between {ends} are left out]\n" if left_out else ""
        return said + "".join(printed.format())
    except Exception as inner:
        let_through(inner)
        return f"<no stack trace: {type(inner).__name__}>"


def _leave_out_own(printed: traceback.TracebackException) -> None:
    pending: list[traceback.TracebackException | None] = [printed]
    while pending:
        one = pending.pop()
        if one is not None:
            one.stack[:] = [frame for frame in one.stack if not frame.filename.startswith(OWN_CODE)]
            pending += [one.__cause__, one.__context__, *(one.exceptions or ())]


def _ends(trace: TracebackType | None) -> tuple[TracebackType | None, int]:
    """The traceback without our own wrappers' frames, or of a deep one both its ends; how many frames lay between."""
    whole: list[TracebackType] = []
    here = trace
    while here is not None:
        if not here.tb_frame.f_code.co_filename.startswith(OWN_CODE):
            whole.append(here)
        here = here.tb_next
    left_out = len(whole) - OUTERMOST_FRAMES - INNERMOST_FRAMES
    if left_out > 0:
        del whole[OUTERMOST_FRAMES:-INNERMOST_FRAMES]
    chain: TracebackType | None = None
    for item in reversed(whole):  # a new chain: the exception's own is the caller's
        chain = TracebackType(chain, item.tb_frame, item.tb_lasti, item.tb_lineno)
    return chain, max(0, left_out)


def status_of(error: BaseException | None) -> str:
    """ok, error or cancelled."""
    if error is None or isinstance(error, GeneratorExit):
        return "ok"
    if isinstance(error, CancelledError):
        return "cancelled"
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "ok"
    return "error"
