"""Suite files: Python files with evaluations at module level. `weft eval run FILE[::NAME]` loads them here.

The convention: every `Evaluation(..., model=...)` bound to a name at module level is part of the suite, in the order of
the file. NAME selects one of them, by variable or by the evaluation's own name, or a function without arguments that
returns one. A name with a leading underscore is private.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from weft.evals.evaluation import Evaluation
from weft.tracking import units
from weft.tracking.errors import Error, UsageError


class Suite(NamedTuple):
    """What a suite file holds."""

    path: Path
    evaluations: list[Evaluation]


def load_suite(target: str) -> Suite:
    """The evaluations of `FILE` or `FILE::NAME`.

    Raises:
        UsageError: there is no such file, it does not import (the message says where and why), or it holds no
            evaluation of that name.
    """
    file, _, name = target.partition("::")
    path = Path(file)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UsageError(f"the suite file {file} {what}. Give a Python file: weft eval run suite.py[::NAME]")
    found = _public(_import(path))
    evaluations = [item for item in found.values() if isinstance(item, Evaluation)]
    if name:
        return Suite(path, [_named(name, found, path)])
    ready = [item for item in evaluations if item.model is not None]
    if not ready:
        hint = (
            f"{len(evaluations)} of its evaluations have no model=: give them one"
            if evaluations
            else "bind an Evaluation(..., model=...) to a name at module level"
        )
        raise UsageError(f"{path} holds no evaluation that can run; {hint}")
    return Suite(path, list({id(item): item for item in ready}.values()))


def _import(path: Path) -> ModuleType:
    """Run the file as a module of its own, with its folder importable, as Python does for a script."""
    module_name = f"weft_suite_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"the suite file {path} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and pickles look their module up
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        del sys.modules[module_name]
        raise UsageError(f"the suite file does not import. {_where(path, error)}") from error
    return module


def _where(path: Path, error: BaseException) -> str:
    """file:line: exception, the line being the suite's own wherever the error arose inside it."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}. Mend that line"
    here = path.resolve()
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).resolve() == here]
    line = f"{path}:{own[-1].lineno}" if own else str(path)
    message = str(error) if isinstance(error, Error) or str(error) else repr(error)
    return f"{line}: {type(error).__name__}: {message}"


def _public(module: ModuleType) -> dict[str, object]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def _named(name: str, found: dict[str, object], path: Path) -> Evaluation:
    chosen = found.get(name)
    if chosen is None:
        chosen = next((item for item in found.values() if isinstance(item, Evaluation) and item.name == name), None)
    if inspect.isfunction(chosen):
        try:
            chosen = chosen()
        except Exception as error:
            raise UsageError(f"{name}() of the suite did not return an evaluation. {_where(path, error)}") from error
    if not isinstance(chosen, Evaluation):
        there = [key for key, item in found.items() if isinstance(item, Evaluation)]
        listed = f"It holds {', '.join(there)}" if there else "It holds no Evaluation at all"
        was = "" if chosen is None else f" ({name} is {units.article(type(chosen).__name__)})"
        raise UsageError(f"{path} holds no evaluation {name!r}{was}. {listed}")
    return chosen
