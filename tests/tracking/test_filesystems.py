"""Where SQLite's write-ahead log is not safe, it is not used; everywhere else it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from weft.tracking import filesystems
from weft.tracking.store.store import Store


def _mode(path: Path) -> str:
    with Store.open(f"sqlite:///{path}"):
        pass
    raw = sqlite3.connect(path)
    try:
        return str(raw.execute("pragma journal_mode").fetchone()[0])
    finally:
        raw.close()


def test_the_kind_of_a_file_system_is_told(tmp_path: Path) -> None:
    kind = filesystems.kind_of(tmp_path)

    assert kind
    assert kind not in filesystems.NETWORK


def test_a_store_is_in_wal_mode_but_for_network_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _mode(tmp_path / "local.db") == "wal"
    monkeypatch.setattr(filesystems, "kind_of", lambda path: "nfs4")
    assert _mode(tmp_path / "remote.db") == "delete"
