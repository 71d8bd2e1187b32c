"""Fixtures for everybody. Every test records into a home of its own, and recording errors raise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from weft.tracking import runtime
from weft.tracking.settings import Settings

# Times are never asserted: other processes may have the processor. In CI its parent takes the same examples each time.
settings.register_profile("weft", parent=settings.default, deadline=None)
settings.load_profile("weft")


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test touches the user's own home, and none inherits the runtime of the one before."""
    for name in ("WEFT_PROJECT", "WEFT_MODE", "WEFT_STORE", "WEFT_REDACT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WEFT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WEFT_STRICT", "1")
    monkeypatch.setenv("WEFT_AUTO_INGEST", "0")
    for name in ("WEFT_SYSTEM_INTERVAL", "WEFT_GIT", "WEFT_PACKAGES", "WEFT_MACHINE"):
        monkeypatch.setenv(name, "0")  # what is recorded by itself is tested in its own place
    monkeypatch.setenv("WEFT_CONSOLE", "off")
    runtime.reset()
    yield
    runtime.reset()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A fresh home that this process records to, strict."""
    path = tmp_path / "home"
    runtime.configure(Settings.resolve(home=path, strict=True))
    return path
