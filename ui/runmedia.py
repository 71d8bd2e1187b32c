"""The media of a run, on its screen: galleries by key, histograms over steps, logged charts and figures."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import streamlit as st

from weft.tracking import units
from weft.tracking.errors import Error
from weft.tracking.media import Audio, Chart, Histogram, Html, Image, Media, Molecule, Object3D, Plotly, Video, revived
from weft.tracking.media.base import FileMedia
from weft.tracking.media.logged import media_of
from weft.ui import cells, media, mediacharts, page
from weft.ui.components.gallery import Item, Step, gallery
from weft.ui.components.table import Column, Row, table
from weft.ui.data import data
from weft.ui.values import encodable, showable

MOST_STEPS = 120
"""Of one key: of more, evenly chosen ones are shown, the last among them."""
MOST_ITEMS = 3_000
"""Of one key, of all its steps: each costs the browser some hundred bytes."""
SHOWN_KEYS = 40
SHOWN_ROWS = 200
"""Of a chart that the app cannot draw."""
HEIGHT = 280
_POINTS = ("pts.json", "obj", "pdb")
_PLAYED = frozenset({"mp4", "webm", "ogg", "ogv"})
Logged = list[tuple[int, list[Media]]]
"""Steps and what was logged there."""


def by_key(rows: Sequence[Mapping[str, Any]]) -> dict[str, Logged]:
    """The media among logged values, by key and step."""
    found: dict[str, Logged] = {}
    times: dict[str, tuple[int, int]] = {}
    for each in media_of(rows, data().blobs()):
        steps = found.setdefault(each.key, [])
        at = (each.step, each.at_ns)
        if times.get(each.key) != at:
            times[each.key] = at
            steps.append((each.step, []))
        steps[-1][1].append(each.medium)
    return found


def found_in(run_uid: str) -> dict[str, Logged]:
    """Those of a run."""
    return data().computed("media", [run_uid], lambda: by_key(data().rich(run_uid)))


def show(run_uid: str) -> None:
    """Draw those of a run."""
    found = found_in(run_uid)
    keys = sorted(found)
    charts = [key for key in keys if isinstance(found[key][-1][1][0], (Chart, Histogram, Plotly))]
    files = [key for key in keys if key not in charts][:SHOWN_KEYS]
    wide = [key for key in files if any(len(items) > 1 for _, items in found[key])]
    for key in wide:
        _gallery(key, found[key])
    narrow = [key for key in files if key not in wide]
    for at in range(0, len(narrow), 2):
        for column, key in zip(st.columns(2, gap="small"), narrow[at : at + 2], strict=False):
            with column:
                _gallery(key, found[key])
    for at in range(0, min(len(charts), SHOWN_KEYS), 2):
        for column, key in zip(st.columns(2, gap="small"), charts[at : at + 2], strict=False):
            with column, st.container(border=True, key=f"weft-media-{key}"), page.part(f"The charts of {key}"):
                _chart(key, thinned(found[key]))
    if len(keys) > SHOWN_KEYS:
        page.label("", f"{units.count(len(keys))} keys hold media; {SHOWN_KEYS} of a kind are shown")


def _gallery(key: str, logged: Logged) -> None:
    with page.part(f"The media of {key}"):
        shown = [Step(at, [_item(item, key) for item in items]) for at, items in thinned(logged)]
        gallery(encodable(key), shown, len(logged), key=f"media-{key}")


def thinned(steps: Logged) -> Logged:
    """At most `MOST_STEPS` of them, and fewer where each has many media; the first and the last are among them."""
    widest = max((len(items) for _, items in steps), default=1)
    most = max(2, min(MOST_STEPS, MOST_ITEMS // max(1, widest)))
    last = len(steps) - 1
    return steps if last < most else [steps[round(at * last / (most - 1))] for at in range(most)]


def said(value: object) -> str | None:
    """A medium among plain values, in words; None for anything else."""
    found = revived(value)
    first = found[0] if isinstance(found, list) and found and all(isinstance(each, Media) for each in found) else found
    if not isinstance(first, Media):
        return None
    words = type(first).__name__.lower() if not isinstance(first, Chart) else f"{first.chart} chart"
    if isinstance(found, list):
        return f"{units.count(len(found))} × {words}"
    size = (getattr(first, "width", None), getattr(first, "height", None))
    return f"{words}, {size[0]} × {size[1]}" if all(size) else words


def _item(medium: Media, key: str) -> Item:
    if not isinstance(medium, FileMedia):
        raise TypeError(f"{type(medium).__name__} is no file")
    told: dict[str, Any] = {"type": "file", "format": medium.extension}
    size = units.size(medium.size_bytes)
    words = [medium.media_type, size]
    if isinstance(medium, Image) and medium.media_type in media.PICTURES and medium.size_bytes <= media.SHOWN_BYTES:
        told |= {"type": "image", "width": medium.width, "boxes": _boxes(medium), "masks": _masks(medium)}
        words = [f"{medium.width} × {medium.height}" if medium.width else medium.media_type, size]
    elif isinstance(medium, Audio) and medium.media_type in media.RECORDINGS:
        told["type"] = "audio"
        if medium.duration_s is not None:
            words.insert(0, units.duration(int(medium.duration_s * 1e9)))
    elif isinstance(medium, Video):
        told["type"] = "video" if medium.extension in _PLAYED else "image"
        if medium.frames:
            words.insert(0, f"{units.count(medium.frames)} frames, {medium.fps:g}/s")
    elif isinstance(medium, Html):
        told["type"] = "html"
    elif isinstance(medium, (Object3D, Molecule)) and medium.extension in _POINTS:
        told["type"] = "points"
    return Item(
        src=media.PATH.format(digest=medium.digest),
        text=", ".join(words),
        name=encodable(f"{key.rpartition('/')[2][:60]}-{medium.digest[:12]}.{medium.extension}"),
        caption=None if medium.caption is None else encodable(medium.caption),
        **told,
    )


def _boxes(image: Image) -> list[dict[str, Any]]:
    """In shares of the picture, with what is written at each."""
    found = []
    for group in image.boxes.values():
        labels = group["class_labels"]
        for box in group["box_data"]:
            place, across, up = box["position"], 1.0, 1.0
            if box.get("domain") == "pixel":
                across, up = float(image.width or 1), float(image.height or 1)
            if "middle" in place:
                width, height = place["width"], place["height"]
                left, top = place["middle"][0] - width / 2, place["middle"][1] - height / 2
            else:
                left, top = place["minX"], place["minY"]
                width, height = place["maxX"] - left, place["maxY"] - top
            ident = box.get("class_id", 0)
            label = encodable(labels.get(str(ident)) or _class_name(image, ident))
            words = [box.get("box_caption") or label]
            words += [f"{name} {units.number(score)}" for name, score in box.get("scores", {}).items()]
            found.append(
                {"x": left / across, "y": top / up, "w": width / across, "h": height / up}
                | {"id": ident, "label": label, "text": encodable(" ".join(words))}
            )
    return found


def _masks(image: Image) -> list[dict[str, Any]]:
    names: dict[Any, str] = dict(image.classes.names) if image.classes else {}
    return [
        {
            "src": media.PATH.format(digest=mask.content.digest),
            "labels": {str(ident): encodable(str(name)) for ident, name in (names | mask.class_labels).items()},
        }
        for mask in image.masks.values()
    ]


def _class_name(image: Image, ident: int) -> str:
    return image.classes.names.get(ident, str(ident)) if image.classes else str(ident)


def _chart(key: str, steps: Logged) -> None:
    last = steps[-1][1][0]
    if isinstance(last, Histogram):
        _histograms(key, steps)
        return
    title = last.title if isinstance(last, Chart) else ""
    areas = last.strings.get("areas", "") if isinstance(last, Chart) else ""
    at = len(steps) - 1
    told = [key if title else "", f"step {units.count(steps[at][0])}" if at == 0 else "", areas if at == 0 else ""]
    page.label(title or key, " · ".join(part for part in told if part))
    if at:
        at = _chosen(key, [step for step, _ in steps])
    for number, item in enumerate(steps[at][1]):
        if isinstance(item, Chart):
            _draw(item, f"{number}-{key}")
        elif isinstance(item, Plotly):
            _figure(item, f"{number}-{key}")


def _chosen(key: str, steps: Sequence[int]) -> int:
    """Which of the times it was logged; the last unless another is chosen."""
    chosen = st.select_slider(
        f"Step of {page.plain(key)}",
        range(len(steps)),
        value=len(steps) - 1,
        format_func=lambda at: f"step {steps[at]}",
        key=f"media-step-{key}",
        label_visibility="collapsed",
    )
    return int(chosen)


def _draw(chart: Chart, key: str) -> None:
    rows = data().computed("chart", [chart.digest], lambda: chart.rows)
    made = mediacharts.spec(chart.chart, chart.columns, rows, chart.fields, chart.strings)
    if made is None:
        shown = [Row(str(at), None, [_cell(value) for value in row]) for at, row in enumerate(rows[:SHOWN_ROWS])]
        heads = [Column(encodable(name)) for name in chart.columns]
        table(heads, shown, key=f"media-chart-{key}", label=chart.title or chart.chart, height=f"{HEIGHT}px")
        return
    height = max(HEIGHT, 22 * len(made["yAxis"]["data"]) + 60) if chart.chart == "confusion_matrix" else HEIGHT
    st.echarts_chart(made, height=min(height, 640), key=f"media-chart-{key}", renderer="canvas", alt=encodable(key))


def _cell(value: Any) -> Any:
    return cells.text(value if isinstance(value, str) else orjson.dumps(showable(value)).decode())


def _histograms(key: str, steps: Logged) -> None:
    found = [
        mediacharts.Drawn(step, item.histogram, item.bins)
        for step, items in steps
        for item in items[:1]
        if isinstance(item, Histogram)
    ]
    last = found[-1]
    page.label(key, f"{units.count(int(sum(last.counts)))} values · {_steps(len(found))}")
    made = mediacharts.by_step(found) if len(found) > 1 else mediacharts.histogram(last.counts, last.edges)
    st.echarts_chart(made, height=HEIGHT, key=f"media-histogram-{key}", renderer="canvas", alt=encodable(key))


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{units.count(count)} steps"


def _figure(item: Plotly, key: str) -> None:
    if importlib.util.find_spec("plotly") is None:
        page.label("", "Install plotly beside weft to see it here: pip install plotly")
        st.link_button("Download the figure", media.PATH.format(digest=item.digest))
        return
    try:
        figure = item.figure
    except (Error, ValueError) as error:
        page.broken("The figure could not be read", error)
        return
    st.plotly_chart(figure, height=HEIGHT + 60, key=f"media-figure-{key}")
