"""Traces the openai client, majors 2 and 3: every call that reaches a model; sync, async, whole, streamed and raw.

`install()` wraps methods of its resource classes, `uninstall()` puts them back. `weft.instrument()` calls both.
What the user gets, and what is raised, is what the client gives. Calls about files, stores or jobs are no model's work
and make no span.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from openai import AsyncStream, Stream
from openai._base_client import AsyncAPIClient, BaseClient, SyncAPIClient

from weft.tracer.integrations import retries
from weft.tracer.integrations.openai_calls import (
    BATCH,
    CHAT,
    COMPACT,
    COMPLETION,
    EMBEDDINGS,
    FETCH,
    IMAGE,
    MODERATION,
    REALTIME_SECRET,
    RESPONSES,
    SPEECH,
    TRANSCRIPTION,
    server_of,
)
from weft.tracer.integrations.operations import Operation
from weft.tracer.integrations.patches import Patches
from weft.tracer.integrations.recording import Client, traced, traced_async

_RESOURCES: Final[tuple[tuple[str, str, dict[str, Operation]], ...]] = (
    ("chat.completions", "Completions", {"create": CHAT, "parse": CHAT}),
    ("responses", "Responses", {"create": RESPONSES, "parse": RESPONSES, "retrieve": FETCH}),
    ("embeddings", "Embeddings", {"create": EMBEDDINGS}),
    ("completions", "Completions", {"create": COMPLETION}),
    ("moderations", "Moderations", {"create": MODERATION}),
    ("images", "Images", {"generate": IMAGE, "edit": IMAGE, "create_variation": IMAGE}),
    ("audio.speech", "Speech", {"create": SPEECH}),
    ("audio.transcriptions", "Transcriptions", {"create": TRANSCRIPTION}),
    ("audio.translations", "Translations", {"create": TRANSCRIPTION}),
    ("realtime.client_secrets", "ClientSecrets", {"create": REALTIME_SECRET}),
    ("batches", "Batches", {"create": BATCH}),
)
"""Module below `openai.resources`, the class in it (and its Async twin), and the methods traced."""
_LATER: Final[tuple[tuple[str, str, dict[str, Operation]], ...]] = (("responses", "Responses", {"compact": COMPACT}),)
"""What early releases of major 2 have not: traced where it is."""

_client = Client("openai", server_of, (Stream, AsyncStream), Patches("openai"))


def install() -> None:
    """Trace every client, those that exist already too. Harmless when repeated."""
    _client.active = True
    for module, name, methods in (*_RESOURCES, *_LATER):
        resources = import_module(f"openai.resources.{module}")
        for owner_name, wrapper in ((name, traced), (f"Async{name}", traced_async)):
            owner = getattr(resources, owner_name, None)
            for method, operation in methods.items():
                if owner is None:
                    _client.patches.missing(f"openai.resources.{module}.{owner_name}")
                elif hasattr(owner, method) or (module, name, methods) not in _LATER:
                    _client.patches.wrap(owner, method, _wrapping(wrapper, operation))
    retries.install(_client.patches, BaseClient, SyncAPIClient, AsyncAPIClient)


def uninstall() -> None:
    """Put the client's own methods back."""
    _client.active = False
    _client.patches.restore()


def _wrapping(
    wrapper: Callable[..., Callable[..., Any]], operation: Operation
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return functools.partial(wrapper, client=_client, operation=operation)
