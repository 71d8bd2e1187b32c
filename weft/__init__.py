"""weft: one thread through an LLM app, its evaluations and its training runs.

Importing this imports nothing else: every public name is loaded at its first use, and nothing global changes before
`init`, `configure` or `instrument` is called.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.evals.dataset import Dataset as Dataset
    from weft.evals.evaluation import Evaluation as Evaluation
    from weft.evals.evaluation import evaluate as evaluate
    from weft.evals.model import Model as Model
    from weft.evals.scorer import Score as Score
    from weft.evals.scorer import Scorer as Scorer
    from weft.evals.scorer import scorer as scorer
    from weft.integrations.wandb import agent as agent
    from weft.integrations.wandb import as_wandb as as_wandb
    from weft.integrations.wandb import attach as attach
    from weft.integrations.wandb import controller as controller
    from weft.integrations.wandb import require as require
    from weft.integrations.wandb import sweep as sweep
    from weft.integrations.wandb import termerror as termerror
    from weft.integrations.wandb import termlog as termlog
    from weft.integrations.wandb import termwarn as termwarn
    from weft.lifecycle import configure as configure
    from weft.lifecycle import errors as errors
    from weft.lifecycle import flush as flush
    from weft.lifecycle import init as init
    from weft.lifecycle import login as login
    from weft.lifecycle import setup as setup
    from weft.lifecycle import teardown as teardown
    from weft.lifecycle import util as util
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
    from weft.tracking.artifacts.artifact import Artifact as Artifact
    from weft.tracking.artifacts.lifetimes import ArtifactTTL as ArtifactTTL
    from weft.tracking.errors import CommError as CommError
    from weft.tracking.errors import Error as Error
    from weft.tracking.errors import UsageError as UsageError
    from weft.tracking.media import plot as plot
    from weft.tracking.media.audio import Audio as Audio
    from weft.tracking.media.box3d import box3d as box3d
    from weft.tracking.media.histogram import Histogram as Histogram
    from weft.tracking.media.html import Html as Html
    from weft.tracking.media.image import Classes as Classes
    from weft.tracking.media.image import Image as Image
    from weft.tracking.media.molecule import Molecule as Molecule
    from weft.tracking.media.object3d import Object3D as Object3D
    from weft.tracking.media.plot import plot_table as plot_table
    from weft.tracking.media.plotly import Plotly as Plotly
    from weft.tracking.media.video import Video as Video
    from weft.tracking.payloads.content import Content as Content
    from weft.tracking.registry.linking import link_artifact as link_artifact
    from weft.tracking.registry.linking import promote as promote
    from weft.tracking.registry.linking import unlink as unlink
    from weft.tracking.runs.activerun import alert as alert
    from weft.tracking.runs.activerun import define_metric as define_metric
    from weft.tracking.runs.activerun import finish as finish
    from weft.tracking.runs.activerun import join as join
    from weft.tracking.runs.activerun import link_model as link_model
    from weft.tracking.runs.activerun import log as log
    from weft.tracking.runs.activerun import log_artifact as log_artifact
    from weft.tracking.runs.activerun import log_code as log_code
    from weft.tracking.runs.activerun import log_model as log_model
    from weft.tracking.runs.activerun import mark_preempting as mark_preempting
    from weft.tracking.runs.activerun import pin_config_keys as pin_config_keys
    from weft.tracking.runs.activerun import restore as restore
    from weft.tracking.runs.activerun import save as save
    from weft.tracking.runs.activerun import unwatch as unwatch
    from weft.tracking.runs.activerun import use_artifact as use_artifact
    from weft.tracking.runs.activerun import use_model as use_model
    from weft.tracking.runs.activerun import watch as watch
    from weft.tracking.runs.activerun import write_logs as write_logs
    from weft.tracking.runs.alerts import AlertLevel as AlertLevel
    from weft.tracking.runs.config import Config as Config
    from weft.tracking.runs.run import Run as Run
    from weft.tracking.settings import Settings as Settings
    from weft.tracking.tables import JoinedTable as JoinedTable
    from weft.tracking.tables import Table as Table

__version__ = "0.2.0"

_HOMES = {
    "weft.evals.dataset": ["Dataset"],
    "weft.evals.evaluation": ["Evaluation", "evaluate"],
    "weft.evals.model": ["Model"],
    "weft.evals.scorer": ["Score", "Scorer", "scorer"],
    "weft.integrations.wandb": [
        "agent",
        "as_wandb",
        "attach",
        "controller",
        "require",
        "sweep",
        "termerror",
        "termlog",
        "termwarn",
    ],
    "weft.lifecycle": ["configure", "errors", "flush", "init", "login", "setup", "teardown", "util"],
    "weft.publishing": ["Ref", "get", "publish", "ref"],
    "weft.tracer.context": ["attributes", "current_span", "thread"],
    "weft.tracer.feedback": ["score"],
    "weft.tracer.instrument": ["instrument", "uninstrument"],
    "weft.tracer.op": ["op"],
    "weft.tracer.otel.processor": ["SpanProcessor"],
    "weft.tracer.processes": ["ContextProcessPoolExecutor"],
    "weft.tracer.prompts": ["MessagesPrompt", "Prompt"],
    "weft.tracer.propagation": ["TraceMiddleware", "extract", "inject"],
    "weft.tracer.span": ["Span", "span"],
    "weft.tracer.workers": ["ContextThread", "ContextThreadPoolExecutor", "wrap_context"],
    "weft.tracking.api": ["Api"],
    "weft.tracking.artifacts.artifact": ["Artifact"],
    "weft.tracking.artifacts.lifetimes": ["ArtifactTTL"],
    "weft.tracking.errors": ["CommError", "Error", "UsageError"],
    "weft.tracking.media": ["plot"],
    "weft.tracking.media.audio": ["Audio"],
    "weft.tracking.media.box3d": ["box3d"],
    "weft.tracking.media.histogram": ["Histogram"],
    "weft.tracking.media.html": ["Html"],
    "weft.tracking.media.image": ["Classes", "Image"],
    "weft.tracking.media.molecule": ["Molecule"],
    "weft.tracking.media.object3d": ["Object3D"],
    "weft.tracking.media.plot": ["plot_table"],
    "weft.tracking.media.plotly": ["Plotly"],
    "weft.tracking.media.video": ["Video"],
    "weft.tracking.payloads.content": ["Content"],
    "weft.tracking.registry.linking": ["link_artifact", "promote", "unlink"],
    "weft.tracking.runs.activerun": [
        "alert",
        "define_metric",
        "finish",
        "join",
        "link_model",
        "log",
        "log_artifact",
        "log_code",
        "log_model",
        "mark_preempting",
        "pin_config_keys",
        "restore",
        "save",
        "unwatch",
        "use_artifact",
        "use_model",
        "watch",
        "write_logs",
    ],
    "weft.tracking.runs.alerts": ["AlertLevel"],
    "weft.tracking.runs.config": ["Config"],
    "weft.tracking.runs.run": ["Run"],
    "weft.tracking.settings": ["Settings"],
    "weft.tracking.tables": ["JoinedTable", "Table"],
}
_OWNER = {name: module for module, names in _HOMES.items() for name in names}
_STAND_INS = ("apis", "data_types", "keras", "lightgbm", "sdk", "wandb_run", "xgboost")
"""Modules of wandb's that scripts name in annotations and calls: `wandb.sdk.wandb_run.Run`."""
_MODULES = {"integration": "weft.integration", "sklearn": "weft.integrations.sklearn"}
"""wandb's names of modules: `wandb.sklearn.plot_roc(...)`. They need their libraries, so `*` is without them."""
_OF_THE_RUN = ("config", "run", "summary")
"""Looked up anew each time: they belong to the run that is active now."""

__all__ = sorted([*_OWNER, *_OF_THE_RUN, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _OF_THE_RUN:
        return getattr(import_module("weft.lifecycle"), f"active_{name}")()
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _STAND_INS:
        return import_module("weft.integrations.wandb").stand_in(name)
    owner = _OWNER.get(name)
    if owner is None:
        raise AttributeError(
            f"module 'weft' has no attribute {name!r}; docs/wandb.md says what it has of wandb, and what else to do"
        )
    value = getattr(import_module(owner), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _FrontDoor(ModuleType):
    """This module. `wandb.config = {...}`, as wandb's first tutorials had it, is heard, and hides no run's config."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "config":
            import_module("weft.lifecycle").set_config(value)
        else:
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        """By its name, as cloudpickle keeps plain modules: functions that use weft travel to workers."""
        return import_module, (self.__name__,)


sys.modules[__name__].__class__ = _FrontDoor
