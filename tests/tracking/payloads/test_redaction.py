"""Promises of `weft.tracking.payloads.redaction`: no secret is written, no innocent is touched, and it fails closed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking.faults import Faults
from weft.tracking.payloads import redaction
from weft.tracking.payloads.encoding import decode, encode
from weft.tracking.payloads.redaction import is_secret_name, redact, redact_argv, redact_text

SECRETS = {
    "openai": "sk-proj-AbCd1234EfGh5678IjKl",
    "openai-old": "sk-1234567890abcdef1234567890abcdef",
    "anthropic": "sk-ant-api03-abcdefghijklmnop",
    "stripe": "sk_live_abcdefghijklmnop",
    "github": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github-oauth": "gho_abcdefghijklmnopqrstuvwxyz0123456789",
    "github-fine": "github_pat_11ABCDEFG0abcdefghijkl_mnop",
    "gitlab": "glpat-abcdefghijklmnopqrst",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "slack": "xoxb-123456789012-abcdefghijkl",
    "google": "AIzaSyA1234567890abcdefghijklmnopqrstuvw",
    "hugging-face": "hf_abcdefghijklmnopqrstuvwxyz",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
}
NAMES = [
    "api_key",
    "apiKey",
    "API-KEY",
    "OPENAI_API_KEY",
    "x-api-key",
    "Authorization",
    "proxy-authorization",
    "password",
    "db_password",
    "passwd",
    "PWD",
    "passphrase",
    "secret",
    "client_secret",
    "aws_secret_access_key",
    "token",
    "access_token",
    "refreshToken",
    "github_token",
    "id_token",
    "private_key",
    "cookie",
    "Set-Cookie",
    "credentials",
    "jwt",
]
INNOCENT = [
    "max_tokens",
    "input_tokens",
    "token_count",
    "tokens",
    "tokenizer",
    "prompt_tokens",
    "key",
    "keys",
    "primary_key",
    "keyword",
    "author",
    "session_id",
    "secretary",
    "description",
    "question",
    "monkey",
]


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_by_its_look(kind: str) -> None:
    """Alone, inside prose, nested, and inside JSON in a text."""
    secret = SECRETS[kind]
    for value in (
        {"text": secret},
        [secret],
        {"messages": [{"role": "user", "content": f"My key is {secret}, thanks.\nBye"}]},
        {"arguments": json.dumps({"value": secret})},
        {"a": {"b": [{"c": f"({secret})"}]}},
        *[{"line": f"a{before}{secret}{before}b"} for before in '\n\t\r\b\f\x1b\x00 "\\é,;'],
    ):
        clean = redact(encode(value))
        assert secret.encode() not in clean
        assert b"[redacted:" in clean
        json.loads(clean)
    assert secret not in redact_text(f"it is {secret}.")


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_is_found_by_its_name(name: str) -> None:
    """In any spelling, whatever the value looks like, and in keyword maps too."""
    assert is_secret_name(name)
    for value in (
        {name: "hunter2"},
        {"a": [{name: "hunter2"}]},
        {name: "hunter2", 1: 2},
        {"headers": {name: ["hunter2"]}},
    ):
        if name == "token" and isinstance(next(iter(value.values())), dict):
            continue  # a model's token may be anything but a text
        clean = redact(encode(value))
        assert b"hunter2" not in clean
        json.loads(clean)
    inner = json.dumps({"x": 1, name: "hunter2pass"})
    if name.lower() in ("api_key", "password", "access_token", "client_secret", "private_key"):
        assert b"hunter2" not in redact(encode({"arguments": inner}))


@pytest.mark.parametrize("name", INNOCENT)
def test_an_innocent_name_keeps_its_value(name: str) -> None:
    """Names are matched whole."""
    data = encode({name: "some value of it", "other": {name: 17}})
    assert not is_secret_name(name)
    assert redact(data) is data


@pytest.mark.parametrize(
    "text",
    [
        "A task-oriented desk-sized risk-averse agent",
        "joe@example.com wrote: see https://example.com/a?b=c",
        "import sk-learn as sklearn",
        "x = foo(key=lambda k: k.token)",
        "Bearer of bad news",
        "----- BEGIN -----",
        "AKIA",
        "eyJ",
        "the password is not here",
        "max_tokens=5",
    ],
)
def test_innocent_text_stays_as_it_is(text: str) -> None:
    """Words that only begin like a secret."""
    data = encode({"text": text})
    assert redact(data) == data
    assert redact_text(text) == text


def test_a_clean_payload_comes_back_as_the_very_bytes() -> None:
    """No copy, no second serialisation."""
    data = encode({"messages": [{"role": "user", "content": "hello " * 100}] * 10})
    assert redact(data) is data


def test_what_is_not_secret_beside_a_secret_is_kept() -> None:
    """Only the secret goes; order and types of the rest stay."""
    clean = json.loads(
        redact(encode({"b": 1, "api_key": "k", "a": [True, None, 1.5], "url": "postgres://joe:pw1234@host/db"}))
    )
    assert list(clean) == ["b", "api_key", "a", "url"]
    assert clean == {
        "b": 1,
        "api_key": "[redacted:api_key]",
        "a": [True, None, 1.5],
        "url": "postgres://joe:[redacted:url-password]@host/db",
    }


def test_values_that_hold_nothing_are_kept() -> None:
    """None, booleans and empty texts tell that there was no secret."""
    value = {"api_key": None, "password": "", "secret": False}
    assert json.loads(redact(encode(value))) == value


def test_a_number_or_a_structure_under_a_secret_name_goes_whole() -> None:
    """A PIN, a cookie jar."""
    assert json.loads(redact(encode({"password": 1234, "cookies": {"a": "b"}}))) == {
        "password": "[redacted:password]",
        "cookies": "[redacted:cookies]",
    }


def test_a_models_token_is_no_secret() -> None:
    """Log probabilities hold tokens in a field of that name."""
    data = encode({"logprobs": [{"token": "Hello", "logprob": -0.1}], "token": 5})
    assert redact(data) == data


def test_authorization_in_text_is_found() -> None:
    """Headers and assignments, as they stand in logs and command lines."""
    text = "curl -H 'Authorization: Bearer abc123def456' -H 'authorization: Basic dXNlcjpwYXNz' 'https://x/?api_key=zzz999'"
    clean = redact_text(text)
    for secret in ("abc123def456", "dXNlcjpwYXNz", "zzz999"):
        assert secret not in clean
        assert secret.encode() not in redact(encode({"text": text}))
    assert clean.startswith("curl -H 'Authorization: Bearer [redacted:bearer-token]'")


def test_a_private_key_goes_whole_even_where_its_end_is_missing() -> None:
    """A truncated key is still one."""
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----"
    assert json.loads(redact(encode({"x": f"a {key} b"}))) == {"x": "a [redacted:private-key] b"}
    assert "MIIE" not in redact_text(key[:40])


def test_redacting_twice_changes_nothing_more() -> None:
    """A record may pass twice."""
    value = {**dict.fromkeys(NAMES, "hunter2"), **SECRETS, "text": " ".join(SECRETS.values())}
    once = redact(encode(value))
    assert redact(once) == once


def test_a_command_line_loses_its_secrets() -> None:
    """In one word or two, by name or by look."""
    argv = ["train.py", "--api-key", "abc", "--password=xyz", "--max-tokens", "5", SECRETS["github"], "A_TOKEN=1"]
    assert redact_argv(argv) == [
        "train.py",
        "--api-key",
        "[redacted:api-key]",
        "--password=[redacted:password]",
        "--max-tokens",
        "5",
        "[redacted:github-token]",
        "A_TOKEN=1",
    ]


def test_it_fails_closed_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be redacted is not written; the fault is counted."""

    def broken(*_: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(redaction, "_clean", broken)
    faults = Faults()
    marker = redact(encode({"api_key": "hunter2"}), faults)
    assert b"hunter2" not in marker
    assert decode(marker).kind == "redacted"
    assert "RuntimeError" in decode(marker).value["cause"]
    assert faults.counts["redact a payload"] == 1


def test_what_is_no_json_is_not_written() -> None:
    """Suspicious bytes that cannot be parsed fail closed as well."""
    assert b"hunter2" not in redact(b'{"api_key":"hunter2"')


@given(
    st.recursive(
        st.none() | st.integers(-5, 5) | st.text() | st.sampled_from(list(SECRETS.values())),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(NAMES), inner, max_size=4)
        ),
    ),
    st.sampled_from(list(SECRETS.values())),
)
def test_whatever_surrounds_it_no_secret_stays_and_json_stays_json(value: Any, secret: str) -> None:
    """Random structures around a known secret."""
    clean = redact(encode({"value": value, secret: f" {secret} "}))
    json.loads(clean)
    for known in SECRETS.values():
        assert known.encode() not in clean


fragments = st.sampled_from(
    [
        *SECRETS.values(),
        *NAMES,
        *"=:\n\t '\"\\@/.,-_{}&?",
        "Bearer ",
        "bearer ",
        "Basic ",
        "Authorization: ",
        "authorization: ",
        "://joe:",
        "hunter2hunter2",
        "-----BEGIN RSA PRIVATE KEY-----",
        "a",
        "é",
        "\x1b",
    ]
)


@given(st.lists(fragments, max_size=8).map("".join))
def test_what_the_rules_find_the_scans_do_not_miss(text: str) -> None:
    """The quick look at the encoded bytes suspects every text that the rules would change."""
    assert json.loads(redact(encode({"text": text}))) == {"text": redact_text(text)}
    inner = json.dumps({"x": text})
    assert json.loads(redact(encode([inner]))) == [redact_text(inner)]
