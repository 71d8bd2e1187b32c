"""What the agent talks to: a provider on loopback that the demo starts itself, or the one of `OPENAI_*`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from weft.demo.answerer import answer
from weft.testing.provider import LoopbackProvider
from weft.tracking.errors import Error, MissingExtraError, UsageError

if TYPE_CHECKING:
    from openai import OpenAI

MODEL = "gpt-4o-mini"
"""The model asked for where `OPENAI_MODEL` names none, and the name under which the loopback provider serves."""


class ProviderError(Error):
    """The provider did not answer; the message says which one and what to do."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A client that is ready, and words for it."""

    client: OpenAI
    model: str
    description: str


@contextmanager
def connect(*, live: bool, env: Mapping[str, str] | None = None) -> Iterator[Connection]:
    """A connection for the length of a block.

    Args:
        live: the provider of `OPENAI_API_KEY`, `OPENAI_BASE_URL` and `OPENAI_MODEL`; else one on loopback.

    Raises:
        MissingExtraError: the openai package is not installed.
        UsageError: `live`, and there is no key.
        ProviderError: what the block's calls met at the provider: down, refused, rate limited.
    """
    try:
        import openai  # an extra
    except ImportError as error:
        raise MissingExtraError("the demo", "openai") from error
    if live:
        env = os.environ if env is None else env
        if not env.get("OPENAI_API_KEY"):
            raise UsageError("--live needs a provider, but OPENAI_API_KEY is not set. Set it, or leave --live out")
        base_url = env.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        model = env.get("OPENAI_MODEL") or MODEL
        where = urlsplit(base_url).netloc or base_url
        with openai.OpenAI(api_key=env["OPENAI_API_KEY"], base_url=base_url) as client, _explained(where):
            yield Connection(client, model, f"{where}, model {model}, with the key of OPENAI_API_KEY")
        return
    with (
        LoopbackProvider(answer, models=(MODEL,)) as provider,
        # Not by way of a proxy that the environment names: it could not reach this machine's loopback.
        openai.OpenAI(
            api_key="loopback",
            base_url=provider.base_url,
            http_client=openai.DefaultHttpxClient(trust_env=False),
        ) as client,
        _explained(provider.base_url),
    ):
        words = f"an extractive answerer on {provider.base_url}, serving as {MODEL} (--live asks a real one)"
        yield Connection(client, MODEL, words)


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turn the client's errors into one line with a way out."""
    import openai

    try:
        yield
    except openai.AuthenticationError as error:
        raise ProviderError(f"{where} refused the key ({_said(error)}). Set OPENAI_API_KEY to one it knows") from error
    except openai.RateLimitError as error:
        raise ProviderError(
            f"{where} said too many requests, after retries ({_said(error)}). Wait a minute, or check the quota"
        ) from error
    except openai.APIConnectionError as error:
        raise ProviderError(
            f"{where} cannot be reached ({error.__cause__ or error}). Check OPENAI_BASE_URL and the network"
        ) from error
    except openai.APIStatusError as error:
        raise ProviderError(
            f"{where} answered {error.status_code} ({_said(error)}). Check OPENAI_BASE_URL and OPENAI_MODEL"
        ) from error


def _said(error: Exception) -> str:
    body = getattr(error, "body", None)
    return str(body.get("message")) if isinstance(body, dict) and body.get("message") else str(error)
