"""What is read out of requests and responses, those of servers that only nearly speak OpenAI's protocol among them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from weft.tracer.integrations import openai_calls, openai_settings
from weft.tracer.integrations.openai_calls import CHAT, EMBEDDINGS, FETCH, RESPONSES, server_of, usage_of
from weft.tracer.integrations.openai_media import audio_of, upload_inputs
from weft.tracer.integrations.operations import Server, call_of, error_attributes, given


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (None, None),
        ("many", None),
        ({}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, {"input_tokens": 0, "output_tokens": 0}),
        ({"prompt_tokens": 5, "prompt_tokens_details": None}, {"input_tokens": 5}),
        ({"prompt_tokens": "5", "completion_tokens": True}, None),
        (
            {"prompt_tokens": 9, "prompt_cache_hit_tokens": 4, "prompt_tokens_details": {"cached_tokens": 0}},
            {"input_tokens": 9, "cache_read_tokens": 4},
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 8,
                "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 2, "cache_write_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 5},
            },
            {
                "input_tokens": 9,
                "output_tokens": 8,
                "cache_read_tokens": 1,
                "input_audio_tokens": 2,
                "cache_write_tokens": 3,
                "reasoning_tokens": 4,
                "output_audio_tokens": 5,
            },
        ),
        (
            {
                "input_tokens": 50,
                "output_tokens": 4000,
                "input_tokens_details": {"image_tokens": 40, "text_tokens": 10},
                "output_tokens_details": {"image_tokens": 3900, "text_tokens": 100},
            },
            {"input_tokens": 50, "output_tokens": 4000, "input_image_tokens": 40, "output_image_tokens": 3900},
        ),
        (
            {"type": "tokens", "input_tokens": 14, "output_tokens": 3, "input_token_details": {"audio_tokens": 14}},
            {"input_tokens": 14, "output_tokens": 3, "input_audio_tokens": 14},
        ),
        ({"type": "duration", "seconds": 9}, None),
    ],
)
def test_usage_is_named_as_opentelemetry_does_and_what_is_unknown_stays_unknown(reported, usage) -> None:
    assert usage_of(reported) == usage


def resource(host: str, client: str = "OpenAI", **more):
    made = type(client, (), {})()
    made.__dict__.update(base_url=SimpleNamespace(host=host, port=None), **more)
    return SimpleNamespace(_client=made)


@pytest.mark.parametrize(
    ("host", "client", "version", "provider", "asks"),
    [
        ("api.openai.com", "OpenAI", None, "openai", True),
        ("eu.api.openai.com", "AsyncOpenAI", None, "openai", True),
        ("127.0.0.1", "OpenAI", None, "127.0.0.1", True),
        ("mine.openai.azure.com", "AzureOpenAI", "2024-10-21", "azure.ai.openai", True),
        ("mine.openai.azure.com", "AzureOpenAI", "2024-02-01", "azure.ai.openai", False),
        ("mine.openai.azure.com", "OpenAI", None, "azure.ai.openai", True),
        ("gateway.example", "AsyncAzureOpenAI", "2025-01-01-preview", "azure.ai.openai", True),
        ("api.deepseek.com", "OpenAI", None, "deepseek", True),
        ("api.mistral.ai", "OpenAI", None, "mistral_ai", False),
        ("vllm.example", "OpenAI", None, "vllm.example", False),
        ("notapi.openai.com.evil.example", "OpenAI", None, "notapi.openai.com.evil.example", False),
    ],
)
def test_the_provider_is_known_and_usage_is_asked_for_only_where_that_is_safe(
    host, client, version, provider, asks
) -> None:
    server = server_of(resource(host, client, _api_version=version))
    assert (server.host, server.provider, server.takes_stream_options) == (host, provider, asks)


def test_a_host_that_the_user_vouches_for_is_asked(monkeypatch) -> None:
    monkeypatch.setattr(openai_settings, "stream_usage_hosts", {"vllm.example"})
    assert server_of(resource("vllm.example")).takes_stream_options


def test_how_to_send_is_not_what_was_asked() -> None:
    arguments = given({"model": "m", "messages": iter([{"role": "user"}]), "stop": None, "timeout": 3})
    arguments |= {"extra_headers": {"authorization": "sk-secret"}, "extra_body": {"top_k": 5}}
    call = call_of(CHAT, arguments, Server("h", 80, "h"))
    assert call.inputs == {"model": "m", "messages": [{"role": "user"}], "top_k": 5}
    assert call.name == "chat m"
    assert call_of(EMBEDDINGS, {}, Server("h", None, "h")).name == "embeddings"


def test_a_response_that_failed_says_so() -> None:
    failed = {"id": "r", "status": "failed", "error": {"code": "server_error", "message": "out of luck"}}
    assert RESPONSES.read(failed).failure == "out of luck"
    assert RESPONSES.read({"error": None}).failure is None


def test_odd_responses_are_read_as_far_as_they_go() -> None:
    for odd in ({}, {"choices": None}, {"choices": ["x"]}, {"model": 3, "id": 4}, {"choices": [{}]}):
        found = CHAT.read(odd)
        assert (found.output, found.usage, found.model, found.attributes) == (odd, None, None, {})
    assert EMBEDDINGS.read({"data": [{"embedding": "AAAA"}, None]}).output["data"] == [
        {"embedding": {"base64_chars": 4}},
        None,
    ]


def test_an_errors_body_is_kept_as_plain_data() -> None:
    error = ValueError("x")
    error.status_code, error.body, error.request_id = 429, {"message": "slow", "at": object}, "req_1"  # type: ignore[attr-defined]
    found = error_attributes(error, "openai")
    assert found["http.response.status_code"] == 429
    assert found["openai.error"]["message"] == "slow"
    assert found["openai.request_id"] == "req_1"


def test_a_background_response_brings_its_tokens_once_with_the_fetch_that_first_has_it_whole(monkeypatch) -> None:
    monkeypatch.setattr(openai_calls, "background", {})
    usage = {"input_tokens": 5, "output_tokens": 7}
    begun = {"id": "resp_1", "background": True, "status": "queued", "usage": None}
    assert call_of(RESPONSES, {"model": "m", "background": True}, Server("h", None, "h")).kind == "op"
    assert RESPONSES.read(begun).usage is None
    assert FETCH.read(begun | {"status": "in_progress"}).usage is None
    assert FETCH.read(begun | {"status": "completed", "usage": usage}).usage == usage
    assert FETCH.read(begun | {"status": "completed", "usage": usage}).usage is None
    assert FETCH.read({"id": "resp_2", "status": "completed", "usage": usage}).usage is None


def test_uploads_are_described_and_never_read(tmp_path) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(b"RIFF")
    with file.open("rb") as opened:
        found = upload_inputs({"file": opened, "image": [file, ("b.png", b"x", "image/png"), b"RIFF"], "mask": None})
        assert opened.tell() == 0
    assert found["file"] == {"file": "a.wav"}
    path, pair, data = found["image"]
    assert path == {"file": "a.wav"}
    assert (pair.filename, pair.mimetype, pair.data) == ("b.png", "image/png", b"x")
    assert data.data == b"RIFF"
    assert audio_of(b"ID3", "audio/mpeg")["audio"].mimetype == "audio/mpeg"
