"""Secrets out of what is recorded, before anything is written. On by default (`Settings.redact`).

`redact` works on encoded JSON and is on every call's path: a few literal-anchored scans tell the clean payloads, which
are nearly all, from those that need parsing. `redact_text` and `redact_argv` serve plain text. It fails closed.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from weft.tracking.errors import UsageError
from weft.tracking.faults import Faults, let_through
from weft.tracking.payloads.objects import TAG, tag
from weft.tracking.payloads.secretnames import TOKENS, is_secret_name
from weft.tracking.payloads.suspicion import ESCAPED, find_key, suspicious

Redactor: TypeAlias = Callable[[str, str], str]
"""A user's own rule: `(key, text) -> text` for every text in a payload; the key is that of the nearest object."""

OPTIONS = ("secrets", "email", "cards")
"""What `configure(redact=...)` and `WEFT_REDACT` may name."""
SHORTEST = 11
"""`{"pwd":"a"}`: nothing shorter can hold a named secret."""

_HEADER = r"[Aa]uthorization\\?[\"']?[:=]\s*\\?[\"']?"
_RULES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("anthropic-key", re.compile(r"(?<![A-Za-z0-9])sk-ant-[\w-]{8,}"), ""),
    ("api-key", re.compile(r"(?<![A-Za-z0-9])[sr]k-(?!learn\b)[A-Za-z0-9_-]{8,}"), ""),
    ("stripe-key", re.compile(r"(?<![A-Za-z0-9])[sr]k_(?:live|test)_\w{8,}"), ""),
    ("api-key", re.compile(r"(?<![A-Za-z0-9])(?:gsk_|xai-|pplx-|tvly-|npm_|lsv2_[ps][tk]_)[A-Za-z0-9_-]{16,}"), ""),
    ("github-token", re.compile(r"gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}"), ""),
    ("gitlab-token", re.compile(r"glpat-[\w-]{16,}"), ""),
    ("aws-key", re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}"), ""),
    (
        "aws-secret",
        re.compile(
            r"(_(?i:access_?key)\\?[\"']?[\s:=>]{1,6}\\?[\"']?)(?!\[redacted)[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"
        ),
        r"\1",
    ),
    ("slack-token", re.compile(r"xox[abeoprs]-[\w-]{8,}"), ""),
    ("google-key", re.compile(r"AIza[\w-]{20,}"), ""),
    ("hugging-face-token", re.compile(r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{16,}"), ""),
    (
        "private-key",
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
        ),
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
        # Not None and the like, not a name that is handed on (token=token), not the result of a call.
        re.compile(
            r"(?i)((?P<name>api[_-]?key|(?:access|auth|api|refresh|github|hf)[_-]?token|client[_-]?secret|"
            r"secret[_-]?key|secret[_-]?access[_-]?key|private[_-]?key|passw(?:or)?d|passphrase|"
            r"(?<![a-z])(?:secret|token|pwd))(?:=|\\?[\"']:[ \t]*)\\?[\"']?)"
            r"(?!\[redacted|(?:None|null|true|false|undefined|(?P=name))(?!\w))"
            r"(?:(?<=[\"'])[^\s\"'\\{$%<][^\s\"'\\]{3,}+|[^\s\"'\\&,;<>(){}\[\]$%][^\s\"'\\&,;<>(){}\[\]]{3,}+(?!\())"
        ),
        r"\1",
    ),
)
"""(rule, pattern, what of the match stays). Applied in this order."""


_escapes = re.compile(ESCAPED)
_email = re.compile(r"(?<![\w.+%-])[\w.+%-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(?![\w-])")
_digits = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")


@dataclass(frozen=True, slots=True)
class Redaction:
    """Rules other than the default ones, which `True` stands for; made by `redaction`."""

    secrets: bool = True
    email: bool = False
    cards: bool = False
    function: Redactor | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """To a child process without a function that cannot travel: there, every text becomes a marker."""
        function = self.function
        try:
            pickle.dumps(function)
        except Exception as error:
            let_through(error)
            function = _not_carried
        return Redaction, (self.secrets, self.email, self.cards, function)

    def clean(self, data: bytes, faults: Faults | None = None) -> bytes:
        """As `redact`, by these rules."""
        everything = self.email or self.cards or self.function is not None
        if not everything and (len(data) < SHORTEST or (find_key(data) is None and not suspicious(data))):
            return data
        return purge(data, faults, self)

    def text(self, text: str) -> str:
        """A plain text by these rules; the user's function is not asked."""
        if self.secrets:
            text = redact_text(text)
        if self.email and "@" in text:
            text = _email.sub("[redacted:email]", text)
        return _digits.sub(_card, text) if self.cards else text


def redact_source(key: str, text: str, rules: bool | Redaction) -> str:
    """A text that is no payload (source code), which has lost its secrets already, by the other rules as well."""
    if isinstance(rules, bool):
        return text
    clean = rules.text(text)
    asked = clean if rules.function is None else _asked(rules.function, key, clean, None)
    return asked if isinstance(asked, str) else "[redacted: the redactor failed]"


def _not_carried(key: str, text: str) -> str:
    raise RuntimeError("the redactor could not be carried into this process: define it at the top of a module")


_DEFAULT = Redaction()


def redaction(rules: bool | str | Iterable[str] = True, function: Redactor | None = None) -> bool | Redaction:
    """What `Settings.redact` holds: True for the default rules alone, False for none.

    Args:
        rules: True (secrets), False, or names of `OPTIONS`, as a list or with commas between.
        function: asked last, for every text: `(key, text) -> text`.

    Raises:
        UsageError: there is no such rule, or the function is none.
    """
    if function is not None and not callable(function):
        raise UsageError(f"redactor must be a function (key, text) -> text, not {function!r:.80}")
    if isinstance(rules, str):
        rules = [name for part in rules.split(",") if (name := part.strip().lower())]
    if not isinstance(rules, bool):
        try:
            chosen = set(rules)
        except TypeError:
            raise UsageError(
                f"redact is {rules!r:.80}; it takes True, False or {', '.join(OPTIONS)} (WEFT_REDACT or redact=)"
            ) from None
        if chosen - set(OPTIONS):
            odd = ", ".join(sorted(map(repr, chosen - set(OPTIONS))))[:200]
            raise UsageError(f"redact names {odd}; it may name {', '.join(OPTIONS)} (WEFT_REDACT or redact=)")
        if chosen - {"secrets"} or function is not None:
            return Redaction("secrets" in chosen, "email" in chosen, "cards" in chosen, function)
        rules = bool(chosen)
    return rules if function is None else Redaction(secrets=rules, function=function)


def redact(data: bytes, faults: Faults | None = None, rules: bool | Redaction = True) -> bytes:
    """Encoded JSON without its secrets; the very bytes where there are none. Stays valid JSON; never raises.

    A secret becomes `[redacted:<rule>]`. Where redaction itself fails, all of it becomes a marker that names the cause,
    which is counted in `faults` too.

    Args:
        rules: as in `Settings.redact`; False leaves everything.
    """
    if rules is not True:
        return rules.clean(data, faults) if rules else data
    if len(data) < SHORTEST or (find_key(data) is None and not suspicious(data)):
        return data
    return purge(data, faults)


def purge(data: bytes, faults: Faults | None = None, rules: Redaction = _DEFAULT) -> bytes:
    """As `redact`, for what is suspected already: it is parsed and every key and text looked at."""
    try:
        value = orjson.loads(data)
        clean = _clean(value, rules, "", faults)
        return data if clean is value else orjson.dumps(clean)
    except Exception as error:
        let_through(error)
        if faults is not None:
            faults.note("redact a payload", error, hint="The payload was replaced by a marker.")
        return orjson.dumps(tag("redacted", {"cause": f"{type(error).__name__}: redaction failed"}))


def redact_text(text: str, rules: bool | Redaction = True) -> str:
    """Plain text (an error message, source code, a span's name) without its secrets."""
    if rules is not True:
        return rules.text(text) if rules else text
    if "\\u00" in text:
        plain = _escapes.sub(lambda found: chr(int(found[1], 16)), text)
        if plain != text and (clean := _by_rules(plain)) != plain:
            return clean
    return _by_rules(text)


def clean_name(name: str, rules: bool | Redaction) -> str:
    """A name that a program makes up as it runs, without its secrets; costs next to nothing where it has none."""
    if rules is True and not suspicious(b'"%b"' % name.encode("utf-8", "replace")):  # as it stands in JSON
        return name
    return redact_text(name, rules)


def _by_rules(text: str) -> str:
    for rule, pattern, kept in _RULES:
        text = pattern.sub(f"{kept}[redacted:{rule}]", text)
    return text


def _card(found: re.Match[str]) -> str:
    """A number that passes Luhn's check and begins as cards do."""
    return "[redacted:card]" if is_card(found[0]) else found[0]


def is_card(text: str) -> bool:
    """Whether these digits, spaces and dashes are a payment card's number: ISO/IEC 7812, Luhn's check digit."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6) or len(set(digits)) == 1:
        return False
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


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


_NO_TEXTS = frozenset({"float", "int", "bytes", "complex", "range", "ref", "content", "blob"})
"""Tags whose content is no text of the user's, but for what is named here."""
_THEIR_TEXTS = frozenset({"preview", "filename", "uri"})


def _clean(value: Any, rules: Redaction, key: str, faults: Faults | None) -> Any:
    """The same object where nothing had to change.

    Args:
        key: that of the nearest object, for the user's function.
    """
    kind = type(value)
    if kind is str:
        clean = rules.text(value) if len(value) >= 6 else value
        return clean if rules.function is None else _asked(rules.function, key, clean, faults)
    if kind is list:
        items = [_clean(item, rules, key, faults) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if kind is dict:
        return _clean_object(value, rules, key, faults)
    if kind is int and rules.cards and is_card(str(value)):
        return "[redacted:card]"
    return value


def _clean_object(value: dict[str, Any], rules: Redaction, key: str, faults: Faults | None) -> Any:
    if TAG in value and len(value) == 2 and "v" in value:
        inner = value["v"]
        if value[TAG] == "map" and type(inner) is list:
            return _clean_pairs(value, rules, key, faults)
        if value[TAG] in _NO_TEXTS:
            texts = _THEIR_TEXTS & inner.keys() if type(inner) is dict else ()
            cleaned = {name: _clean(inner[name], rules, name, faults) for name in texts}
            changed = any(cleaned[name] is not inner[name] for name in texts)
            return {**value, "v": {**inner, **cleaned}} if changed else value
        clean = _clean(inner, rules, key, faults)
        return value if clean is inner else {**value, "v": clean}
    cleaned = {_clean_name(name, rules): _clean_entry(name, item, value, rules, faults) for name, item in value.items()}
    return value if all(cleaned.get(name, cleaned) is item for name, item in value.items()) else cleaned


def _clean_name(name: str, rules: Redaction) -> str:
    return rules.text(name) if len(name) >= 6 else name


def _clean_entry(key: str, item: Any, siblings: dict[str, Any], rules: Redaction, faults: Faults | None) -> Any:
    if not rules.secrets or item is None or type(item) is bool or item == "" or not is_secret_name(key):
        return _clean(item, rules, key, faults)
    if key[-5:].lower() == "token" and _is_models(key, item, siblings):
        return _clean(item, rules, key, faults)
    if type(item) is str and item.startswith("[redacted:"):
        return item
    return f"[redacted:{key}]"


def _is_models(key: str, item: Any, siblings: dict[str, Any]) -> bool:
    """Whether this is a token of a language model, not a key to anything: no text, short, or with spaces."""
    folded = key.replace("-", "").replace("_", "").lower()
    if folded.endswith(TOKENS):
        return False
    if type(item) is not str or "logprob" in siblings:
        return True
    return folded != "token" and (len(item) < 6 or any(map(str.isspace, item)))


def _asked(function: Redactor, key: str, text: str, faults: Faults | None) -> Any:
    """What the user's function makes of a text; where it fails, a marker."""
    try:
        answer = function(key, text)
        if type(answer) is not str:
            raise TypeError(f"it returned {type(answer).__name__}, not a text")
        answer.encode()  # lone surrogates are no UTF-8
    except Exception as error:
        let_through(error)
        if faults is not None:
            # What it says may quote the text: its name alone goes to the log.
            hint = f"It raised {type(error).__name__}, and the text was replaced by a marker."
            faults.note("ask your redactor", error if faults.strict else None, hint=hint)
        return tag("redacted", {"cause": f"{type(error).__name__}: the redactor failed"})
    return text if answer == text else answer


def _clean_pairs(value: dict[str, Any], rules: Redaction, key: str, faults: Faults | None) -> dict[str, Any]:
    pairs: list[Any] = []
    for pair in value["v"]:
        if type(pair) is list and len(pair) == 2 and type(pair[0]) is str:
            name, item = pair
            pairs.append([_clean_name(name, rules), _clean_entry(name, item, {}, rules, faults)])
        else:
            pairs.append(_clean(pair, rules, key, faults))
    return {**value, "v": pairs}
