"""The Environment view of a run: where it happened, which code it was, and the files that say so."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import streamlit as st

from weft.tracking import units
from weft.tracking.store.readmodels import FileRecord, RunRecord
from weft.ui import page
from weft.ui.data import data
from weft.ui.values import visible

SHOWN_BYTES = 200_000
"""Of a text so much is shown; all of it can be downloaded."""
_MARKED = (("+++", "b"), ("---", "b"), ("diff ", "b"), ("# weft:", "em"), ("@@", "i"), ("+", "ins"), ("-", "del"))
"""How a line of a difference begins, and the element that it becomes."""
LANGUAGES = {".patch": "diff", ".diff": "diff", ".py": "python", ".json": "json", ".yaml": "yaml", ".toml": "toml"}


def show(run: RunRecord) -> None:
    """Draw the view."""
    left, right = st.columns([1, 1.5], gap="medium")
    with left, page.part("The environment"):
        for title, rows in facts(run.metadata).items():
            page.label(title)
            page.facts(rows)
        variables = run.metadata.get("env")
        if isinstance(variables, Mapping) and variables.get("names"):
            names = [str(name) for name in variables["names"]]
            with st.expander(f"{units.counted(len(names), 'environment variable')}, by name"):
                st.code(visible("\n".join(names)), language=None)
    with right, page.part("The files"):
        _files([file for file in data().files(run.uid) if file.kind != "media"])  # those have galleries


def facts(metadata: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """What is known, by part; parts of which nothing is known are not there."""
    git, machine = _mapping(metadata.get("git")), _mapping(metadata.get("hardware"))
    commit = str(git.get("commit", ""))[:12]
    changed = {True: " + changes", False: ""}.get(git.get("dirty"), "")  # type: ignore[arg-type]
    gpus = [str(_mapping(gpu).get("name", "GPU")) for gpu in machine.get("gpus", ())]
    found = {
        "Code": [
            ("commit", commit and commit + changed),
            ("branch", git.get("branch")),
            ("remote", git.get("remote")),
            ("program", metadata.get("program")),
            ("command", " ".join(map(str, metadata.get("argv", ())))),
        ],
        "Machine": [
            ("host", metadata.get("host")),
            ("system", metadata.get("os")),
            ("processor", machine.get("cpu")),
            ("cores", _cores(metadata, machine)),
            ("memory", units.size(machine["memory_bytes"]) if machine.get("memory_bytes") else None),
            ("GPUs", ", ".join(f"{gpus.count(name)} × {name}" for name in dict.fromkeys(gpus))),
            ("GPU driver", machine.get("gpu_driver")),
        ],
        "Process": [
            ("Python", metadata.get("python")),
            ("executable", metadata.get("executable")),
            ("folder", metadata.get("cwd")),
            ("process id", metadata.get("pid")),
        ],
    }
    for name in ("slurm", "kubernetes", "colab", "sagemaker", "ray", "distributed"):
        found[name.capitalize()] = list(_mapping(metadata.get(name)).items())
    told = {
        title: [(name, str(value)) for name, value in rows if value not in (None, "")] for title, rows in found.items()
    }
    return {title: rows for title, rows in told.items() if rows}


def _cores(metadata: Mapping[str, Any], machine: Mapping[str, Any]) -> str | None:
    logical = machine.get("cpu_count") or metadata.get("cpu_count")
    physical = machine.get("cpu_count_physical")
    return None if not logical else f"{logical} ({physical} physical)" if physical else str(logical)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _files(files: list[FileRecord]) -> None:
    page.label("Files", units.count(len(files)) if files else "None were kept")
    if not files:
        return
    order = {"diff": 0, "code": 1, "saved": 2, "requirements": 3}
    files = sorted(files, key=lambda file: (order.get(file.kind, 4), file.path))
    by_path = {file.path: file for file in files}
    chosen = st.selectbox(
        "File",
        list(by_path),
        key="file",
        bind="query-params",
        format_func=visible,
        label_visibility="collapsed",
    )
    file = by_path.get(chosen or "", files[0])
    name = html.escape(PurePosixPath(file.path).name, quote=True)
    st.html(
        f"<div class='weft-label'><span>{html.escape(file.kind)}, {units.size(file.size_bytes)}, sha256 "
        f"{html.escape(file.digest[:12])}</span><a href='/blob/{html.escape(file.digest, quote=True)}' "
        f"download='{name}'>Download</a></div>"
    )
    _preview(file)


def _preview(file: FileRecord) -> None:
    with data().blobs().open(file.digest) as stored:
        held = stored.read(SHOWN_BYTES)
    if b"\0" in held[:8192]:
        page.label("", "No text: download it to look at it")
        return
    language = LANGUAGES.get(PurePosixPath(file.path).suffix.lower())
    if language == "diff":
        st.html(f"<pre class='weft-diff'>{diff(held.decode('utf-8', 'replace'))}</pre>")
    else:
        text = visible(held.decode("utf-8", "replace"))
        st.code(text, language=language, height=560 if len(held) > 4000 else "content")
    if file.size_bytes > SHOWN_BYTES:
        page.label("", f"The first {units.size(SHOWN_BYTES)} of {units.size(file.size_bytes)}")


def diff(text: str) -> str:
    """A difference as HTML: what came, what went, where. All of it escaped."""
    lines = []
    for line in visible(text).splitlines():
        element = next((name for begins, name in _MARKED if line.startswith(begins)), None)
        told = html.escape(line)
        lines.append(f"<{element}>{told}</{element}>" if element else told)
    return "\n".join(lines)
