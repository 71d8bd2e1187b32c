"""Drafts become blobs, all of them or as many as the disk takes; what is left can be tried again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.recording import log_version
from weft.tracking.blobs import Blobs
from weft.tracking.settings import Settings


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("files", [2, 40])
def test_where_one_could_not_be_kept_all_are_at_the_next_try(tmp_path: Path, files: int) -> None:
    """Some are blobs by then: few are synced one by one, many at once."""
    home = tmp_path / "home"
    rt = runtime.configure(Settings.resolve(home=home, strict=False))
    artifact = Artifact("a", type="x")
    contents = [f"{at}".encode() for at in range(files)]
    for at, content in enumerate(contents):
        artifact.add_bytes(content, f"file {at}")
    in_the_way = home / "blobs" / _digest(contents[-1])[:2]
    in_the_way.write_text("no folder")
    assert not log_version(rt, artifact, project="p", aliases=[])
    assert 0 < len(list((home / "blobs").glob("*.new"))) < files
    in_the_way.unlink()
    assert log_version(rt, artifact, project="p", aliases=[])
    assert all(Blobs(rt.home).read(_digest(content)) == content for content in contents)
    assert not list((home / "blobs").glob("*.new"))
