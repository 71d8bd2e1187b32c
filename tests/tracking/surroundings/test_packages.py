"""What is installed is listed without importing any of it."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

from weft.tracking.surroundings.packages import installed


def test_it_lists_what_pip_would() -> None:
    found = dict(line.split("==") for line in installed())
    expected = {re.sub(r"[-_.]+", "-", item.name).lower(): item.version for item in importlib.metadata.distributions()}
    assert found == expected


def test_the_first_on_the_path_wins_and_the_older_form_counts(tmp_path: Path) -> None:
    for place, folder in (("one", "Foo_Bar-1.0.dist-info"), ("two", "foo.bar-2.0.dist-info"), ("two", "x-1.dist-info")):
        (tmp_path / place / folder).mkdir(parents=True)
    old = tmp_path / "two" / "old.egg-info"
    old.mkdir()
    (old / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: old\nVersion: 0.1\n")
    (tmp_path / "two" / "broken.egg-info").mkdir()
    path = [str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "missing"), ""]
    assert installed(path[:3]) == ["foo-bar==1.0", "old==0.1", "x==1"]
