"""The palette's promises, in both themes."""

from __future__ import annotations

import pytest

from weft.ui import theme
from weft.ui.theme import DARK, KIND_SERIES, LIGHT, STATUS_SERIES, Palette


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_hue_is_readable_as_text_on_every_surface(palette: Palette) -> None:
    """Text contrast is at least 4.5 (and so marks' is above 3.0) on the page, on raised parts and on washes."""
    weak = {
        (hue, surface): round(theme.contrast(colour, under), 2)
        for hue, colour in theme.hues(palette).items()
        for surface, under in theme.surfaces(palette).items()
        if theme.contrast(colour, under) < 4.5
    }
    assert not weak


def test_contrast_is_wcags() -> None:
    """Black on white is 21, a colour on itself 1, and the order does not matter."""
    assert theme.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert theme.contrast("#777777", "#777777") == 1
    assert theme.contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)


def test_every_kind_and_status_has_a_hue_of_the_palette() -> None:
    """Kinds and statuses name colours that exist, and the kinds of an LLM app are told apart."""
    for name in [*KIND_SERIES.values(), *STATUS_SERIES.values()]:
        assert name in theme.hues(LIGHT)
    assert (
        len(
            {
                KIND_SERIES[kind]
                for kind in ("agent", "llm", "tool", "retriever", "embedding", "guardrail", "scorer", "op")
            }
        )
        == 8
    )


def test_streamlit_knows_every_option() -> None:
    """Each theme option is one that this Streamlit has."""
    from streamlit import config

    assert not [name for name in theme.options() if name not in config._config_options_template]
