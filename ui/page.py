"""What screens are made of: heads, empty and broken states, parts that fail alone. User text goes in as text only."""

from __future__ import annotations

import html
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import streamlit as st

from weft.tracking import units
from weft.tracking.errors import Error
from weft.tracking.runs import runvalues
from weft.tracking.store.readmodels import Page, RunRecord
from weft.ui.values import visible

T = TypeVar("T")
STATES = {"running": "running", "finished": "ok", "failed": "error", "killed": "cancelled", "crashed": "interrupted"}
"""A run's state looks like the status of a call."""
log = logging.getLogger("weft.ui")
_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^&])")


def plain(text: object) -> str:
    """User text for a place where Streamlit reads markdown: every mark escaped, control characters shown."""
    return _MARKS.sub(r"\\\1", visible(str(text)))


def project() -> str | None:
    """The project that the sidebar shows; None is all of them."""
    chosen: str | None = st.session_state.get("weft.project")
    return chosen


def scope() -> dict[str, Any]:
    """What limits lists to that project."""
    return {"project": chosen} if (chosen := project()) else {}


def head(title: str, *facts: str, up: tuple[str, str] | None = None) -> None:
    """A screen's title, facts beside it, and before it the name and address of the list that it is in."""
    told = "".join(_fact(fact, html.escape(visible(fact))) for fact in facts)
    st.html(f"<div class='weft-head'>{_title(title, up)}{told}</div>")


def _title(title: str, up: tuple[str, str] | None) -> str:
    link = ""
    if up is not None:
        href = html.escape(up[1], quote=True)
        link = f"<a href='{href}' class='weft-go weft-up' target='_self'>{html.escape(up[0])}</a>"
    return f"{link}<h1 title='{_quoted(title)}'>{html.escape(visible(title))}</h1>"


def _fact(whole: str, inner: str) -> str:
    """One that is too long is cut, and whole on hover."""
    return f"<span class='weft-fact' title='{_quoted(whole)}'>{inner}</span>"


def _quoted(text: str) -> str:
    return html.escape(visible(text), quote=True)


def label(text: str, hint: str = "") -> None:
    """A part's title."""
    name = html.escape(visible(text), quote=True)
    named = f"<b title='{name}'>{name}</b>" if text else ""
    told = f"<span title='{_quoted(hint)}'>{html.escape(visible(hint))}</span>" if hint else ""
    st.html(f"<div class='weft-label'>{named}{told}</div>")


def note(text: str) -> None:
    """What is to be known of what is shown below."""
    st.html(f"<div class='weft-note' role='status'>{html.escape(visible(text))}</div>")


def empty(title: str, words: str, code: str) -> None:
    """Nothing to show yet, and the lines that would fill it."""
    with st.container(key=f"weft-empty-{title.lower().replace(' ', '-')}"):
        st.html(f"<div class='weft-empty'><b>{html.escape(title)}</b><p>{html.escape(words)}</p></div>")
        st.code(code, language=None)


def notice(title: str, words: str, href: str, link: str) -> None:
    """Nothing by that name: what was looked for, and where to go instead."""
    st.html(
        f"<div class='weft-empty'><b>{html.escape(visible(title))}</b><p>{html.escape(visible(words))}</p>"
        f"<a href='{html.escape(href, quote=True)}' class='weft-go' target='_self'>{html.escape(link)}</a></div>"
    )


def broken(title: str, error: BaseException) -> None:
    """Something could not be read: what was tried, what was found, what to do."""
    words = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
    hint = "" if isinstance(error, Error) else "The terminal that runs weft ui has the details. The rest goes on."
    st.html(
        f"<div class='weft-broken' role='alert'><b>{html.escape(title)}</b>"
        f"<p>{html.escape(visible(words))}</p>{f'<p>{hint}</p>' if hint else ''}</div>"
    )


@contextmanager
def part(title: str) -> Iterator[None]:
    """A part of a screen: where it fails it says so in place, and the rest stands."""
    try:
        yield
    except Error as error:
        broken(f"{title} could not be read", error)
    except Exception as error:
        log.exception("a part failed: %s", title)
        broken(f"{title} could not be shown", error)


def first() -> None:
    """Back to a list's first page: for filters, whose change makes another list."""
    if "page" in st.session_state:
        st.session_state["page"] = 1


def number() -> int:
    """The page of a list that the URL names, from 1."""
    try:
        return max(1, int(str(st.session_state.get("page") or st.query_params.get("page", "1"))))
    except ValueError:
        return 1


def paged(ask: Callable[[int], Page[T]], size: int) -> tuple[Page[T], int]:
    """The rows of the page that the URL names, and its number; of the last one where the list has become shorter.

    Args:
        ask: answers for an offset.
    """
    wanted = number()
    found = ask((wanted - 1) * size)
    if found.rows or not found.total:
        return found, wanted
    last = -(-found.total // size)
    return ask((last - 1) * size), last


def pages(total: int, shown: int, size: int, exact: bool = True) -> None:
    """Below a list: which of how many (`+`: at least so many were seen), and the way to the others."""
    count = max(1, -(-total // size))
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        start = min(total, (shown - 1) * size + 1)
        whole = f"{units.count(total)}{'' if exact else '+'}"
        label("", f"{units.count(start)} – {units.count(min(total, shown * size))} of {whole}")
        if count > 1:
            if int(st.session_state.get("page") or 1) > count:
                st.session_state["page"] = count
            st.pagination(count, key="page", bind="query-params", width=160 + 36 * min(count, 7))


def more(title: str, href: str, total: int) -> None:
    """A part's title, and the way to all of it."""
    st.html(
        f"<div class='weft-label'><b>{html.escape(title)}</b>"
        f"<a href='{html.escape(href, quote=True)}' class='weft-go' target='_self'>all {units.count(total)}</a></div>"
    )


def gone(what: str, ident: str) -> str:
    """Why something may not be found by its id."""
    return (
        f"There is no {what} {ident!r} in this project. It may wait to be ingested (weft doctor says so), belong to "
        "another project or home (WEFT_HOME), or have been removed."
    )


def took(run: RunRecord) -> str:
    """How long a run took, or has run so far."""
    if run.state == "running":
        return f"{units.duration(runvalues.took_ns(run, time.time_ns()))}…"
    return units.duration(took_ns(run))


def took_ns(run: RunRecord) -> int | None:
    """How long a run that is over went on, its sessions added up; None where nothing says so."""
    if run.ended_ns is None or len(run.sessions) > 1:
        return int(run.runtime_s * 1e9) or None
    return run.ended_ns - run.started_ns


def run_head(
    title: str, state: str, told: Sequence[tuple[str, str]], link: tuple[str, str] | None, up: tuple[str, str]
) -> None:
    """A run's name, state and facts in one line."""
    shown = "".join(
        _fact(value, f"{f'{html.escape(name)} ' if name else ''}<b>{html.escape(visible(value))}</b>")
        for name, value in told
    )
    look = STATES.get(state, "cancelled")
    go = (
        f"<a href='{html.escape(link[1], quote=True)}' class='weft-go' target='_self'>{html.escape(link[0])}</a>"
        if link
        else ""
    )
    st.html(
        f"<div class='weft-head'>{_title(title, up)}"
        f"<em class='weft-{look}'>{html.escape(visible(state))}</em>{shown}{go}</div>"
    )


def failure(message: str, stacktrace: str) -> None:
    """A recorded error."""
    st.html(f"<div class='weft-failure'><b>{html.escape(visible(message))}</b></div>")
    if stacktrace:
        with st.expander("Stack trace"):
            st.code(visible(stacktrace), language=None)


def notes(text: str) -> None:
    """What somebody wrote of a thing: as it was written, a long one in a box that scrolls."""
    st.html(f"<div class='weft-notes' tabindex='0'>{html.escape(visible(text))}</div>")


class Links(NamedTuple):
    """A fact that is a list of things which have screens: words and addresses, and how many more there are."""

    shown: Sequence[tuple[str, str]]
    more: int = 0


def facts(rows: Sequence[tuple[str, Any]]) -> None:
    """Names and values (`Links` among them) in two columns."""
    told = "".join(f"<dt>{html.escape(visible(name))}</dt><dd>{_value(value)}</dd>" for name, value in rows)
    st.html(f"<dl class='weft-facts'>{told}</dl>")


def _value(value: Any) -> str:
    if not isinstance(value, Links):
        return html.escape(visible(str(value)))
    told = ", ".join(
        f"<a href='{html.escape(href, quote=True)}' class='weft-go' target='_self'>{html.escape(visible(words))}</a>"
        for words, href in value.shown
    )
    return told + (f" and {units.count(value.more)} more" if value.more else "")
