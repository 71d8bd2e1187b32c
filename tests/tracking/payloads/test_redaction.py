"""Promises of `weft.tracking.payloads.redaction`: no secret is written, no innocent is touched, and it fails closed."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking.errors import UsageError
from weft.tracking.faults import Faults
from weft.tracking.payloads import redaction as module
from weft.tracking.payloads.encoding import Tagged, decode, encode
from weft.tracking.payloads.redaction import is_card, redact, redact_argv, redact_text, redaction
from weft.tracking.payloads.secretnames import is_secret_name

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

    monkeypatch.setattr(module, "_clean", broken)
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


def test_prose_and_code_stay_as_they_are() -> None:
    """In megabytes of the standard library's code and documentation, nothing but a true password is found."""
    changed = []
    size = 0
    library = Path(os.__file__).parent
    for path in [*library.glob("*.py"), *(library / "urllib").glob("*.py"), *(library / "http").glob("*.py")]:
        text = path.read_text("utf-8", "replace")
        size += len(text)
        if (clean := redact_text(text)) != text:
            changed += [line for line in clean.splitlines() if "[redacted:" in line]
    assert size > 2_000_000
    assert [line.strip() for line in changed if "geheim" not in line] in ([], ["passwd='[redacted:named-secret]')"])


@pytest.mark.parametrize(
    "text",
    [
        "def login(self, user=None, password=None): ...",
        "client = connect(token=token, api_key=api_key)",
        "password = getpass(); self.password=self.ask(1)",
        'config = {"password": config.get(server), "token": null}',
        "f'password={password}' and 'pwd=%s' and \"token=${TOKEN}\" and token=$TOKEN",
        "the eos_token=</s> and next_page_token: 3",
        "see https://user@host/path and mailto:joe@example.com",
        "aws_access_key = ask()",
    ],
)
def test_code_that_only_names_a_secret_keeps_its_shape(text: str) -> None:
    """Defaults, names that are handed on, calls, placeholders."""
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('password="a;b(c)&d$"', "a;b(c)&d$"),
        ("password=hunter$2x", "hunter$2x"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
        ("AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'", "wJalrXUtnFEMI"),
        ("use gsk_abcdefghijklmnopqrstuvwx now", "gsk_abcdefgh"),
        ("(xai-abcdefghijklmnopqrstuvwx)", "xai-abcdefgh"),
        ("npm_abcdefghijklmnopqrstuvwxyz0123456789", "npm_abcdefgh"),
        ("lsv2_pt_abcdefghijklmnopqrstuv_0123456789", "lsv2_pt_abc"),
        ('{"x": "\\u0073k-abcdefghijklmnop"}', "k-abcdefghijklmnop"),
        ('{"api\\u005fkey": "hunter2hunter2"}', "hunter2hunter2"),
        ("redis://:p%40ss@host:6379", "p%40ss"),
    ],
)
def test_a_secret_goes_whole_in_every_spelling(text: str, secret: str) -> None:
    """Plain, inside a payload, inside JSON inside a text; no part of it stays."""
    assert secret not in redact_text(text)
    for value in ({"text": text}, [json.dumps({"inner": text})]):
        clean = redact(encode(value))
        assert secret.encode() not in clean
        json.loads(clean)


def test_escaped_names_and_texts_in_raw_json_are_seen() -> None:
    """JSON that somebody else wrote, with letters as escapes."""
    clean = redact(b'{"api\\u005fkey":"hunter2","b":"\\u0073k-abcdefghijklmnop"}')
    assert json.loads(clean) == {"api_key": "[redacted:api_key]", "b": "[redacted:api-key]"}


@pytest.mark.parametrize("name", ["slack_token", "botToken", "X-Auth-Token", "CSRF_TOKEN", "secrets", "my_secret"])
def test_every_other_token_is_a_secret(name: str) -> None:
    """If it looks like one: a text without spaces."""
    assert b"abc123abc" not in redact(encode({name: "abc123abc"}))


@pytest.mark.parametrize(
    "value",
    [
        {"pad_token": "<|endoftext|>", "eos_token": "</s>", "next_page_token": "abcdefgh", "NextToken": "abcdefgh"},
        {"subject_token": "a word", "first_token": "Hello", "my_token": 17, "cost_per_token": "0.000001"},
    ],
)
def test_tokens_of_models_and_lists_are_none(value: dict[str, Any]) -> None:
    """Special tokens, pages, counts."""
    assert json.loads(redact(encode(value))) == value


CARD = "4111 1111 1111 1111"


def test_email_and_cards_go_when_asked_for() -> None:
    """Cards by Luhn's check digit, as text and as number; the default leaves both."""
    value = {"text": f"joe.doe+x@mail.example.org paid with {CARD}, order 4111111111111112", "n": 4111111111111111}
    assert json.loads(redact(encode(value))) == value
    both = redaction(("secrets", "email", "cards"))
    assert json.loads(redact(encode(value), None, both)) == {
        "text": "[redacted:email] paid with [redacted:card], order 4111111111111112",
        "n": "[redacted:card]",
    }
    only = redaction("email")
    assert json.loads(redact(encode({"api_key": "k", "a": "x@y.org", CARD: 1}), None, only)) == {
        "api_key": "k",
        "a": "[redacted:email]",
        CARD: 1,
    }


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("4111 1111 1111 1111", True),
        ("5500-0000-0000-0004", True),
        ("340000000000009", True),
        ("6011000000000004", True),
        ("4111111111111112", False),
        ("0000000000000000", False),
        ("1234567890123", False),
        ("41111", False),
    ],
)
def test_a_card_is_known_by_its_check_digit(text: str, answer: bool) -> None:
    """ISO/IEC 7812."""
    assert is_card(text) is answer


def test_times_and_digests_are_no_cards() -> None:
    """Nanoseconds, hexadecimal, decimals."""
    cards = redaction("cards")
    value = {"at": 1_781_234_567_890_123_456, "sha": "ab4111111111111111cd", "f": "0.4111111111111111"}
    assert json.loads(redact(encode(value), None, cards)) == value


def test_a_users_function_is_asked_for_every_text() -> None:
    """With the key of the nearest object; what it answers is written."""
    seen = []

    def mask(key: str, text: str) -> str:
        seen.append((key, text))
        return text.replace("Joe", "[name]")

    value = {"user": "Joe", "tags": ["x", "Joe"], "n": 1, "deep": {"key": "sk-abcdefghijklmnop"}}
    clean = redact(encode(value), None, redaction(True, mask))
    assert json.loads(clean) == {
        "user": "[name]",
        "tags": ["x", "[name]"],
        "n": 1,
        "deep": {"key": "[redacted:api-key]"},
    }
    assert seen == [("user", "Joe"), ("tags", "x"), ("tags", "Joe"), ("key", "[redacted:api-key]")]


@pytest.mark.parametrize(
    "function",
    [
        lambda key, text: 1 / 0,
        lambda key, text: None,
        lambda key, text: text.encode(),
        lambda key, text: text + "\ud800",
        lambda text: text,
    ],
)
def test_a_function_that_fails_leaves_a_marker_and_no_text(function: Any) -> None:
    """It fails closed, is counted, and spoils no other value."""
    faults = Faults()
    clean = redact(encode({"a": "hidden text", "n": 1}), faults, redaction(True, function))
    back = decode(clean)
    assert back["n"] == 1
    assert back["a"].kind == "redacted"
    assert b"hidden" not in clean
    assert faults.counts == {"ask your redactor": 1}


def test_a_function_that_cannot_travel_fails_closed_in_the_child() -> None:
    """A lambda is no name that another process could look up."""
    there = pickle.loads(pickle.dumps(redaction("email", lambda key, text: text)))
    assert b"hidden" not in redact(encode({"a": "hidden"}), Faults(), there)
    kept = redaction(("secrets", "cards"))
    assert pickle.loads(pickle.dumps(kept)) == kept


@pytest.mark.parametrize("rules", ["emails", ["secrets", "phone"], "all"])
def test_an_unknown_rule_is_said(rules: Any) -> None:
    """With those that there are."""
    with pytest.raises(UsageError, match="it may name secrets, email, cards"):
        redaction(rules)
    with pytest.raises(UsageError, match="must be a function"):
        redaction(True, "no function")  # type: ignore[arg-type]


def test_what_only_repeats_the_default_is_the_default() -> None:
    """So that its short road is taken."""
    assert redaction("secrets") is True
    assert redaction(["secrets"]) is True
    assert redaction(()) is False
    assert redaction("") is False


def test_tags_stay_what_they_are() -> None:
    """Base64, digests, numbers of ours are no texts; names and previews are."""
    value = [
        b"AKIAIOSFODNN7EXAMPLE sk-abcdefghijklmnop",
        10**40,
        Tagged("blob", {"digest": "4111111111111111" * 4, "preview": "sk-abcdefghijklmnop"}),
        "sk-abcdefghijklmnop",
    ]
    back = decode(redact(encode(value), None, redaction(("secrets", "cards"), lambda key, text: text)))
    assert back[:2] == value[:2]
    assert back[2].value == {"digest": "4111111111111111" * 4, "preview": "[redacted:api-key]"}
