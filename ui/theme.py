"""Colours and type of the app, in both themes, and the Streamlit options that carry them. Pure; `serve` applies it.

The series are Okabe-Ito hues, darkened in the light theme and without its yellow, plus two that stay apart from them
for colour-blind eyes. Components read the colours as Streamlit's CSS variables: a change of theme needs no rerun.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Palette:
    """One theme's colours, as `#rrggbb`."""

    background: str
    raised: str
    """Sidebar, table heads, code."""
    border: str
    text: str
    muted: str
    """Secondary text."""
    blue: str
    orange: str
    green: str
    vermillion: str
    purple: str
    sky: str
    violet: str
    brown: str
    red_wash: str
    orange_wash: str
    green_wash: str
    blue_wash: str
    gray_wash: str

    def series(self) -> tuple[str, ...]:
        """Chart series in their order; `KIND_SERIES` indexes it."""
        return (self.blue, self.orange, self.green, self.purple, self.sky, self.violet, self.brown, self.vermillion)


LIGHT = Palette(
    background="#FFFFFF",
    raised="#F6F7F9",
    border="#E2E6EB",
    text="#1A1E24",
    muted="#5C6672",
    blue="#0067A3",
    orange="#A15C00",
    green="#00755A",
    vermillion="#B94400",
    purple="#A24A78",
    sky="#1A7098",
    violet="#6A4CC0",
    brown="#85573F",
    red_wash="#FDF0E9",
    orange_wash="#FBF3E4",
    green_wash="#E9F6F1",
    blue_wash="#E8F2F9",
    gray_wash="#EEF1F4",
)
DARK = Palette(
    background="#0F1216",
    raised="#161A20",
    border="#29303A",
    text="#E7EAEE",
    muted="#9BA5B1",
    blue="#5AA9E6",
    orange="#E6A23C",
    green="#2EBD91",
    vermillion="#FF8A5C",
    purple="#DE8FBA",
    sky="#7CC7F0",
    violet="#AC9CFB",
    brown="#CB9C80",
    red_wash="#33201A",
    orange_wash="#2E2615",
    green_wash="#12291F",
    blue_wash="#142636",
    gray_wash="#1F252D",
)

KIND_SERIES = {
    "llm": "blue",
    "tool": "orange",
    "retriever": "green",
    "scorer": "purple",
    "embedding": "sky",
    "agent": "violet",
    "guardrail": "brown",
    "chain": "muted",
    "op": "muted",
}
"""A kind's hue, everywhere; unknown kinds look like `op`."""

STATUS_SERIES = {
    "ok": "green",
    "error": "vermillion",
    "running": "blue",
    "interrupted": "orange",
    "cancelled": "muted",
}
"""A status's hue; its icon and word stand beside it."""


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two `#rrggbb` colours (WCAG 2.2, relative luminance), 1 to 21."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def options() -> dict[str, object]:
    """Streamlit's theme options, by dotted name."""
    chosen: dict[str, object] = {
        "theme.baseFontSize": 14,
        "theme.baseRadius": "5px",
        "theme.buttonRadius": "5px",
        "theme.codeFontSize": "12px",
        "theme.headingFontSizes": ["20px", "16px", "14px", "14px", "14px", "14px"],
        "theme.headingFontWeights": [600, 600, 600, 600, 600, 600],
        "theme.metricValueFontSize": "20px",
        "theme.paddingTop": "0.75rem",
        "theme.paddingBottom": "1.5rem",
        "theme.showWidgetBorder": True,
    }
    for name, palette in (("light", LIGHT), ("dark", DARK)):
        chosen |= {f"theme.{name}.{option}": value for option, value in _colours(palette).items()}
        chosen[f"theme.{name}.sidebar.backgroundColor"] = palette.raised
        chosen[f"theme.{name}.sidebar.secondaryBackgroundColor"] = palette.gray_wash
    return chosen


def _colours(palette: Palette) -> dict[str, object]:
    named: dict[str, object] = {
        "primaryColor": palette.blue,
        "backgroundColor": palette.background,
        "secondaryBackgroundColor": palette.raised,
        "textColor": palette.text,
        "borderColor": palette.border,
        "linkColor": palette.blue,
        "codeTextColor": palette.text,
        "codeBackgroundColor": palette.raised,
        "chartCategoricalColors": list(palette.series()),
    }
    hues = {
        "red": (palette.vermillion, palette.red_wash),
        "orange": (palette.orange, palette.orange_wash),
        "green": (palette.green, palette.green_wash),
        "blue": (palette.blue, palette.blue_wash),
        "violet": (palette.violet, palette.blue_wash),
        "gray": (palette.muted, palette.gray_wash),
    }
    for hue, (mark, wash) in hues.items():
        named |= {f"{hue}Color": mark, f"{hue}TextColor": mark, f"{hue}BackgroundColor": wash}
    return named


def hues(palette: Palette) -> dict[str, str]:
    """The colours that carry text or marks, by name."""
    plain = {"background", "raised", "border"}
    return {
        field.name: getattr(palette, field.name)
        for field in fields(palette)
        if field.name not in plain and not field.name.endswith("_wash")
    }


def surfaces(palette: Palette) -> dict[str, str]:
    """What text and marks stand on, by name."""
    washes = {field.name: getattr(palette, field.name) for field in fields(palette) if field.name.endswith("_wash")}
    return {"background": palette.background, "raised": palette.raised, **washes}


def variables() -> str:
    """`--weft-…` for the parts that are no component of ours: the browser picks by the theme that Streamlit set."""
    names = [field.name for field in fields(Palette)]
    told = "; ".join(
        f"--weft-{name.replace('_', '-')}: light-dark({getattr(LIGHT, name)}, {getattr(DARK, name)})" for name in names
    )
    return f".stApp {{ {told}; }}"
