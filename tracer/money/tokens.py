"""Counts tokens where a provider reported none: by tiktoken's vocabulary if it is on this machine, else by estimate.

Never on the hot path, and never fetches anything: tiktoken would, and would wait for a network that may not be there.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tiktoken import Encoding

log = logging.getLogger("weft.tokens")

BYTES_PER_TOKEN = 4
"""English text and code average 3.5-4.5 bytes a token in the o200k vocabulary."""
_URL = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
_VOCABULARIES = {
    "o200k_base": ("o200k_base", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"),
    "o200k_harmony": ("o200k_base", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"),
    "cl100k_base": ("cl100k_base", "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"),
}
"""Encoding: its vocabulary's file and sha256, as in tiktoken_ext.openai_public 0.14."""


class TokenCount(NamedTuple):
    """A count and who made it."""

    tokens: int
    source: str
    """`tiktoken <encoding>`, or `estimate`."""


def count_tokens(text: str, model: str) -> TokenCount:
    """How many tokens a text has for a model.

    Special tokens that occur in the text count as the plain text they are.
    """
    encoding = _encoding(model)
    if encoding is None:
        size = len(text.encode("utf-8", "surrogatepass"))
        return TokenCount(-(-size // BYTES_PER_TOKEN), "estimate")
    return TokenCount(len(encoding.encode_ordinary(text)), f"tiktoken {encoding.name}")


def vocabulary_file(encoding: str) -> Path:
    """Where tiktoken keeps an encoding's vocabulary: by `TIKTOKEN_CACHE_DIR`, else in the temporary folder."""
    file, _ = _VOCABULARIES.get(encoding, (encoding, ""))
    given = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    folder = Path(tempfile.gettempdir()) / "data-gym-cache" if given is None else Path(given)
    return folder / hashlib.sha1(_URL.format(file).encode(), usedforsecurity=False).hexdigest()


def _encoding(model: str) -> Encoding | None:
    from tiktoken.model import encoding_name_for_model  # late: 50 ms that only who counts pays

    try:
        name = encoding_name_for_model(model)
    except KeyError:
        return None  # not one of OpenAI's: its vocabulary is not known, the estimate is as good
    return _load(name, vocabulary_file(name))


@cache
def _load(name: str, file: Path) -> Encoding | None:
    """The encoding, or None with one log line. The file is checked before tiktoken would replace it by a download."""
    wanted = _VOCABULARIES.get(name, ("", ""))[1]
    try:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        found = ""
    if not wanted or found != wanted:
        log.warning(
            "the vocabulary of %s is not on this machine (%s): tokens that no provider reports are estimated. "
            "To count them: python -c \"import tiktoken; tiktoken.get_encoding('%s')\"",
            *(name, file, name),
        )
        return None
    from tiktoken import get_encoding

    return get_encoding(name)
