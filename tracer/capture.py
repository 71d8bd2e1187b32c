"""Values and exceptions to the bytes of a record: encoded, redacted, and what is too large moved to a blob."""

from __future__ import annotations

import traceback
from asyncio import CancelledError
from types import TracebackType

from weft.tracking.blobs import Blobs
from weft.tracking.payloads.objects import type_name
from weft.tracking.payloads.payload import payload
from weft.tracking.runtime import Runtime, active

OWN_CODE = "<weft op "
"""How the file name of a generated wrapper begins: such frames are left out of stack traces."""
STACK_FRAMES = 100
"""The innermost frames that a stack trace keeps."""


def store_blob(data: bytes) -> str:
    """Keep bytes in the blobs of the active home."""
    return Blobs(active().home).put(data)


def capture(rt: Runtime, value: object) -> bytes:
    """What a record holds of a value: JSON, secrets out, at most 1 MiB."""
    return payload(value, redacted=rt.settings.redact, faults=rt.faults, store_blob=store_blob)


def capture_error(rt: Runtime, error: BaseException) -> bytes:
    """JSON {type, message, stacktrace} of an exception, redacted."""
    body = {"type": type_name(type(error)), "message": message_of(error), "stacktrace": stacktrace(error)}
    return capture(rt, body)


def message_of(error: BaseException) -> str:
    """What an exception says; somebody else's may fail even at that."""
    try:
        return str(error)
    except Exception as inner:
        return f"<its message raised {type(inner).__name__}>"


def stacktrace(error: BaseException) -> str:
    """As Python prints it, without the frames of our own wrappers; of a very deep one the innermost frames."""
    try:
        trace = _innermost(error.__traceback__)
        printed = traceback.TracebackException(type(error), error, trace, lookup_lines=False, limit=-STACK_FRAMES)
        _leave_out_own(printed)
        left_out = sum(1 for _ in traceback.walk_tb(trace)) - STACK_FRAMES
        said = f"[the outermost {left_out} frames are left out]\n" if left_out > 0 else ""
        return said + "".join(printed.format())
    except Exception as inner:
        return f"<no stack trace: {type(inner).__name__}>"


def _leave_out_own(printed: traceback.TracebackException) -> None:
    pending: list[traceback.TracebackException | None] = [printed]
    while pending:
        one = pending.pop()
        if one is not None:
            one.stack[:] = [frame for frame in one.stack if not frame.filename.startswith(OWN_CODE)]
            pending += [one.__cause__, one.__context__, *(one.exceptions or ())]


def _innermost(trace: TracebackType | None) -> TracebackType | None:
    """Past the wrapper's own frame, where the traceback begins at a wrapper."""
    return trace.tb_next if trace is not None and trace.tb_next is not None else trace


def status_of(error: BaseException | None) -> str:
    """ok, error or cancelled."""
    if error is None or isinstance(error, GeneratorExit):
        return "ok"
    if isinstance(error, CancelledError):
        return "cancelled"
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "ok"
    return "error"
