"""The other trackers: an environment for each under build/peers, and what a program says that runs there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PLACE = HERE.parent.parent / "build/peers"
INSTALL_SECONDS = 600

REQUIREMENTS = {"wandb": "wandb", "mlflow": "mlflow", "mlflow-file": "mlflow", "aim": "aim", "trackio": "trackio"}
"""What pip installs for each; weft is measured where the benchmark runs."""


class PeerError(Exception):
    """A peer could not be installed or measured, in one line."""


def ask(script: str, name: str, folder: Path, *more: object, timeout_s: float) -> dict[str, Any]:
    """What `script` of this folder prints as its last line, run for a tracker in its environment.

    Raises:
        PeerError: it cannot be installed, took too long, or failed.
    """
    command = [_python(name), str(HERE / script), name, str(folder / "home"), *map(str, more)]
    (folder / "home").mkdir()
    told, complained = folder / "stdout", folder / "stderr"
    with told.open("wb") as out, complained.open("wb") as err:  # no pipes: what a tracker leaves behind holds them open
        process = subprocess.Popen(command, stdout=out, stderr=err, cwd=folder, start_new_session=True)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise PeerError(f"took longer than {timeout_s:g} s") from None
        finally:
            _end(process)
    if code:
        raise PeerError(_last_line(complained) or f"exit code {code}")
    found: dict[str, Any] = json.loads(_last_line(told))
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """With whatever it started: the session that it was given is its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # all ended by themselves
    process.wait()


def _python(name: str) -> str:
    if name == "weft":
        return sys.executable
    requirement = REQUIREMENTS[name]
    python = PLACE / requirement / "bin/python"
    if not python.exists():
        _pip([sys.executable, "-m", "venv", str(PLACE / requirement)])
    if subprocess.run([str(python), "-m", "pip", "show", "-q", requirement], capture_output=True).returncode:
        print(f"installing {requirement} into {PLACE / requirement} ...", file=sys.stderr, flush=True)
        _pip([str(python), "-m", "pip", "install", "-q", requirement])
    return str(python)


def _pip(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise PeerError(f"not installed within {INSTALL_SECONDS} s") from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()
        raise PeerError(f"cannot be installed here: {''.join(errors[-1:])}")


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
