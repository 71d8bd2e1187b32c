"""Models: anything that answers a row. A function, a coroutine function, an op, or an object with `predict`."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict

from weft.evals.arguments import Parameters, is_async
from weft.tracking.errors import UsageError


class Model(BaseModel):
    """Base of models with settings: fields are the settings, `predict` answers. Sync or async.

    ```python
    class Answerer(weft.Model):
        prompt: str
        temperature: float = 0.0
        def predict(self, question): ...
    ```
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", protected_namespaces=()
    )
    name: str | None = None
    """How results call it; the class's name where none is given."""

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Answer one row. Ask by parameter name for columns of the dataset; other columns are ignored."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """A model, ready to be called."""

    name: str
    function: Callable[..., Any]
    parameters: Parameters
    is_async: bool
    params: Mapping[str, Any]
    """The settings of a class model."""
    version: str | None
    """Digest of its code."""
    artifacts: tuple[Any, ...] = ()
    """The versions of artifacts among its settings: what it is made of, and so what is evaluated."""

    @classmethod
    def of(cls, given: object) -> ModelPlan:
        """Read a model as the user gave it.

        Raises:
            UsageError: it is no model, a class instead of an instance, or has no `predict` of its own.
        """
        if isinstance(given, type):
            raise UsageError(f"model {given.__name__} is a class; give an instance: {given.__name__}(...)")
        if isinstance(given, Model) and type(given).predict is Model.predict:
            raise UsageError(
                f"model {type(given).__name__} has no `predict` of its own; write def predict(self, question): ..."
            )
        method = getattr(given, "predict", None)
        if callable(method):
            name = getattr(given, "name", None) or type(given).__name__
            settings = _settings(given)
            held = tuple(value for value in _state(given).values() if is_version(value))
            params = {key: _address(value) if is_version(value) else value for key, value in settings.items()}
            return dataclasses.replace(cls._made(str(name), cast(Callable[..., Any], method), params), artifacts=held)
        if not callable(given):
            raise UsageError(f"{given!r} is no model; a model is a function, or an object with a method `predict`")
        return cls._made(getattr(given, "__name__", None) or type(given).__name__, given, {})

    def pick(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """The model's arguments out of a row. One that takes `**kwargs` does not get what is expected of it."""
        picked = self.parameters.pick(columns)
        if self.parameters.rest and "expected" not in (*self.parameters.required, *self.parameters.optional):
            picked.pop("expected", None)
        return picked

    @classmethod
    def _made(cls, name: str, function: Callable[..., Any], params: Mapping[str, Any]) -> ModelPlan:
        parameters = Parameters.of(function, f"model {name!r}")
        return cls(name, function, parameters, is_async(function), params, code_digest(function))


def is_op(function: object) -> bool:
    """Whether it was decorated with `@op`, so that it opens a span of its own."""
    target = getattr(function, "__func__", function)
    return all(hasattr(target, name) for name in ("__wrapped__", "kind", "call"))


def _state(given: object) -> Mapping[str, Any]:
    """All that it holds."""
    if isinstance(given, BaseModel):
        return {key: getattr(given, key) for key in type(given).model_fields}
    if dataclasses.is_dataclass(given):
        return {item.name: getattr(given, item.name) for item in dataclasses.fields(given)}
    state: dict[str, Any] = getattr(given, "__dict__", {})
    return state


def is_version(value: object) -> bool:
    """Whether it is a version of an artifact; who has one has imported its class."""
    kinds = [
        getattr(sys.modules[home], kind)
        for home, kind in (
            ("weft.tracking.artifacts.versions", "ArtifactVersion"),
            ("weft.tracking.artifacts.artifact", "Artifact"),
        )
        if home in sys.modules
    ]
    return isinstance(value, tuple(kinds))


def _address(version: Any) -> str:
    """`project/name:v3`."""
    return f"{version.bare_name}:{version.digest}" if version.is_draft() else str(version.qualified_name)


def _settings(given: object) -> dict[str, Any]:
    if isinstance(given, BaseModel):
        return {key: getattr(given, key) for key in type(given).model_fields if key != "name"}
    if dataclasses.is_dataclass(given):
        return {item.name: getattr(given, item.name) for item in dataclasses.fields(given) if item.name != "name"}
    plain = (str, int, float, bool, type(None))
    state: dict[str, Any] = getattr(given, "__dict__", {})
    return {key: value for key, value in state.items() if isinstance(value, plain) and not key.startswith("_")}


def code_digest(function: Callable[..., Any]) -> str | None:
    """12 hex digits of the sha256 of a function's source; None where there is no source (typed in, built in)."""
    target = inspect.unwrap(getattr(function, "__func__", function))
    try:
        return hashlib.sha256(inspect.getsource(target).encode()).hexdigest()[:12]
    except (OSError, TypeError):
        return None
