"""Records of spans that others made: what they call things may hold a secret, a key in a URL that is a span's name.

Weft's own spans are cleaned where they are made; payloads everywhere where they are encoded.
"""

from __future__ import annotations

from typing import Final

import msgspec

from weft.tracking.journal.records import Record, ScoreLogged, SpanClosed, SpanOpened, SpanUpdated
from weft.tracking.payloads.redaction import Redaction, clean_name

_TEXTS: Final[dict[type, tuple[str, ...]]] = {
    SpanOpened: ("name", "kind", "thread_id", "turn_id", "user_id"),
    SpanUpdated: ("name", "thread_id", "turn_id", "user_id"),
    SpanClosed: ("name", "kind", "model", "provider"),
    ScoreLogged: ("name", "label", "reason", "error", "author"),
}


def clean(record: Record, rules: bool | Redaction) -> Record:
    """It, without secrets in its names and texts.

    Args:
        rules: as in `Settings.redact`.
    """
    changed = {
        name: told
        for name in _TEXTS.get(type(record), ())
        if isinstance(text := getattr(record, name), str) and (told := clean_name(text, rules)) != text
    }
    return msgspec.structs.replace(record, **changed) if changed else record
