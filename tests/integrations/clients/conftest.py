"""Clients of which some cannot be left as they were."""

from __future__ import annotations

import pytest

import weft
from weft.testing import CapturedSpans


@pytest.fixture
def traced(spans: CapturedSpans) -> CapturedSpans:
    """Instrumented once and for all: what OpenLLMetry's instrumentors take away again they leave half in place."""
    weft.instrument()
    return spans
