"""OpenAI's other answers as data: pictures, speech, transcripts, moderation and text completions. Pure."""

from __future__ import annotations

import base64
import itertools
import re
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from weft.testing.wire import ChatReply, count, pieces, usage_of

_ids = itertools.count(1)
_FIELD = re.compile(rb'name="(\w+)"(?:; filename="[^"]*")?\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', re.DOTALL)


def form_of(raw: bytes) -> dict[str, Any]:
    """The fields of a multipart form, files by their sizes."""
    found: dict[str, Any] = {}
    for name, value in _FIELD.findall(raw):
        try:
            found[name.decode()] = value.decode()
        except UnicodeDecodeError:
            found[name.decode()] = len(value)
    if found.get("stream") == "true":
        found["stream"] = True
    return found


def picture() -> bytes:
    """A PNG of one pixel with a comment that makes it as large as media are."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    parts = (
        (b"IHDR", head),
        (b"tEXt", b"Comment\0" + b"weft " * 400),
        (b"IDAT", zlib.compress(bytes(4))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def image(body: Mapping[str, Any]) -> dict[str, Any]:
    """An `/v1/images/generations` or `/edits` answer."""
    asked = count(str(body.get("prompt") or ""))
    return {
        "created": int(time.time()),
        "data": [{"b64_json": base64.b64encode(picture()).decode()}] * int(body.get("n") or 1),
        "output_format": "png",
        "usage": {
            "input_tokens": asked,
            "input_tokens_details": {"text_tokens": asked, "image_tokens": 0},
            "output_tokens": 272,
            "output_tokens_details": {"text_tokens": 0, "image_tokens": 272},
            "total_tokens": asked + 272,
        },
    }


def image_events(whole: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The stream of a picture: one in the making, and the whole."""
    about = {"created_at": whole["created"], "output_format": "png", "size": "1024x1024", "quality": "low"}
    about |= {"background": "opaque", "b64_json": whole["data"][0]["b64_json"]}
    yield {"type": "image_generation.partial_image", "partial_image_index": 0, **about}
    yield {"type": "image_generation.completed", "usage": whole["usage"], **about}


def speech() -> bytes:
    """A WAV of a tenth of a second of silence."""
    samples = bytes(1600)
    header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    return header + struct.pack("<4sI", b"data", len(samples)) + samples


def transcript(body: Mapping[str, Any]) -> dict[str, Any]:
    """An `/v1/audio/transcriptions` answer."""
    details = {"audio_tokens": 14, "text_tokens": 0}
    usage = {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": details,
        "output_tokens": 3,
        "total_tokens": 17,
    }
    return {"text": f"heard by {body['model']}", "usage": usage}


def transcript_events(whole: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The stream of a transcription."""
    yield from ({"type": "transcript.text.delta", "delta": piece} for piece in pieces(whole["text"]))
    yield {"type": "transcript.text.done", **whole}


def moderation(body: Mapping[str, Any]) -> dict[str, Any]:
    """A `/v1/moderations` answer: flagged is what says "bad"."""
    given = body["input"]
    texts = [given] if isinstance(given, str) else given
    results = [
        {"flagged": "bad" in str(text), "categories": {"violence": "bad" in str(text)}, "category_scores": {}}
        for text in texts
    ]
    return {"id": f"modr-{next(_ids):08d}", "model": body["model"], "results": results}


def text_completion(reply: ChatReply) -> dict[str, Any]:
    """A `text_completion` object."""
    choice = {"index": 0, "text": reply.content or "", "finish_reason": reply.finish_reason, "logprobs": None}
    return _head(reply) | {"choices": [choice], "usage": usage_of(reply)}


def text_chunks(reply: ChatReply, *, include_usage: bool) -> Iterator[dict[str, Any]]:
    """Its stream."""
    head = _head(reply)
    texts = pieces(reply.content or "")
    for number, text in enumerate(texts, 1):
        end = reply.finish_reason if number == len(texts) else None
        yield head | {"choices": [{"index": 0, "text": text, "finish_reason": end, "logprobs": None}]}
    if include_usage:
        yield head | {"choices": [], "usage": usage_of(reply)}


def _head(reply: ChatReply) -> dict[str, Any]:
    return {
        "id": f"cmpl-{next(_ids):08d}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": reply.model,
    }
