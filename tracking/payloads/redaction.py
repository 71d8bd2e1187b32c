"""Secrets out of what is recorded, before anything is written. On by default (`Settings.redact`).

`redact` works on encoded JSON and is on every call's path: a few literal-anchored scans tell the clean payloads, which
are nearly all, from those that need parsing. `redact_text` and `redact_argv` serve plain text. It fails closed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson

from weft.tracking.faults import Faults
from weft.tracking.payloads.objects import TAG, tag

SHORTEST = 11
"""`{"pwd":"a"}`: nothing shorter can hold a named secret."""

_KEYS = frozenset(
    {
        "authorization",
        "proxyauthorization",
        "cookie",
        "cookies",
        "setcookie",
        "credential",
        "credentials",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "jwt",
        "accesskey",
        "bearertoken",
        "idtoken",
        "sessiontoken",
    }
)
"""Key names that hold a secret, folded: lower case, without `-` and `_`."""
_KEY_ENDS = (
    "apikey",
    "apitoken",
    "apisecret",
    "authtoken",
    "accesstoken",
    "refreshtoken",
    "securitytoken",
    "clientsecret",
    "secretkey",
    "secretaccesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "password",
    "passwd",
    "githubtoken",
    "hftoken",
)
"""Endings of folded names: `OPENAI_API_KEY`, `x-api-key`, `dbPassword`."""

_HEADER = r"[Aa]uthorization\\?[\"']?[:=]\s*\\?[\"']?"
_RULES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("anthropic-key", re.compile(r"(?<![A-Za-z0-9])sk-ant-[\w-]{8,}"), ""),
    ("api-key", re.compile(r"(?<![A-Za-z0-9])[sr]k-(?!learn\b)[A-Za-z0-9_-]{8,}"), ""),
    ("stripe-key", re.compile(r"(?<![A-Za-z0-9])[sr]k_(?:live|test)_\w{8,}"), ""),
    ("github-token", re.compile(r"gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}"), ""),
    ("gitlab-token", re.compile(r"glpat-[\w-]{16,}"), ""),
    ("aws-key", re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}"), ""),
    ("slack-token", re.compile(r"xox[abeoprs]-[\w-]{8,}"), ""),
    ("google-key", re.compile(r"AIza[\w-]{20,}"), ""),
    ("hugging-face-token", re.compile(r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{16,}"), ""),
    (
        "private-key",
        re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        "",
    ),
    ("jwt", re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"), ""),
    (
        "bearer-token",
        re.compile(r"(\bBearer\s+)(?!\[redacted)[A-Za-z0-9._~+/=-]{8,}"),
        r"\1",
    ),
    ("basic-auth", re.compile(rf"({_HEADER}Basic\s+)(?!\[redacted)[A-Za-z0-9+/=]{{4,}}"), r"\1"),
    ("url-password", re.compile(r"(://[^/\s:@\"']*:)(?!\[redacted)[^/\s@\"']+(?=@)"), r"\1"),
    (
        "named-secret",
        re.compile(
            r"(?i)((?:api[_-]?key|(?:access|auth|api|refresh|github|hf)[_-]?token|client[_-]?secret|secret[_-]?key|"
            r"secret[_-]?access[_-]?key|private[_-]?key|passw(?:or)?d|passphrase|(?<![a-z])(?:secret|token|pwd))"
            r"(?:=|\\?[\"']:\s*)\\?[\"']?)(?!\[redacted)[^\s\"'\\&,;<>(){}\[\]$%]{4,}"
        ),
        r"\1",
    ),
)
"""(rule, pattern, what of the match stays). Applied in this order."""


def _any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in word)


# How the names above end, in two steps: two letters that most keys fail at, then six bytes. So one look back from a
# `":` or a `=` tells, and keys cost one scan. In JSON inside a text the quote is escaped.
_TWO = "[eE][yYnNtT]|[rRwW][dD]|[oO][nN]|[iIsS][eE]|[eElL][sS]|[aA][lL]|[wW][tT]"
_SIX = "|".join(
    [
        r"[A-Za-z_\-]{3}" + _any_case("key"),
        r"[\x00-\xff]" + _any_case("token"),
        *map(_any_case, ("secret", "ssword", "passwd", "cookie", "ookies", "phrase", "ential", "ntials")),
        *map(_any_case, ("zation", "sation")),
    ]
)
_THREE = "(?:[^A-Za-z]|[bfnrt])(?:[pP][wW][dD]|[jJ][wW][tT])"


def _ends_name(closing: str) -> str:
    return f"(?<=(?:{_TWO}){closing})(?:(?<=(?:{_SIX}){closing})|(?<={_THREE}{closing}))"


_find_key = re.compile(f'":{_ends_name(chr(34) + ":")}'.encode()).search
# What may stand before a secret: no letter or digit, or the escape of a control character.
_BEFORE = rb"(?:(?<=[^A-Za-z0-9]%b)|(?<=\\[bfnrt]%b)|(?<=\\u00[0-9a-f]{2}%b))"
_find_dash = re.compile(
    rb"-(?:"
    + _BEFORE.replace(b"%b", rb"[sr]k-")
    + rb"[A-Za-z0-9_-]{8}|(?<=xox[abeoprs]-)|(?<=glpat-)|----BEGIN [A-Z0-9 ]*PRIV)"
).search
_find_underscore = re.compile(
    rb"_(?:(?<=gh[pousr]_)[A-Za-z0-9]{16}|(?<=github_pat_)|" + _BEFORE.replace(b"%b", b"hf_") + rb"[A-Za-z0-9]{16}"
    rb"|(?<=[sr]k_live_)|(?<=[sr]k_test_))"
).search
_find_a = re.compile(rb"A(?:KIA[0-9A-Z]{16}|SIA[0-9A-Z]{16}|Iza[\w-]{20})").search
_find_jwt = re.compile(rb"J(?<=eyJ)[\w-]{8}").search
_find_bearer = re.compile(rb"Bearer[\s\\]").search
_find_basic = re.compile(rb"zation(?<=[Aa]uthorization)[\\\"':=\sbfnrt]{1,12}Basic").search
_find_url = re.compile(rb"://[^/\s:@\"']*:[^/\s@\"']+@").search
_find_assignment = re.compile(f"={_ends_name('=')}".encode()).search
# JSON inside a text, and JSON inside that: one backslash before the quote, or three.
_find_inner_key = re.compile(
    f'\\\\":(?:{_ends_name(chr(92) * 2 + chr(34) + ":")}|{_ends_name(chr(92) * 6 + chr(34) + ":")})'.encode()
).search
_find_quoted_key = re.compile(
    f"':(?:{_ends_name(chr(39) + ':')}|{_ends_name(chr(92) * 4 + chr(39) + ':')})".encode()
).search
_find_map = re.compile(rb'\$weft":"map"').search


def redact(data: bytes, faults: Faults | None = None) -> bytes:
    """Encoded JSON without its secrets; the very bytes where there are none. Stays valid JSON; never raises.

    A secret becomes `[redacted:<rule>]`. Where redaction itself fails, all of it becomes a marker that names the cause,
    which is counted in `faults` too.
    """
    if len(data) < SHORTEST or (_find_key(data) is None and not suspicious(data)):
        return data
    return purge(data, faults)


def purge(data: bytes, faults: Faults | None = None) -> bytes:
    """As `redact`, for what is suspected already: it is parsed and every key and text looked at."""
    try:
        value = orjson.loads(data)
        clean = _clean(value)
        return data if clean is value else orjson.dumps(clean)
    except Exception as error:
        if faults is not None:
            faults.note("redact a payload", error, hint="The payload was replaced by a marker.")
        return orjson.dumps(tag("redacted", {"cause": f"{type(error).__name__}: redaction failed"}))


def redact_text(text: str) -> str:
    """Plain text (an error message, a traceback, a command line) without its secrets."""
    for rule, pattern, kept in _RULES:
        text = pattern.sub(f"{kept}[redacted:{rule}]", text)
    return text


def redact_argv(argv: Sequence[str]) -> list[str]:
    """A command line without its secrets, `--api-key VALUE` in two words too."""
    clean: list[str] = []
    hide = ""
    for word in argv:
        if hide and not word.startswith("-"):
            clean.append(f"[redacted:{hide}]")
            hide = ""
            continue
        name, equals, value = word.partition("=")
        secret = word.startswith("-") and is_secret_name(name.lstrip("-"))
        hide = name.lstrip("-") if secret and not equals else ""
        clean.append(f"{name}=[redacted:{name.lstrip('-')}]" if secret and value else redact_text(word))
    return clean


def is_secret_name(name: str) -> bool:
    """Whether a value under this key is a secret by its name: `api_key`, `Authorization`; never `max_tokens`."""
    folded = name.replace("-", "").replace("_", "").lower()
    return folded in _KEYS or folded.endswith(_KEY_ENDS)


def suspicious(data: bytes) -> bool:
    """Whether a secret may be in the texts of encoded JSON, as opposed to its keys.

    Every pattern holds one byte that is rare in prose, and begins with it where it can: looking for one byte costs next
    to nothing, and most payloads have few of them.
    """
    find = data.find
    return (
        ((at := find(b"-")) >= 0 and _find_dash(data, at) is not None)
        or ((at := find(b"_")) >= 0 and _find_underscore(data, at) is not None)
        or ((at := find(b"A")) >= 0 and _find_a(data, at) is not None)
        or ((at := find(b"J")) >= 0 and _find_jwt(data, at) is not None)
        or ((at := find(b"B")) >= 0 and (_find_bearer(data, at) is not None or _find_basic(data) is not None))
        or ((at := find(b"'")) >= 0 and _find_quoted_key(data, at) is not None)
        or (b"@" in data and _find_url(data) is not None)
        or ((at := find(b"=")) >= 0 and _find_assignment(data, at) is not None)
        or ((at := find(b"\\")) >= 0 and _find_inner_key(data, at) is not None)
        or (b"$" in data and _find_map(data) is not None)
    )


def _clean(value: Any) -> Any:
    """The same object where nothing had to change."""
    kind = type(value)
    if kind is str:
        return redact_text(value) if len(value) >= 8 else value
    if kind is list:
        items = [_clean(item) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if kind is dict:
        if value.get(TAG) == "map" and type(value.get("v")) is list:
            return _clean_pairs(value)
        cleaned = {_clean(key): _clean_entry(key, item, value) for key, item in value.items()}
        return value if all(cleaned.get(key, cleaned) is item for key, item in value.items()) else cleaned
    return value


def _clean_entry(key: str, item: Any, siblings: dict[str, Any]) -> Any:
    if item is None or type(item) is bool or item == "" or not is_secret_name(key):
        return _clean(item)
    if key == "token" and (type(item) is not str or "logprob" in siblings):
        return _clean(item)  # a model's token, not a key to anything
    if type(item) is str and item.startswith("[redacted:"):
        return item
    return f"[redacted:{key}]"


def _clean_pairs(value: dict[str, Any]) -> dict[str, Any]:
    pairs = []
    for pair in value["v"]:
        if type(pair) is list and len(pair) == 2 and type(pair[0]) is str:
            pairs.append([pair[0], _clean_entry(pair[0], pair[1], {})])
        else:
            pairs.append(_clean(pair))
    return {**value, "v": pairs}
