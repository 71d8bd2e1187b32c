"""Traces the anthropic client: messages, whole, streamed and by its `stream()` helper; sync, async, raw and beta.

The package's clients for Bedrock, Vertex and Foundry share these classes and are traced with them. Counting tokens is
no model's work and makes no span; a batch is sent as one, its answers come without a call.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Generator
from importlib import import_module
from typing import Any, Final

from anthropic import AsyncStream, Stream
from anthropic._base_client import AsyncAPIClient, BaseClient, SyncAPIClient

from weft.tracer.integrations import retries
from weft.tracer.integrations.anthropic_calls import BATCH, COMPLETION, MESSAGES, server_of
from weft.tracer.integrations.operations import Operation
from weft.tracer.integrations.patches import Patches
from weft.tracer.integrations.recording import Client, begin, requested, requested_async, traced, traced_async

_RESOURCES: Final[tuple[tuple[str, str, dict[str, Operation]], ...]] = (
    ("anthropic.resources.messages", "Messages", {"create": MESSAGES}),
    ("anthropic.resources.beta.messages", "Messages", {"create": MESSAGES}),
    ("anthropic.resources.messages.batches", "Batches", {"create": BATCH}),
)
_LATER: Final[tuple[tuple[str, str, dict[str, Operation]], ...]] = (
    ("anthropic.resources.messages", "Messages", {"parse": MESSAGES}),
    ("anthropic.resources.beta.messages", "Messages", {"parse": MESSAGES}),
    ("anthropic.resources.completions", "Completions", {"create": COMPLETION}),
)
"""What not every version has: traced where it is."""
_HELPERS = ("anthropic.resources.messages", "anthropic.resources.beta.messages")
_PLATFORM_BETAS = ("anthropic.lib.bedrock._beta_messages", "anthropic.lib.vertex._beta_messages")
"""Modules whose classes copy the beta methods from the first-party ones when they are imported, which is before us."""

_client = Client("anthropic", server_of, (Stream, AsyncStream), Patches("anthropic"))


def install() -> None:
    """Trace every client, those that exist already too. Harmless when repeated."""
    _client.active = True
    for entry in (*_RESOURCES, *_LATER):
        module, name, methods = entry
        for owner, asynchronous in _owners(module, name, required=entry not in _LATER):
            for method, operation in methods.items():
                if entry not in _LATER or hasattr(owner, method):
                    _wrap(owner, method, operation, asynchronous)
    for module in _HELPERS:
        for owner, _ in _owners(module, "Messages", required=True):
            _client.patches.wrap(owner, "stream", _helped)
    for module in _PLATFORM_BETAS:
        for owner, asynchronous in _owners(module, "Messages", required=False):
            for method in ("create", "parse"):
                if method in vars(owner):
                    _wrap(owner, method, MESSAGES, asynchronous)
            if "stream" in vars(owner):
                _client.patches.wrap(owner, "stream", _helped)
    retries.install(_client.patches, BaseClient, SyncAPIClient, AsyncAPIClient)


def uninstall() -> None:
    """Put the client's own methods back."""
    _client.active = False
    _client.patches.restore()


def _owners(module: str, name: str, *, required: bool) -> list[tuple[type, bool]]:
    """The class and its Async twin, and whether it is that."""
    try:
        found = import_module(module)
    except ImportError:  # the package lacks it, or the platform's own extra is not installed
        found = None
    owners = []
    for owner_name, asynchronous in ((name, False), (f"Async{name}", True)):
        owner = getattr(found, owner_name, None)
        if owner is not None:
            owners.append((owner, asynchronous))
        elif required:
            _client.patches.missing(f"{module}.{owner_name}")
    return owners


def _wrap(owner: type, method: str, operation: Operation, asynchronous: bool) -> None:
    wrapper = traced_async if asynchronous else traced
    # A class may hold a function of another one that is wrapped already.
    if getattr(vars(owner).get(method), "__wrapped__", None) is None or not _is_ours(vars(owner)[method]):
        _client.patches.wrap(owner, method, functools.partial(wrapper, client=_client, operation=operation))


def _is_ours(function: Any) -> bool:
    return getattr(getattr(function, "__code__", None), "co_filename", "") == traced.__code__.co_filename


def _helped(original: Callable[..., Any]) -> Callable[..., Any]:
    """`messages.stream()`: its manager sends the request when it is entered, past `create`."""

    @functools.wraps(original)
    def stream(resource: Any, *args: Any, **kwargs: Any) -> Any:
        manager = original(resource, *args, **kwargs)
        if not _client.active:
            return manager
        name = next((name for name in vars(manager) if name.endswith("__api_request")), None)
        if name is None:
            _client.patches.missing(f"{type(manager).__qualname__}.__api_request")
            return manager
        request = getattr(manager, name)
        opening = functools.partial(begin, _client, MESSAGES, resource, kwargs | {"stream": True})
        setattr(
            manager, name, _Requesting(request, opening) if hasattr(request, "__await__") else _sent(request, opening)
        )
        return manager

    return stream


def _sent(request: Callable[[], Any], opening: Callable[[], Any]) -> Callable[[], Any]:
    def send() -> Any:
        tracing = opening()
        return request() if tracing is None else requested(tracing, request)

    return send


class _Requesting:
    """The request of an async manager. No coroutine: one that is never entered must warn once, as without weft."""

    def __init__(self, request: Awaitable[Any], opening: Callable[[], Any]) -> None:
        self._request = request
        self._opening = opening

    def __await__(self) -> Generator[Any, Any, Any]:
        tracing = self._opening()
        if tracing is None:
            return self._request.__await__()
        return requested_async(tracing, lambda: self._request).__await__()
