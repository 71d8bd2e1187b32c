"""The tests beside this one (also.txt) leave out what is not installed: here all of it is."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


@pytest.mark.parametrize("name", ["imageio_ffmpeg", "matplotlib", "pandas", "plotly", "rdkit", "sklearn"])
def test_every_library_that_the_tests_of_media_ask_for_is_here(name: str) -> None:
    assert find_spec(name) is not None
