"""Names that say that what stands under them is a secret: `api_key`, `Authorization`; never `max_tokens`. Pure."""

from __future__ import annotations

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
        "secrets",
        "passwords",
        "jwt",
        "accesskey",
    }
)
"""Key names that hold a secret, folded: lower case, without `-` and `_`."""
_KEY_ENDS = (
    "apikey",
    "secret",
    "secretkey",
    "secretaccesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "password",
    "passwd",
)
"""Endings of folded names: `OPENAI_API_KEY`, `x-api-key`, `dbPassword`."""
TOKENS = tuple(
    f"{word}token"
    for word in ("auth", "access", "refresh", "api", "security", "id", "session", "bearer", "github", "hf")
)
"""Endings of names whose token is a key to something, whatever it looks like."""
_NO_TOKENS = tuple(
    f"{word}token"
    for word in (
        *("pad", "eos", "bos", "unk", "sep", "cls", "mask", "stop", "special", "start", "end", "per", "max", "min"),
        *("first", "last", "next", "prev", "previous", "page", "continuation", "cursor", "sync", "cancellation"),
        *("input", "output", "prompt", "completion", "text", "image", "audio", "word", "sub", "num", "new", "top"),
    )
)
"""Endings of names whose token is a model's or a list's: every other `..._token` is a secret."""


def is_secret_name(name: str) -> bool:
    """Whether a value under this key is a secret by its name: `api_key`, `Authorization`; never `max_tokens`."""
    folded = name.replace("-", "").replace("_", "").lower()
    if folded.endswith("token"):
        return not folded.endswith(_NO_TOKENS)
    return folded in _KEYS or folded.endswith(_KEY_ENDS)


def any_case(word: str) -> str:
    """A pattern of the word in any case."""
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in word)


# How the names above end, in two steps: two letters that most keys fail at, then six bytes. So one look back from a
# `":` or a `=` tells, and keys cost one scan. In JSON inside a text the quote is escaped.
_TWO = "[eE][yYnNtT]|[rRwW][dD]|[oO][nN]|[iIsS][eE]|[eElL][sS]|[aA][lL]|[wW][tT]|[tTdD][sS]"
_SIX = "|".join(
    [
        r"[A-Za-z_\-]{3}" + any_case("key"),
        r"[\x00-\xff]" + any_case("token"),
        *map(
            any_case,
            ("secret", "ssword", "passwd", "cookie", "ookies", "phrase", "ential", "ntials", "ecrets", "swords"),
        ),
        *map(any_case, ("zation", "sation")),
    ]
)
_THREE = "(?:[^A-Za-z]|[bfnrt])(?:[pP][wW][dD]|[jJ][wW][tT])"


def ends_name(closing: str) -> str:
    """A pattern that looks back from what closes a name (`":`, `=`) at how a secret's name ends."""
    return f"(?<=(?:{_TWO}){closing})(?:(?<=(?:{_SIX}){closing})|(?<={_THREE}{closing}))"
