"""Pictures of every screen of a home, at 1440x900 in light and dark: to be looked at, and for the README.

WEFT_HOME=~/.weft python tests/e2e/screenshots.py FOLDER [SCREEN …]
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent))
from conftest import CHROMIUM, FLAGS, Server

from weft.tracking import runtime
from weft.ui import links
from weft.ui.data import data
from weft.ui.scorecards import EVALUATION

WAITING = """[...document.querySelectorAll("[class*=weft-chart] [data-testid=stElementContainer]")].some(
  (holder) => !holder.children.length)"""
SHOWN = ".table, .trace, .weft-empty, .weft-talk, .weft-label, .weft-head"
VIEWS = ("Charts", "Media", "Tables", "Logs", "System", "Environment", "Artifacts")


def screens() -> dict[str, str]:
    """Paths by name; of traces, evaluations and runs the latest, of sessions the longest. `trace-…` opens that tab."""
    lists = ("traces", "sessions", "evaluations", "runs", "artifacts", "registry", "nothere")
    found = {name: f"/{name}" for name in lists} | {"overview": "/"}
    roots = [trace for trace in data().traces({}, limit=500).rows if trace.run_id is None and trace.status == "ok"]
    if roots:
        best = max(roots, key=lambda trace: (trace.name != "crawl", trace.span_count))
        calls = [span for span in data().spans(best.trace_id) if span.kind == "llm"]
        longest = max(calls, key=lambda span: span.duration_ns or 0, default=None)
        found["trace"] = links.trace(best.trace_id) + (f"&span={longest.span_id}" if longest else "")
        found["trace-scores"] = found["trace-code"] = links.trace(best.trace_id)
    for thread in data().threads({}, "-turn_count", 1, 0).rows:
        found["session"] = links.session(thread.project, thread.thread_id)
    for version in data().versions({"type": "model"}, "-logged_ns", 1, 0).rows:
        found["artifact"] = links.artifact(version.project, version.name, version.version)
    for collection in data().collections({}, limit=1).rows:
        found["collection"] = links.collection(f"{collection.registry}/{collection.name}")
    runs = data().runs({}).rows
    for run in runs:
        if run.job_type == EVALUATION:
            found.setdefault("evaluation", links.evaluation(run.project, run.id))
    trainings = [run for run in runs if run.job_type != EVALUATION]
    if trainings:
        trainings.sort(key=lambda run: (run.step or 0, run.started_ns), reverse=True)
        full = trainings[0]
        for view in VIEWS:
            found[f"run_{view.lower()}"] = f"{links.run(full.project, full.id)}&view={view}"
        beside = [(run.project, run.id) for run in trainings if run.project == full.project][:3]
        found["compare"] = links.compare(beside)
        for run in trainings:
            found.setdefault(f"run_{run.id[:20]}", links.run(run.project, run.id))
    return found


def main(folder: Path, *only: str, height: int = 900) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: path for name, path in screens().items() if not only or name in only}
    server = Server(runtime.active().settings.home)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for scheme in ("light", "dark"):
                context = browser.new_context(viewport={"width": 1440, "height": height}, color_scheme=scheme)
                page = context.new_page()
                for name, address in paths.items():
                    page.goto(server.url + address)
                    page.locator(SHOWN).first.wait_for()
                    tab = page.get_by_role("tab", name=re.compile(f"^{name.partition('-')[2].title()}"))
                    if "-" in name and tab.count():
                        tab.click()
                    for _ in range(16):  # charts draw themselves in
                        page.wait_for_timeout(400)
                        if not page.locator("[data-testid=stSkeleton]").count() and not page.evaluate(WAITING):
                            break
                    page.wait_for_timeout(600)
                    page.screenshot(path=folder / f"{name}-{scheme}.png")
                    print(folder / f"{name}-{scheme}.png")
                context.close()
            browser.close()
    finally:
        server.stop()


if __name__ == "__main__":
    os.environ.setdefault("WEFT_HOME", str(runtime.active().settings.home))
    main(Path(sys.argv[1]), *sys.argv[2:], height=int(os.environ.get("HEIGHT", "900")))
