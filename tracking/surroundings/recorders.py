"""Starts and ends what records a run's surroundings. Nothing here can fail a run, nor hold its start or end up.

At once: the console is heard. In the background: what git, packages and machine are, and looks at the system. A process
that is killed right after its start may lack these; never the run.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.tracking.blobs import Blobs
from weft.tracking.journal.records import SCHEMA, FileSaved, RunUpdated, SystemSampled
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import redact, redact_source, redact_text
from weft.tracking.surroundings import code, hardware, packages, process
from weft.tracking.surroundings.console import Console
from weft.tracking.surroundings.git import Diff, Git
from weft.tracking.surroundings.gpu import Gpus
from weft.tracking.surroundings.system import Machine, Sampler

if TYPE_CHECKING:
    from weft.tracking.runs.run import Run
    from weft.tracking.runtime import Runtime
    from weft.tracking.settings import Settings

CLOSE_SECONDS = 0.3
"""What the end of a run waits for what is still being found out."""


class Recorders:
    """What records the surroundings of one run, until `close`."""

    def __init__(self, runtime: Runtime, uid: bytes, settings: Settings) -> None:
        self._runtime = runtime
        self._uid = uid
        self._settings = settings
        self._console = Console(runtime, uid)
        self._gpus = Gpus()
        self._git: Git | None = None
        self._sampler: Sampler | None = None
        self._finder: threading.Thread | None = None
        self._pid = os.getpid()
        self._closed = False

    def listen(self) -> None:
        """Hear what is printed."""
        if self._settings.console != "off":
            self._guard("record the console", self._console.start)

    def look(self) -> None:
        """Begin to find out where the run happens, and to look at the system."""
        settings = self._settings
        if settings.machine or settings.system_interval_s:
            self._gpus.load()
        if settings.system_interval_s:
            self._guard("look at the system", self._begin_sampling)
        if settings.git or settings.packages or settings.machine or settings.save_code:
            self._guard("find out where the run happens", self._begin_finding)

    def write_logs(self, text: str) -> None:
        """Text that counts as printed, without it being shown."""
        self._console.write(text)

    def close(self) -> None:
        """End everything; what was printed last is recorded. Takes `CLOSE_SECONDS` at most where git is slow."""
        if self._closed:
            return
        self._closed = True
        self._guard("end the record of the console", self._console.close)
        until = time.monotonic() + CLOSE_SECONDS
        if self._sampler is not None:
            self._sampler.close()
        if self._finder is not None and self._pid == os.getpid():
            self._finder.join(max(0.0, until - time.monotonic()))
            if self._finder.is_alive() and self._git is not None:
                self._git.stop()

    def _begin_finding(self) -> None:
        thread = threading.Thread(target=self._find, name="weft-surroundings", daemon=True)
        thread.start()
        self._finder = thread

    def _begin_sampling(self) -> None:
        machine = Machine(os.getpid(), self._gpus)
        sampler = Sampler(machine.sample, self._sampled, self._settings.system_interval_s)
        sampler.start()
        self._sampler = sampler

    def _sampled(self, values: dict[str, float]) -> None:
        self._runtime.journal.append(SystemSampled(SCHEMA, self._uid, self._runtime.ids.wall_ns(), values))

    def _find(self) -> None:
        """On a thread of ours: the quick and sure first, git last, since it may take its time."""
        settings = self._settings
        if settings.machine:
            self._guard("describe the machine", self._describe)
        if settings.packages:
            self._guard("list the packages", self._list_packages)
        if settings.save_code:
            self._guard("keep the program's code", self._keep_program)
        if settings.git:
            self._guard("ask git", self._ask_git)

    def _describe(self) -> None:
        self._gpus.open()
        found = hardware.describe(self._gpus)
        self._update({"hardware": found, "env": process.environment(), **hardware.clusters()})

    def _list_packages(self) -> None:
        found = packages.installed()
        self._keep("requirements.txt", "".join(f"{line}\n" for line in found).encode(), "requirements")

    def _keep_program(self) -> None:
        path = process.program_file()
        if path is not None:
            self._keep(f"code/{code.relative(path)}", self._clean_text(path.name, path.read_bytes()), "code")

    def _ask_git(self) -> None:
        at = process.repository(Path.cwd())
        if at is None:
            return
        self._git = git = Git(at)
        if self._closed:
            return
        facts = git.facts()
        if facts:
            self._update({"git": {"commit": at.commit, "branch": at.branch, **facts}})
        for diff in git.diffs(self._settings.diff_bytes) if self._settings.diff_bytes else ():
            self._keep(diff.path, self._clean_text(diff.path, _told(diff)), "diff")

    def _update(self, metadata: dict[str, Any]) -> None:
        data = redact(encode(metadata), self._runtime.faults, self._settings.redact)
        self._runtime.journal.append(RunUpdated(SCHEMA, self._uid, self._runtime.ids.wall_ns(), metadata=data))

    def _keep(self, path: str, data: bytes, kind: str) -> None:
        digest = Blobs(self._runtime.home).put(data)
        at_ns = self._runtime.ids.wall_ns()
        self._runtime.journal.append(FileSaved(SCHEMA, self._uid, at_ns, path, digest, len(data), kind))

    def _clean_text(self, key: str, data: bytes) -> bytes:
        """A text without its secrets; what is no UTF-8 is kept as far as it is."""
        rules = self._settings.redact
        text = data.decode("utf-8", "surrogateescape")
        clean = redact_source(key, redact_text(text, rules), rules) if rules is not False else text
        return clean.encode("utf-8", "surrogateescape")

    def _guard(self, what: str, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            if not self._closed:  # a home that is gone by then concerns nobody
                self._runtime.faults.note(what, error)


def _told(diff: Diff) -> bytes:
    """What was cut is said where it was, after the last whole line; then what was not looked into."""
    told = diff.data
    if diff.cut_bytes:
        kept = told[: told.rfind(b"\n") + 1] or told
        left = diff.cut_bytes + len(told) - len(kept)
        told = kept + b"# weft: cut here, %d bytes more (Settings.diff_bytes, WEFT_DIFF_BYTES)\n" % left
    for path in diff.unseen:
        told += b"# weft: changed, and not looked into, since a filter of git's stands before it: %r\n" % path
    return told


def start(run: Run, settings: Settings, *, leads: bool = True) -> Recorders:
    """Record the surroundings of a run that has just started.

    Args:
        settings: what is to be recorded: `console`, `git`, `packages`, `machine`, `save_code`, `system_interval_s`.
        leads: False for a process that only adds to a run of another one: its console is recorded, and nothing else.
    """
    recorders = Recorders(run.runtime, run.uid, settings)
    if run.runtime.recording:
        recorders.listen()
        if leads:
            recorders.look()
    return recorders
