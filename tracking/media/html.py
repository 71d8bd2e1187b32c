"""`weft.Html`: a page, shown in a frame in which nothing runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from weft.tracking.errors import UsageError
from weft.tracking.media.base import FileMedia, file_content

_BASE = '<base target="_blank">'


class Html(FileMedia):
    """A page. The app shows it in a frame of its own, without scripts, forms or anything from elsewhere.

    Args:
        data: the text of the page; the path of a file that ends in .html; or an open file.
        inject: links open in a tab of their own (a `<base>` is added at its head).
        data_is_not_path: a text that ends in .html is the page itself.
        caption: shown below it.

    Raises:
        UsageError: there is no such file, or it is no UTF-8.
        TypeError: it is no text.
    """

    kind: ClassVar[str] = "html-file"
    batch: ClassVar[str] = "html"
    folder: ClassVar[str] = "html"

    def __init__(
        self, data: Any, inject: bool = True, data_is_not_path: bool = False, *, caption: str | None = None
    ) -> None:
        super().__init__(caption)
        text = _text(data, data_is_not_path)
        if inject:
            text = _injected(text)
        self._content = file_content(text.encode("utf-8", "replace"), "html", "text/html")

    @property
    def html(self) -> str:
        """The page.

        Raises:
            ContentError: it cannot be had.
        """
        return self.bytes().decode()


def _text(data: Any, literal: bool) -> str:
    if isinstance(data, os.PathLike) or (isinstance(data, str) and not literal and _is_path(data)):
        try:
            return Path(data).read_text("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"Html() was given the path {str(data)!r:.200}, and there is no such file") from None
        except UnicodeDecodeError as error:
            raise UsageError(f"Html(): {str(data)!r:.200} is no UTF-8: {error}") from None
    if callable(getattr(data, "read", None)):
        if callable(getattr(data, "seek", None)) and (not hasattr(data, "seekable") or data.seekable()):
            data.seek(0)
        data = data.read()
    if isinstance(data, (bytes, bytearray)):
        try:
            return bytes(data).decode()
        except UnicodeDecodeError as error:
            raise UsageError(f"Html() was given bytes that are no UTF-8: {error}") from None
    if not isinstance(data, str):
        raise TypeError(f"Html() takes a text, a path or an open file, got {type(data).__name__}")
    return data


def _is_path(text: str) -> bool:
    return len(text) < 4096 and "\n" not in text and "<" not in text and text.lower().endswith((".html", ".htm"))


def _injected(text: str) -> str:
    """With the base at the head, else at the beginning; a page that names one of its own keeps it."""
    low = text.lower()
    if "<base" in low:
        return text
    at = low.find("<head>")
    return f"{text[: at + 6]}{_BASE}{text[at + 6 :]}" if at >= 0 else _BASE + text
