"""`publish`, `ref`, `get`: objects as versions of artifacts, and back. Nothing that is stored is ever executed.

The front door's part: it knows which folder of weft reads which type of artifact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, overload
from urllib.parse import quote, unquote

import orjson

from weft.tracking import names, runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.recording import log_version
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.payloads.encoding import decode, encode
from weft.tracking.payloads.objects import Tagged, type_name
from weft.tracking.payloads.redaction import redact
from weft.tracking.tables import Table

if TYPE_CHECKING:
    from weft.tracking.artifacts.versions import ArtifactVersion

T = TypeVar("T")

OBJECT_FILE = "object.json"
OBJECT_TYPE = "object"
PROMPT_TYPE = "prompt"
TABLE_FILE = "table.parquet"
TABLE_TYPE = "table"
_SCHEME = "weft:///"


@dataclass(frozen=True, slots=True)
class Ref:
    """The address of a version; `str()` of it is `weft:///project/name:which`."""

    project: str
    name: str
    which: str = "latest"
    """A digest (sha256 hex, or its first 12 or more digits), `v3`, or an alias."""

    def get(self) -> Any:
        """As `weft.get`."""
        return get(self)

    def __str__(self) -> str:
        return f"{_SCHEME}{quote(self.project)}/{quote(self.name)}:{quote(self.which)}"


def publish(
    obj: Any,
    name: str | None = None,
    *,
    aliases: str | Iterable[str] | None = None,
    description: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Ref:
    """Keep an object as a version: a prompt, a dataset, a table, an op's code, or any data that JSON can tell.

    Equal content is the same version. A dict, list, pydantic model or dataclass comes back as plain data. Secrets are
    replaced as in spans; the rows of a Dataset or Table stay as they are.

    Args:
        name: what it is called; default the object's own `name`.
        aliases: besides `latest`, which the newest version always has.

    Returns:
        Its address, by digest: it stays what it is, whatever is published later.

    Raises:
        UsageError: it has no name, or holds something that could not be brought back (a client, an open file).

    Example:
        >>> weft.publish(weft.Prompt("Answer in {language}.", name="style"), aliases="production")
        >>> weft.get("style:production").format(language="French")
    """
    chosen = [alias for alias in names.check_aliases(aliases) if alias != "latest"]
    artifact = _artifact_of(obj, name)
    if description is not None:
        artifact.description = names.check_text("a description", description)
    if metadata is not None:
        artifact.metadata.update(metadata)
    rt = runtime.active()
    project = rt.run.project if rt.run is not None else rt.settings.project
    log_version(rt, artifact, project=project, aliases=chosen, made_by=rt.run.uid if rt.run is not None else None)
    address = Ref(project, artifact.bare_name, artifact.digest)
    if artifact.type == PROMPT_TYPE and hasattr(obj, "ref"):
        object.__setattr__(obj, "ref", str(address))  # frozen for users: calls that format it tell its version
    return address


def ref(text: str | Ref) -> Ref:
    """An address of `name`, `name:alias`, `name:v3`, `name:<digest>`, each perhaps after `project/`, or a full one.

    Raises:
        UsageError: it is no address.
    """
    if isinstance(text, Ref):
        return text
    from weft.tracking.artifacts.finding import Reference  # what only publishes need not load it

    if isinstance(text, str) and text.startswith(_SCHEME):
        text = unquote(text.removeprefix(_SCHEME))
    parsed = Reference.parse(text)
    return Ref(parsed.project or _project(), parsed.name, parsed.which)


@overload
def get(address: str | Ref) -> Any: ...
@overload
def get(address: str | Ref, as_type: Callable[..., T]) -> T: ...
def get(address: str | Ref, as_type: Any = None) -> Any:
    """What was published under an address. Within a run it is recorded as one of its inputs.

    Args:
        as_type: a class (pydantic model, dataclass, TypedDict) to make of the data; stored class names are not trusted.

    Returns:
        A Prompt, MessagesPrompt, Dataset or Table, plain data, or, for an artifact of files, its version.

    Raises:
        NotFoundError: there is no such version; the message lists those there are.
        UsageError: it is no address, or the data does not fit `as_type`.
        StoreError: the store cannot be read.
    """
    wanted = ref(address)
    from weft.tracking.artifacts.finding import find  # late, as above

    rt = runtime.active()
    text = f"{wanted.project}/{wanted.name}:{wanted.which}"
    try:
        version = rt.run.use_artifact(text) if rt.run is not None else find(text, wanted.project, Blobs(rt.home))
    except NotFoundError as error:
        if rt.recording:
            raise
        raise NotFoundError(
            f"{error}. Nothing is recorded in mode disabled, what publish() was given neither"
        ) from None
    value = _value(version, str(replace(wanted, which=version.digest)))
    return value if as_type is None else _as(value, as_type, text)


def _artifact_of(obj: Any, name: str | None) -> Artifact:
    if isinstance(obj, Artifact):
        return obj
    if hasattr(obj, "to_artifact"):
        if name is not None and hasattr(obj, "__dataclass_fields__"):
            obj = replace(obj, name=names.check_artifact(name))
        artifact: Artifact = obj.to_artifact()
        if name is not None:
            artifact.bare_name = names.check_artifact(name)
        return artifact
    called = name or getattr(obj, "name", None)
    if not isinstance(called, str) or not called:
        raise UsageError(f"weft.publish() needs a name for {type(obj).__name__}: weft.publish(obj, name=...)")
    if callable(obj) and not isinstance(obj, type):
        from weft.tracer import codeversion  # it reads source: only who publishes code pays

        made = codeversion.artifact_of(obj, called)
        if made is None:
            raise UsageError(f"weft.publish() found no code behind {obj!r:.80}")
        return made
    if isinstance(obj, Table):
        made = Artifact(names.check_artifact(called), TABLE_TYPE)
        made.add(obj, TABLE_FILE)
        return made
    artifact = Artifact(names.check_artifact(called), OBJECT_TYPE, metadata={"class": type_name(type(obj))})
    artifact.add_bytes(_object(obj), OBJECT_FILE)
    return artifact


def _object(obj: Any) -> bytes:
    """Canonical JSON of the value, in the tagged form, secrets out."""
    rt = runtime.active()
    data = encode(obj, store_blob=Blobs(rt.home).put if rt.recording else None)
    lost = _lost(decode(data), "")
    if lost is not None:
        raise UsageError(
            f"weft.publish() cannot keep {lost}: publish plain data (texts, numbers, lists, dicts, models)"
        )
    data = redact(data, rt.faults, rt.settings.redact)
    return orjson.dumps(orjson.loads(data), option=orjson.OPT_SORT_KEYS)


def _lost(value: Any, where: str) -> str | None:
    """The first part that is only described, and so could not come back."""
    if isinstance(value, Tagged):
        return f"{value.value.get('type', value.kind)} at {where or 'the top'}" if value.kind in _LOSSY else None
    if isinstance(value, Mapping):
        parts: Iterable[tuple[Any, Any]] = value.items()
    else:
        parts = enumerate(value) if isinstance(value, list | tuple) else ()
    return next((lost for key, item in parts if (lost := _lost(item, f"{where}.{key}".lstrip("."))) is not None), None)


_LOSSY = ("repr", "ref", "truncated", "unrecorded")


def _value(version: ArtifactVersion, address: str) -> Any:
    if version.type == PROMPT_TYPE:
        from weft.tracer import prompts

        return prompts.from_version(version, address)
    if version.type == "dataset":
        from weft.evals.dataset import Dataset

        with version.open("rows.jsonl") as file:
            return Dataset([decode(line) for line in file], name=version.bare_name, description=version.description)
    if version.type == TABLE_TYPE and TABLE_FILE in version.manifest:
        return version.get(TABLE_FILE)
    if version.type == OBJECT_TYPE and OBJECT_FILE in version.manifest:
        with version.open(OBJECT_FILE) as file:
            return decode(file.read())
    return version


def _as(value: Any, as_type: Any, text: str) -> Any:
    from pydantic import TypeAdapter, ValidationError  # late: 0.1 s that only who asks for a class pays

    try:
        return TypeAdapter(as_type).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{text} does not fit {as_type!r:.80}: {where or 'it'}: {first['msg']}") from None


def _project() -> str:
    rt = runtime.active()
    return rt.run.project if rt.run is not None else rt.settings.project
