"""The registry: its collections, and one of them with versions, card, promotions and what was ever done to it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.registry import history, requirements
from weft.tracking.store.readmodels import CollectionRecord, LinkRecord, Page, RegistryEvent
from weft.ui import cells, links, lists, page
from weft.ui.components.card import card
from weft.ui.components.filters import Choice, filters
from weft.ui.components.table import Column, Row, table
from weft.ui.data import data
from weft.ui.values import encodable

LATEST = "latest"
EVENTS = 500
ALIASES_SHOWN = 6
COLUMNS = [
    Column("Collection", "minmax(160px, 2.4fr)", look="strong", link=True, sort="name"),
    Column("Registry", "minmax(80px, 120px)", look="soft", sort="registry"),
    Column("Type", "minmax(80px, 120px)", look="soft", sort="type"),
    Column("Versions", "84px", look="num"),
    Column("Latest", "70px", look="num", help="The newest link"),
    Column("Aliases", "minmax(160px, 2.2fr)", type="chips"),
    Column("Tags", "minmax(80px, 0.7fr)", look="soft"),
    Column("Changed", "100px", look="soft num", sort="updated_ns"),
]
EMPTY = lists.Empty(
    "No collections yet",
    "Link a version into a collection, and promote it: an evaluation may have to show that it may be.",
    """import weft

weft.link_artifact("demo/classifier:v3", "model/classifier", aliases=["staging"])
weft.promote("registry:classifier:staging", to="production",
             require={"eval": "digits", "accuracy": "ci>=0.9"})""",
)


def show() -> None:
    """Draw the list."""
    page.head("Registry")
    where = page.scope()
    asked = _filters(where)
    st.fragment(_body, run_every=lists.LIVE_SECONDS)(where | asked, bool(asked))


def _filters(where: dict[str, Any]) -> dict[str, Any]:
    held = data().collections(where, limit=1000).rows
    registries = Choice("registry", "Registry", sorted({row.registry for row in held}))
    types = Choice("type", "Type", sorted({row.type for row in held}))
    aliases = Choice("aliases", "Alias", sorted({alias for row in held for alias in row.aliases} - {LATEST}))
    with lists.bar("Search names and cards") as text:
        filters([registries, types, aliases], key="filters")
    asked: dict[str, Any] = {one.key: {"$in": one.chosen} for one in (registries, types, aliases) if one.chosen}
    if text:
        asked["text"] = {"$contains": text}
    return asked


def _body(where: dict[str, Any], filtered: bool) -> None:
    lists.listed(
        "registry",
        lambda order, offset: data().collections(where, order, lists.PAGE, offset),
        _draw,
        order="-updated_ns",
        empty=None if filtered else EMPTY,
    )


def _draw(found: Page[CollectionRecord], order: str, _number: int) -> str | None:
    now = time.time_ns()
    return table(
        COLUMNS,
        [_row(record, now) for record in found.rows],
        key="collections",
        label="Collections",
        order=order,
        height=lists.HEIGHT,
        live=True,
        keys=True,
        none="No collection matches these filters.",
    )


def _row(record: CollectionRecord, now: int) -> Row:
    latest = record.aliases.get(LATEST)
    named = [(f"{alias} v{number}", alias in record.protected) for alias, number in record.aliases.items()]
    return Row(
        record.path,
        links.collection(record.path),
        [
            {"text": encodable(record.name), "title": record.path},
            cells.text(record.registry),
            cells.text(record.type),
            units.count(len(record.links)),
            f"v{latest}" if latest is not None else cells.unknown("Nothing is linked in it now"),
            _chips([one for one in named if not one[0].startswith(f"{LATEST} ")]),
            cells.text(", ".join(record.tags)),
            cells.age(record.updated_ns, now),
        ],
    )


def _chips(aliases: Sequence[tuple[str, bool]]) -> dict[str, Any]:
    """Badges, protected ones first: they have another look, and say so on hover."""
    aliases = sorted(aliases, key=lambda one: not one[1])
    shown = [
        {"text": encodable(text), "on": guarded, "title": "Protected: it moves by promotion only" if guarded else ""}
        for text, guarded in aliases[:ALIASES_SHOWN]
    ]
    if len(aliases) > ALIASES_SHOWN:
        shown.append({"text": f"+{len(aliases) - ALIASES_SHOWN}", "on": False, "title": ""})
    return {"chips": shown, "title": encodable(", ".join(text for text, _ in aliases))}


def show_one() -> None:
    """Draw one collection."""
    path = st.query_params.get("path", "")
    found = data().collections({"path": path}, limit=1).rows
    if not found:
        page.head("Collection")
        said = (
            f"There is no collection {path!r}. It may wait to be ingested, or be deleted: weft registry history says."
        )
        page.notice("No such collection", said, links.to("registry"), "All collections")
        lists.awaited(data().version())
        return
    record = found[0]
    now = time.time_ns()
    held = units.counted(len(record.links), "version")
    page.head(record.path, record.type, held, *record.tags, up=("Registry", links.to("registry", page.scope())))
    left, right = st.columns([1.9, 1.1], gap="medium")
    events = data().registry_events(record.path, EVENTS)
    with left:
        with page.part("The versions"):
            _versions(record, now)
        with page.part("The promotions"):
            _promotions(events, now)
        with page.part("The card"):
            _card(record)
    with right:
        with page.part("The facts"):
            _about(record, now)
        with page.part("The history"):
            _history(events, now)


def _versions(record: CollectionRecord, now: int) -> None:
    page.label("Versions", units.count(len(record.links)))
    table(
        [
            Column("Version", "76px", look="strong", link=True),
            Column("Aliases", "minmax(140px, 1.3fr)", type="chips"),
            Column("Linked from", "minmax(140px, 1.5fr)"),
            Column("By", "minmax(80px, 1fr)", look="soft"),
            Column("Linked", "100px", look="soft num"),
        ],
        [_version_row(record, link, now) for link in record.links],
        key="versions",
        label="Versions",
        height="300px",
        none="Nothing is linked in it now.",
    )


def _version_row(record: CollectionRecord, link: LinkRecord, now: int) -> Row:
    told = f"{link.project}/{link.name}"
    href = links.artifact(link.project, link.name, link.version) if link.version is not None else None
    source = (
        {"text": encodable(f"{told}:v{link.version}"), "href": href}
        if href
        else cells.unknown(f"This store does not have {told} {link.digest}")
    )
    return Row(
        str(link.number),
        href,
        [
            f"v{link.number}",
            _chips([(alias, alias in record.protected) for alias in link.aliases]),
            source,
            cells.text(link.author),
            cells.age(link.linked_ns, now),
        ],
    )


def _promotions(events: Sequence[RegistryEvent], now: int) -> None:
    """Those that required something, or were refused: what was required beside what an evaluation said."""
    asked = [event for event in events if event.action in ("promoted", "refused")]
    if not asked:
        return
    page.label("Promotions", "what was required, and what the evaluation behind it says")
    table(
        [
            Column("Outcome", "104px", type="status"),
            Column("Version", "minmax(112px, 0.8fr)", look="strong"),
            Column("Required", "minmax(130px, 1.2fr)"),
            Column("Found", "minmax(140px, 1.5fr)"),
            Column("Evaluation", "minmax(90px, 0.9fr)"),
            Column("When", "92px", look="soft num"),
        ],
        [row for event in asked for row in _promotion_rows(event, now)],
        key="promotions",
        label="Promotions",
        height="300px",
    )


def _promotion_rows(event: RegistryEvent, now: int) -> Iterator[Row]:
    number = f"v{event.number}" if event.number is not None else history.source(event)
    outcome = {"status": "ok" if event.action == "promoted" else "error", "text": event.action}
    said = cells.text(f"{number} → {', '.join(event.aliases)}")
    when = cells.age(event.at_ns, now)
    lines = list(history.evidence(event))
    if not lines:
        nothing = {"text": "nothing", "tone": "soft", "title": "No evaluation was asked for"}
        yield Row(event.uid, None, [outcome, said, nothing, cells.text("; ".join(history.notes(event))), "", when])
    for at, line in enumerate(lines):
        found = cells.text(line.found)
        if isinstance(found, dict) and not line.passed:
            found["tone"] = "error"
        first = at == 0
        yield Row(
            f"{event.uid}-{at}",
            None,
            [
                outcome
                if first
                else {"status": "ok" if line.passed else "error", "text": "met" if line.passed else "missed"},
                said if first else "",
                cells.text(line.required),
                found,
                _evaluation(line),
                when if first else "",
            ],
        )


def _evaluation(line: history.Checked) -> dict[str, Any]:
    project, slash, ident = (line.run or "").rpartition("/")
    told = {"text": encodable(line.evaluation), "title": encodable(line.run or "None that counts")}
    return told | ({"href": links.evaluation(project, ident)} if slash else {"tone": "soft"})


def _card(record: CollectionRecord) -> None:
    page.label("Card", "" if record.description else "Nothing is written about it yet: weft registry describe")
    if record.description:
        card(record.description, key="card")


def _about(record: CollectionRecord, now: int) -> None:
    page.label("About")
    facts = [
        ("registry", record.registry),
        ("protected", ", ".join(record.protected)),
        *((f"{alias} requires", requirements.told(asked)) for alias, asked in record.required.items()),
        ("tags", ", ".join(record.tags)),
        ("made by", f"{record.author}, {units.age(record.created_ns, now)}"),
        ("changed", units.age(record.updated_ns, now)),
    ]
    page.facts([(name, value) for name, value in facts if value])
    named = [alias for alias in record.aliases if alias != LATEST]
    which = "production" if "production" in named else named[0] if named else LATEST
    st.code(f'run.use_artifact("registry:{record.path}:{which}").download()', language="python", wrap_lines=True)


def _history(events: Sequence[RegistryEvent], now: int) -> None:
    more = "+" if len(events) == EVENTS else ""
    page.label("History", f"{units.count(len(events))}{more}; nothing is ever taken from it")
    table(
        [
            Column("What", "minmax(140px, 1fr)"),
            Column("Who", "minmax(60px, 96px)", look="soft"),
            Column("When", "80px", look="soft num"),
        ],
        [_event_row(event, now) for event in events],
        key="history",
        label="History",
        height="460px",
    )


def _event_row(event: RegistryEvent, now: int) -> Row:
    told = encodable(history.told(event))
    more = [encodable(note) for note in history.notes(event)]
    what: dict[str, Any] = {"text": told, "title": "\n".join([told, *more])}
    if event.action == "refused":
        what["tone"] = "error"
    elif event.problem:
        what["tone"] = "soft"
    return Row(event.uid, None, [what, cells.text(event.author), cells.age(event.at_ns, now)])
