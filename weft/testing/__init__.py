"""For tests of programs that weft traces, and weft's own: a provider on loopback, captured spans, fixed ids."""

from __future__ import annotations

from weft.testing.provider import LoopbackProvider, Received, Responder, echo, scripted
from weft.testing.spans import CapturedSpans, FixedIds, captured_spans
from weft.testing.wire import ChatReply, ChatRequest, ToolCall

__all__ = [
    "CapturedSpans",
    "ChatReply",
    "ChatRequest",
    "FixedIds",
    "LoopbackProvider",
    "Received",
    "Responder",
    "ToolCall",
    "captured_spans",
    "echo",
    "scripted",
]
