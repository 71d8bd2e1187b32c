"""What is read out of requests and responses, those of servers that only nearly speak OpenAI's protocol among them."""

from __future__ import annotations

import pytest

from weft.tracer.integrations.openai_calls import (
    CHAT,
    EMBEDDINGS,
    RESPONSES,
    Server,
    call_of,
    error_attributes,
    given,
    outcome_of,
    usage_of,
)
from weft.tracer.semconv import provider_of


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
    ],
)
def test_usage_is_named_as_opentelemetry_does_and_what_is_unknown_stays_unknown(reported, usage) -> None:
    assert usage_of(reported) == usage


@pytest.mark.parametrize(
    ("host", "provider", "asks"),
    [
        ("api.openai.com", "openai", True),
        ("eu.api.openai.com", "openai", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("mine.openai.azure.com", "azure.ai.openai", False),
        ("api.deepseek.com", "deepseek", False),
        ("notapi.openai.com.evil.example", "notapi.openai.com.evil.example", False),
    ],
)
def test_the_provider_is_known_by_its_host_and_usage_is_asked_for_only_where_that_is_safe(host, provider, asks) -> None:
    assert provider_of(host) == provider
    assert Server(host, None).takes_stream_options is asks


def test_how_to_send_is_not_what_was_asked() -> None:
    arguments = given({"model": "m", "messages": iter([{"role": "user"}]), "stop": None, "timeout": 3})
    arguments |= {"extra_headers": {"authorization": "sk-secret"}, "extra_body": {"top_k": 5}}
    call = call_of(CHAT, arguments, Server("h", 80))
    assert call.inputs == {"model": "m", "messages": [{"role": "user"}], "top_k": 5}
    assert call.name == "chat m"
    assert call_of(EMBEDDINGS, {}, Server("h", None)).name == "embeddings"


def test_a_response_that_failed_says_so() -> None:
    failed = {"id": "r", "status": "failed", "error": {"code": "server_error", "message": "out of luck"}}
    assert outcome_of(RESPONSES, failed).failure == "out of luck"
    assert outcome_of(RESPONSES, {"error": None}).failure is None


def test_odd_responses_are_read_as_far_as_they_go() -> None:
    for odd in ({}, {"choices": None}, {"choices": ["x"]}, {"model": 3, "id": 4}, {"choices": [{}]}):
        found = outcome_of(CHAT, odd)
        assert (found.output, found.usage, found.model, found.attributes) == (odd, None, None, {})
    assert outcome_of(EMBEDDINGS, {"data": [{"embedding": "AAAA"}, None]}).output["data"] == [
        {"embedding": {"base64_chars": 4}},
        None,
    ]


def test_an_errors_body_is_kept_as_plain_data() -> None:
    error = ValueError("x")
    error.status_code, error.body, error.request_id = 429, {"message": "slow", "at": object}, "req_1"  # type: ignore[attr-defined]
    found = error_attributes(error)
    assert found["http.response.status_code"] == 429
    assert found["openai.error"]["message"] == "slow"
    assert found["openai.request_id"] == "req_1"
