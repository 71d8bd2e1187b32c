"""Prompts as data: templates with named places, formatted without ever evaluating anything, kept as versions.

`weft.publish` keeps one, `weft.get` brings it back; formatting one inside a call says on its span which version it was.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from weft.tracer import semconv
from weft.tracer.context import current_span
from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.errors import UsageError
from weft.tracking.payloads.redaction import redact

ARTIFACT_TYPE = "prompt"
PROMPT_FILE = "prompt.json"
_NAME = r"([^\W\d]\w*)"
_PLACE = re.compile(rf"\{{\{{\{{{_NAME}\}}\}}\}}|\{{\{{{_NAME}\}}\}}|\{{{_NAME}\}}")
"""Its groups: `{{{name}}}`, the value in braces; `{{name}}`, the text `{name}`; `{name}`, a place. Any other brace is
itself, so JSON needs no escapes and `{x.__class__}` reaches nothing."""


@dataclass(frozen=True)
class Prompt:
    """A text with places: `Prompt("Answer in {language}.", name="style")`.

    Raises:
        UsageError: the template is no text.

    Example:
        >>> Prompt("Answer in {language}.").format(language="French")
        'Answer in French.'
    """

    template: str
    """`{name}` is a place, `{{name}}` the text `{name}`, `{{{name}}}` the value in braces; others are themselves."""
    name: str = ""
    """What it is published under."""
    description: str | None = None
    ref: str | None = field(default=None, compare=False)
    """Which published version it is; set by `weft.publish` and `weft.get`."""

    def __post_init__(self) -> None:
        if not isinstance(self.template, str):
            raise UsageError(f"a Prompt's template is text, not {self.template!r:.80}. MessagesPrompt takes messages")

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of its places, in order of appearance."""
        return tuple(dict.fromkeys(_places(self.template)))

    def format(self, /, **variables: Any) -> str:
        """The text with its places filled by `str()` of the values; names that it has no place for are left aside.

        Raises:
            UsageError: a place has no value; the message names those missing and those given.
        """
        _check_given(self, variables)
        _tell(self)
        return _fill(self.template, variables)

    def diff(self, other: Prompt) -> str:
        """What is different in another, as a unified diff; empty when nothing is."""
        return _diff(self, other, str(self), str(other))

    def to_artifact(self) -> Artifact:
        """As an artifact of type "prompt", not yet logged; the same template is the same version."""
        return _artifact(self, {"template": self.template})

    def __str__(self) -> str:
        return self.template


@dataclass(frozen=True)
class MessagesPrompt:
    """Chat messages with places in their contents, and places for whole messages: `{"placeholder": "history"}`.

    Raises:
        UsageError: a message is no dict with a role, or holds what JSON does not.

    Example:
        >>> prompt = MessagesPrompt([{"role": "system", "content": "Be {tone}."}, {"placeholder": "history"}])
        >>> prompt.format(tone="brief", history=[{"role": "user", "content": "Hi"}])
        [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hi'}]
    """

    messages: Sequence[Mapping[str, Any]]
    """Texts anywhere in a message but its role may hold places; one that is nothing but a place may become a list or a
    dict (parts of a message)."""
    name: str = ""
    description: str | None = None
    ref: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.messages, str | Mapping) or not isinstance(self.messages, Sequence):
            raise UsageError(f"a MessagesPrompt takes a list of messages, not {self.messages!r:.80}")
        try:
            copied = orjson.loads(orjson.dumps(list(self.messages)))
        except TypeError as error:
            raise UsageError(f"a MessagesPrompt holds plain JSON only: {error}") from None
        for index, message in enumerate(copied):
            if not isinstance(message, dict) or not isinstance(message.get("role", message.get("placeholder")), str):
                raise UsageError(
                    f"message {index} of a MessagesPrompt is {message!r:.80}; "
                    'it must be {"role": ..., "content": ...} or {"placeholder": "name"}'
                )
        object.__setattr__(self, "messages", copied)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of its places, in order of appearance."""
        return tuple(dict.fromkeys(name for message in self.messages for name in _message_places(message)))

    def format(self, /, **variables: Any) -> list[dict[str, Any]]:
        """The messages with their places filled; a new list each time.

        Raises:
            UsageError: a place has no value, or a placeholder's is no list of messages.
        """
        _check_given(self, variables)
        _tell(self)
        filled: list[dict[str, Any]] = []
        for message in self.messages:
            if "placeholder" in message:
                filled += _messages_of(message["placeholder"], variables)
            else:
                filled.append(
                    {key: item if key == "role" else _fill_in(item, variables) for key, item in message.items()}
                )
        return filled

    def diff(self, other: MessagesPrompt) -> str:
        """What is different in another, as a unified diff; empty when nothing is."""
        return _diff(self, other, str(self), str(other))

    def to_artifact(self) -> Artifact:
        """As an artifact of type "prompt", not yet logged; the same messages are the same version."""
        return _artifact(self, {"messages": self.messages})

    def __str__(self) -> str:
        return orjson.dumps(self.messages, option=orjson.OPT_INDENT_2).decode()


def from_version(version: ArtifactVersion, ref: str) -> Prompt | MessagesPrompt:
    """The prompt that an artifact of type "prompt" holds.

    Raises:
        NotFoundError: the artifact has no such file.
        UsageError: what is in it is no prompt.
    """
    with version.open(PROMPT_FILE) as file:
        held = orjson.loads(file.read())
    if isinstance(held, dict) and "template" in held:
        return Prompt(held["template"], version.bare_name, version.description, ref)
    if isinstance(held, dict) and "messages" in held:
        return MessagesPrompt(held["messages"], version.bare_name, version.description, ref)
    raise UsageError(f"{ref} is of type prompt but holds no template and no messages")


def _artifact(prompt: Prompt | MessagesPrompt, held: Mapping[str, Any]) -> Artifact:
    if not prompt.name:
        raise UsageError(
            'a prompt is published under a name: Prompt(..., name="style") or weft.publish(p, name="style")'
        )
    artifact = Artifact(
        prompt.name, ARTIFACT_TYPE, prompt.description, metadata={**held, "variables": list(prompt.variables)}
    )
    rt = runtime.active()
    clean = orjson.loads(redact(orjson.dumps(held), rt.faults, rt.settings.redact))
    artifact.add_bytes(orjson.dumps(clean, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2), PROMPT_FILE)
    return artifact


def _places(text: str) -> Iterator[str]:
    return (name for found in _PLACE.finditer(text) if (name := found.group(1) or found.group(3)))


def _message_places(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _places(value)
    elif isinstance(value, Mapping):
        if isinstance(value.get("placeholder"), str) and "role" not in value:
            yield value["placeholder"]
            return
        for key, item in value.items():
            if key != "role":
                yield from _message_places(item)
    elif isinstance(value, list):
        for item in value:
            yield from _message_places(item)


def _check_given(prompt: Prompt | MessagesPrompt, variables: Mapping[str, Any]) -> None:
    missing = [name for name in prompt.variables if name not in variables]
    if missing:
        given = f"given: {', '.join(variables)}" if variables else "none was given"
        called = f"prompt {prompt.name!r}" if prompt.name else "the prompt"
        raise UsageError(f"{called} needs {', '.join(missing)}; {given}")


def _fill(text: str, variables: Mapping[str, Any]) -> str:
    def value(found: re.Match[str]) -> str:
        braced, literal, place = found.groups()
        filled = literal or str(variables[braced or place])
        return filled if place else f"{{{filled}}}"

    return _PLACE.sub(value, text)


def _fill_in(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        whole = _PLACE.fullmatch(value)
        given = variables[whole.group(3)] if whole and whole.group(3) else None
        return given if isinstance(given, list | dict) else _fill(value, variables)
    if isinstance(value, Mapping):
        return {key: _fill_in(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill_in(item, variables) for item in value]
    return value


def _messages_of(name: str, variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = variables[name]
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise UsageError(f"the placeholder {name!r} takes a list of messages, not {given!r:.80}")
    return list(given)


def _tell(prompt: Prompt | MessagesPrompt) -> None:
    """On the span that is open: which version was formatted."""
    span = current_span() if prompt.ref is not None else None
    if span is not None:
        span.set_attributes({semconv.PROMPT_NAME: prompt.name, f"weft.prompt.{prompt.name}": prompt.ref or ""})


def _diff(old: Any, new: Any, before: str, after: str) -> str:
    label: Callable[[Any, str], str] = lambda prompt, other: prompt.ref or prompt.name or other  # noqa: E731
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), label(old, "this"), label(new, "other"), lineterm=""
    )
    return "\n".join(lines)
