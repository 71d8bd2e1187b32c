"""weft: one thread through an LLM app, its evaluations and its training runs.

Importing this imports nothing else: every public name is loaded at its first use, and nothing global changes before
`init`, `configure` or `instrument` is called.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.evals.dataset import Dataset as Dataset
    from weft.evals.evaluation import Evaluation as Evaluation
    from weft.evals.evaluation import evaluate as evaluate
    from weft.evals.model import Model as Model
    from weft.evals.scorer import Score as Score
    from weft.evals.scorer import Scorer as Scorer
    from weft.evals.scorer import scorer as scorer
    from weft.lifecycle import configure as configure
    from weft.lifecycle import flush as flush
    from weft.lifecycle import init as init
    from weft.publishing import Ref as Ref
    from weft.publishing import get as get
    from weft.publishing import publish as publish
    from weft.publishing import ref as ref
    from weft.tracer.context import attributes as attributes
    from weft.tracer.context import current_span as current_span
    from weft.tracer.context import thread as thread
    from weft.tracer.feedback import score as score
    from weft.tracer.instrument import instrument as instrument
    from weft.tracer.instrument import uninstrument as uninstrument
    from weft.tracer.op import op as op
    from weft.tracer.otel.processor import SpanProcessor as SpanProcessor
    from weft.tracer.processes import ContextProcessPoolExecutor as ContextProcessPoolExecutor
    from weft.tracer.prompts import MessagesPrompt as MessagesPrompt
    from weft.tracer.prompts import Prompt as Prompt
    from weft.tracer.propagation import TraceMiddleware as TraceMiddleware
    from weft.tracer.propagation import extract as extract
    from weft.tracer.propagation import inject as inject
    from weft.tracer.span import Span as Span
    from weft.tracer.span import span as span
    from weft.tracer.workers import ContextThread as ContextThread
    from weft.tracer.workers import ContextThreadPoolExecutor as ContextThreadPoolExecutor
    from weft.tracer.workers import wrap_context as wrap_context
    from weft.tracking.api import Api as Api
    from weft.tracking.artifacts import Artifact as Artifact
    from weft.tracking.errors import Error as Error
    from weft.tracking.payloads.content import Content as Content
    from weft.tracking.runs import Run as Run
    from weft.tracking.runs import finish as finish
    from weft.tracking.runs import log as log
    from weft.tracking.runs import log_artifact as log_artifact
    from weft.tracking.runs import use_artifact as use_artifact
    from weft.tracking.settings import Settings as Settings
    from weft.tracking.tables import Table as Table

__version__ = "0.2.0"

_HOMES = {
    "weft.evals.dataset": ["Dataset"],
    "weft.evals.evaluation": ["Evaluation", "evaluate"],
    "weft.evals.model": ["Model"],
    "weft.evals.scorer": ["Score", "Scorer", "scorer"],
    "weft.lifecycle": ["configure", "flush", "init"],
    "weft.tracer.context": ["attributes", "current_span", "thread"],
    "weft.tracer.feedback": ["score"],
    "weft.tracer.instrument": ["instrument", "uninstrument"],
    "weft.publishing": ["Ref", "get", "publish", "ref"],
    "weft.tracer.op": ["op"],
    "weft.tracer.otel.processor": ["SpanProcessor"],
    "weft.tracer.prompts": ["MessagesPrompt", "Prompt"],
    "weft.tracer.processes": ["ContextProcessPoolExecutor"],
    "weft.tracer.propagation": ["TraceMiddleware", "extract", "inject"],
    "weft.tracer.span": ["Span", "span"],
    "weft.tracer.workers": ["ContextThread", "ContextThreadPoolExecutor", "wrap_context"],
    "weft.tracking.api": ["Api"],
    "weft.tracking.artifacts": ["Artifact"],
    "weft.tracking.errors": ["Error"],
    "weft.tracking.payloads.content": ["Content"],
    "weft.tracking.runs": ["Run", "finish", "log", "log_artifact", "use_artifact"],
    "weft.tracking.settings": ["Settings"],
    "weft.tracking.tables": ["Table"],
}
_OWNER = {name: module for module, names in _HOMES.items() for name in names}
_OF_THE_RUN = ("config", "run", "summary")
"""Looked up anew each time: they belong to the run that is active now."""

__all__ = sorted([*_OWNER, *_OF_THE_RUN, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _OF_THE_RUN:
        return getattr(import_module("weft.lifecycle"), f"active_{name}")()
    owner = _OWNER.get(name)
    if owner is None:
        raise AttributeError(f"module 'weft' has no attribute {name!r}")
    value = getattr(import_module(owner), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
