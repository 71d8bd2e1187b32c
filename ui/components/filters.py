"""Drop-downs that filter a list (`filters.js`), light enough for the first screen. What is chosen lives in the URL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from weft.ui.components.bundle import load
from weft.ui.values import encodable

_render = load("filters")


@dataclass(frozen=True, slots=True)
class Choice:
    """One drop-down: `key` is its name in the URL."""

    key: str
    label: str
    options: Sequence[str]
    multi: bool = True
    statuses: bool = False
    """The options are statuses, shown with their icons."""

    @property
    def chosen(self) -> list[str]:
        """What the URL says."""
        found = st.query_params.get_all(self.key)
        return found if self.multi else [value for value in found[:1] if value in self.options]


def filters(choices: Sequence[Choice], *, key: str) -> None:
    """Draw them; a change goes into the URL, back to the first page."""
    groups = [
        {
            "key": choice.key,
            "label": choice.label,
            "multi": choice.multi,
            "chosen": choice.chosen,
            "options": [
                {"value": option, "text": encodable(option), "status": option if choice.statuses else None}
                for option in dict.fromkeys([*choice.options, *choice.chosen])
            ],
        }
        for choice in choices
    ]
    result = _render(key=key, data={"groups": groups}, on_choose_change=_nothing, width="content")
    if result.choose:
        _put(result.choose)
        st.rerun()


def _put(asked: Any) -> None:
    name, values = str(asked["key"]), [str(value) for value in asked["values"]]
    if values:
        st.query_params[name] = values
    else:
        st.query_params.pop(name, None)
    if "page" in st.session_state:
        st.session_state["page"] = 1


def _nothing() -> None:
    """Streamlit reports only events that have a callback."""
