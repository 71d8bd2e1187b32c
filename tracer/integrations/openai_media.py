"""Pictures and sound in calls of the openai client: what is recorded of uploads and of what comes back. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weft.tracking.payloads.content import Content

_UPLOADS = ("file", "image", "mask")


def upload_inputs(inputs: dict[str, Any]) -> dict[str, Any]:
    """Arguments with files described: bytes are kept as content; a file that the client is to read is only named,
    since reading it here would move it, or cost what the user did not ask for.
    """
    for name in _UPLOADS:
        if name in inputs:
            value = inputs[name]
            inputs[name] = [_upload(item) for item in value] if isinstance(value, list) else _upload(value)
    return inputs


def _upload(value: Any) -> Any:
    if isinstance(value, bytes):
        return Content.from_bytes(value)
    if isinstance(value, os.PathLike):
        return {"file": Path(value).name}
    if isinstance(value, tuple) and len(value) >= 2:  # the client's own form: name, content, type, headers
        filename, content = value[0], value[1]
        kind = value[2] if len(value) > 2 and isinstance(value[2], str) else None
        if isinstance(content, bytes):
            return Content.from_bytes(content, kind, filename=filename if isinstance(filename, str) else None)
        return {"file": filename}
    name = getattr(value, "name", None)
    if hasattr(value, "read"):
        return {"file": Path(name).name if isinstance(name, str) else type(value).__name__}
    return value


def audio_of(data: bytes, kind: str) -> Any:
    """Speech that came back."""
    return {"audio": Content.from_bytes(data, kind or None)}


class ImageAssembly:
    """Of a streamed picture: pictures in the making, and then the whole."""

    def __init__(self) -> None:
        self.content_seen = self.complete = False
        self._last: dict[str, Any] | None = None

    def add(self, chunk: Mapping[str, Any]) -> None:
        self.content_seen = True
        self.complete = str(chunk.get("type")).endswith(".completed")
        self._last = dict(chunk)

    def result(self) -> dict[str, Any] | None:
        """As a call that is not streamed answers; of one that was left the last picture."""
        if self._last is None:
            return None
        names = ("b64_json", "revised_prompt")
        rest = {name: value for name, value in self._last.items() if name not in ("type", *names)}
        return rest | {"data": [{name: self._last[name] for name in names if name in self._last}]}


class TranscriptAssembly:
    """Of a streamed transcription: pieces of text, and then the whole."""

    def __init__(self) -> None:
        self.content_seen = self.complete = False
        self._text: list[str] = []
        self._whole: dict[str, Any] | None = None

    def add(self, chunk: Mapping[str, Any]) -> None:
        self.content_seen = True
        if chunk.get("type") == "transcript.text.done":
            self.complete = True
            self._whole = {name: value for name, value in chunk.items() if name != "type"}
        elif isinstance(chunk.get("delta"), str):
            self._text.append(chunk["delta"])

    def result(self) -> dict[str, Any] | None:
        if self._whole is not None:
            return self._whole
        return {"text": "".join(self._text)} if self._text else None
