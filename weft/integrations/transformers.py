"""Hugging Face's Trainer: `Trainer(..., callbacks=[WeftCallback()])`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weft.integrations import recording
from weft.lifecycle import init
from weft.tracking import runtime
from weft.tracking.errors import MissingLibraryError
from weft.tracking.runs.run import Run

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise MissingLibraryError("weft.integrations.transformers", "transformers") from error

AXIS = "train/global_step"
"""The x axis of all that the Trainer logs."""
LOG_MODEL = ("end", "checkpoint", "false")
WATCH = ("gradients", "parameters", "all", "false")
_OF_THE_RUN = ("train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss", "total_flos")
"""What the Trainer logs once, at the end: it belongs to the summary."""
_PREFIX = re.compile(r"(eval|test)_")


class WeftCallback(TrainerCallback):
    """Records what the Trainer logs; its arguments and the model's configuration become the config.

    The active run, where there is one, else a run that is started when the training begins, by the process that leads.
    It goes on after `train()`, for `evaluate` and `predict`; `weft.finish()` or the end of the process ends it. Each
    trial of a hyperparameter search is a run of its own, all of one group.

    Args:
        log_model: `end` keeps the model when the training ends (the best one with `load_best_model_at_end`),
            `checkpoint` each checkpoint as the Trainer saves it, as versions of the artifact `model-<run id or name>`.
            Default `WEFT_LOG_MODEL`, `WANDB_LOG_MODEL`, else `false`.
        watch: `gradients`, `parameters`, `all` or `false`. Default `WEFT_WATCH`, `WANDB_WATCH`, else `false`.
        project: default `WEFT_PROJECT`, `WANDB_PROJECT`, else `huggingface`.
        kwargs: for `weft.init`: tags, group, mode, ...

    Raises:
        UsageError: `log_model` or `watch` is none of these.

    Example:
        >>> trainer = Trainer(model, args, train_dataset=data, callbacks=[WeftCallback(log_model="checkpoint")])
        >>> trainer.train()
    """

    def __init__(
        self, log_model: str | None = None, watch: str | None = None, project: str | None = None, **kwargs: Any
    ) -> None:
        self._log_model = _word("log_model=", log_model, "LOG_MODEL", LOG_MODEL)
        self._watch = _word("watch=", watch, "WATCH", WATCH)
        self._start: dict[str, Any] = {"project": project or recording.variable("PROJECT") or "huggingface", **kwargs}
        self._run: Run | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """A run is found or started; of a trial always a new one."""
        if state.is_hyper_param_search and state.is_world_process_zero:
            active = runtime.active().active_run
            if active is not None:
                active.finish()
            self._run = None
        self._running(args, state, model)

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: Mapping[str, Any] | None = None,
        model: Any = None,
        **kwargs: Any,
    ) -> None:
        """A row of the run, and what belongs to its summary."""
        run = self._running(args, state, model)
        if run is None or not logs:
            return
        run.summary.update({name: value for name, value in logs.items() if name in _OF_THE_RUN})
        run.log(_renamed({name: logs[name] for name in logs if name not in _OF_THE_RUN}) | {AXIS: state.global_step})

    def on_predict(self, args: Any, state: Any, control: Any, metrics: Mapping[str, Any], **kwargs: Any) -> None:
        """The metrics of `predict`."""
        run = self._running(args, state, kwargs.get("model"))
        if run is not None:
            run.log(_renamed(metrics))

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A checkpoint was written; `best` is on that which the Trainer calls the best."""
        run = self._run
        if run is None or self._log_model != "checkpoint" or not state.is_world_process_zero:
            return
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        best = state.best_model_checkpoint is not None and Path(state.best_model_checkpoint) == folder
        epoch = round(state.epoch or 0, 2)
        recording.keep_model(
            run,
            _model_name(run, args),
            folder,
            aliases=[f"epoch_{epoch}", f"checkpoint_global_step_{state.global_step}", *(["best"] if best else [])],
            metadata={"epoch": epoch, "global_step": state.global_step, **_last(state)},
        )

    def on_train_end(
        self, args: Any, state: Any, control: Any, model: Any = None, processing_class: Any = None, **kwargs: Any
    ) -> None:
        """The model as it is now."""
        run = self._run
        if run is None or self._log_model == "false" or not state.is_world_process_zero:
            return

        def write(folder: Path) -> None:
            model.save_pretrained(folder)
            if processing_class is not None:
                processing_class.save_pretrained(folder)

        metadata = {"global_step": state.global_step, "final_model": True, **_last(state)}
        if args.load_best_model_at_end:
            metadata[f"eval/{args.metric_for_best_model}"] = state.best_metric
        recording.keep_model(run, _model_name(run, args), write, aliases=["final_model"], metadata=metadata)

    def _running(self, args: Any, state: Any, model: Any) -> Run | None:
        """The run, in the process that leads; None in others."""
        if not state.is_world_process_zero:
            return None
        if self._run is None or self._run.state != "running":
            self._run = runtime.active().active_run or init(**self._start | _named(args, state))
            self._set_up(self._run, args, state, model)
        return self._run

    def _set_up(self, run: Run, args: Any, state: Any, model: Any) -> None:
        config = args.to_dict()
        if getattr(model, "config", None) is not None:
            own = model.config if isinstance(model.config, Mapping) else model.config.to_dict()
            config = {**own, **config}
        if hasattr(model, "num_parameters"):
            config["model/num_parameters"] = model.num_parameters()
        run.config.update(recording.plain(config), allow_val_change=True)
        run.define_metric(AXIS)
        run.define_metric("*", step_metric=AXIS, step_sync=True)
        if self._watch != "false" and model is not None:
            run.watch(model, log=self._watch, log_freq=max(100, int(state.logging_steps or 0)))


def _word(what: str, given: str | None, variable: str, allowed: tuple[str, ...]) -> str:
    """An argument, else what a variable says."""
    chosen = given if given is not None else (recording.variable(variable) or "false").lower()
    chosen = {"true": allowed[0], "1": allowed[0], "0": "false"}.get(chosen, chosen)
    return str(recording.one_of(f"{what} (or WEFT_{variable})", chosen, allowed))


def _named(args: Any, state: Any) -> dict[str, Any]:
    if state.trial_name is not None:
        return {"name": state.trial_name, "group": args.run_name or args.output_dir}
    return {"name": args.run_name} if args.run_name not in (None, args.output_dir) else {}


def _model_name(run: Run, args: Any) -> str:
    return f"model-{run.id if args.run_name in (None, args.output_dir) else run.name}"


def _renamed(logs: Mapping[str, Any]) -> dict[str, Any]:
    """`eval_loss` as `eval/loss`, `loss` as `train/loss`."""
    return {_PREFIX.sub(r"\1/", name, count=1) if _PREFIX.match(name) else f"train/{name}": logs[name] for name in logs}


def _last(state: Any) -> dict[str, Any]:
    """The last numbers that were logged."""
    return recording.plain(_renamed(state.log_history[-1])) if state.log_history else {}
