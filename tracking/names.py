"""What may be called what: generated run ids and names, and the rules for projects, run ids, tags, artifacts, aliases.

Pure. A mistake raises `UsageError` at the call that made it, with the rule in its message.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable

from weft.tracking.errors import UsageError

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ADJECTIVES_TEXT = (
    "amber ample autumn bold brave bright brisk calm clear clever cosmic crisp curious dapper daring deft eager "
    "early earnest easy fair faithful fancy fine fleet fond fresh frosty gentle glad golden grand happy hardy "
    "hidden honest humble ivory jolly keen kind lively lucid lucky lunar mellow mighty misty modest neat nimble "
    "noble olive patient placid plucky polar proud quick quiet rapid ready robust rosy rustic scarlet serene sharp "
    "shiny silent silver smooth snowy solar solid spry stable steady still stout sunny swift tidy tranquil true "
    "upbeat vast velvet verdant vivid warm wild windy wise witty"
)
_ADJECTIVES = _ADJECTIVES_TEXT.split()
_NOUNS_TEXT = (
    "acorn anchor apple arbor badger bay beacon bird bloom breeze brook canyon cedar cliff cloud comet coral cove "
    "crane creek dawn delta dune eagle ember falcon fern field finch fjord flame forest fox garden glacier glade "
    "grove harbor hawk heron hill island ivy jasper juniper kestrel lagoon lake lantern lark leaf loom maple marsh "
    "meadow moon mountain nebula oak ocean orchard otter owl pebble pine plain planet pond prairie quartz rain "
    "raven reef ridge river robin sail shadow shore shuttle sky sparrow spring spruce star stone stream summit "
    "thicket thread tide trail valley violet warp wave willow wind wren yarn"
)
_NOUNS = _NOUNS_TEXT.split()

_PROJECT_BARRED = re.compile(r"[/\\#?%:\x00-\x1f\x7f\ud800-\udfff]")
_RUN_ID_BARRED = re.compile(r"[:;,#?/'\x00-\x1f\x7f\ud800-\udfff]")
_ARTIFACT = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
_VERSION = re.compile(r"v\d+")
_UNNAMED = "unnamed"


def run_id(uid: bytes) -> str:
    """Eight base-36 digits from a run's random bits."""
    bits = int.from_bytes(uid[6:], "big")
    digits = []
    for _ in range(8):
        bits, digit = divmod(bits, 36)
        digits.append(_DIGITS[digit])
    return "".join(digits)


def generate_id(length: int = 8) -> str:
    """An id for a run, as many base-36 digits: of the system's randomness, never the program's (wandb.util's name)."""
    return "".join(secrets.choice(_DIGITS) for _ in range(length))


def run_name(uid: bytes) -> str:
    """`brisk-willow-417`: for people; not unique, and says nothing."""
    bits, number = divmod(int.from_bytes(uid[6:], "big") // 36**8, 999)
    bits, noun = divmod(bits, len(_NOUNS))
    return f"{_ADJECTIVES[bits % len(_ADJECTIVES)]}-{_NOUNS[noun]}-{number + 1}"


def uid_of(project: str, ident: str, life: int = 0) -> bytes:
    """The 16 bytes of a run: the same in every process that names its id.

    Args:
        life: how often a run of this id was removed before (`lives`).
    """
    return hashlib.sha256(f"{project}/{ident}{f'#{life}' if life else ''}".encode()).digest()[:16]


def check_project(name: str) -> str:
    r"""It, if a project may have it: 1 to 128 characters, not . or .., no control character, none of / \ # ? % :"""
    name = _exact("a project's name", name)
    barred = _PROJECT_BARRED.search(name)
    if barred:
        raise UsageError(f"a project's name must not hold {barred.group()!r}: {name!r}. Use - or _ instead")
    if name in (".", ".."):
        raise UsageError(f"a project's name must not be {name!r}: in addresses and paths that is a folder. Use a word")
    if not name.strip() or len(name) > 128:
        raise UsageError(f"a project's name has 1 to 128 characters, this one {len(name)}: {name!r:.80}")
    return name


def check_run_id(ident: str) -> str:
    """The id, if a run may have it: 1 to 128 characters, not . or .., no control character, none of : ; , # ? / '"""
    ident = _exact("a run's id", ident)
    barred = _RUN_ID_BARRED.search(ident)
    if barred:
        raise UsageError(f"a run's id must not hold {barred.group()!r}: {ident!r}. Use - or _ instead")
    if ident in (".", ".."):
        raise UsageError(f"a run's id must not be {ident!r}: in addresses and paths that is a folder. Use a word")
    if not ident.strip() or len(ident) > 128:
        raise UsageError(f"a run's id has 1 to 128 characters, this one {len(ident)}: {ident!r:.80}")
    return ident


def check_tags(tags: str | Iterable[str] | None) -> list[str]:
    """The tags as a list without repeats; a lone string is one tag. Every bad one is named in one error."""
    found = _listed("tags", tags)
    bad = [tag for tag in found if not isinstance(tag, str) or not 1 <= len(tag) <= 64]
    if bad:
        raise UsageError(
            f"a tag is text of 1 to 64 characters; these are not: {', '.join(f'{tag!r:.80}' for tag in bad)}"
        )
    return list(dict.fromkeys(check_text("a tag", tag) for tag in found))


def check_artifact(name: str) -> str:
    """The name, if an artifact may have it: 1 to 128 of letters, digits, _ . and -, not . or .."""
    if not isinstance(name, str) or not _ARTIFACT.fullmatch(name) or name in (".", ".."):
        like = _looks_like(name) if isinstance(name, str) else _UNNAMED
        instead = "" if like == _UNNAMED else f". {like!r} could be"
        raise UsageError(
            f"an artifact's name is 1 to 128 of A-Z a-z 0-9 _ . - (not . or ..), this one is {name!r:.150}{instead}"
        )
    return str.__str__(name)


def artifact_name(text: str) -> str:
    """A valid artifact name that looks like this text; others may look so too, but no other one that differs in letters
    or digits: where some had to go, the start of the text's sha256 stands for them."""
    made = _looks_like(text)
    if any(char.isalnum() and not char.isascii() for char in text):
        return f"{made[:111]}-{_short_digest(text)}"
    return made


def _looks_like(text: str) -> str:
    made = re.sub(r"[^A-Za-z0-9_.\-]+", "-", text).strip("-")[:128]
    return made if made.strip(".") else _UNNAMED


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def run_artifact(ident: str, key: str) -> str:
    """What a run's table or file is called as an artifact: `run-<id>-<key>`, as wandb has it. An id or a key that no
    name may hold as it is stands there with the start of its sha256: two keys are never one artifact.
    """
    return f"run-{_distinct(ident, 40)}-{_distinct(key, 80)}"


def run_artifact_key(name: str, key: str) -> bool:
    """Whether what a run logged under this key is called so, by `run_artifact` or as weft 0.1 did."""
    return name.startswith("run-") and name.endswith((f"-{_distinct(key, 80)}", f"-{_looks_like(key)}"))


def check_aliases(aliases: str | Iterable[str] | None) -> list[str]:
    """The aliases as a list without repeats; none may look like a version (v3) or hold / or :.
    Every bad one is named in one error."""
    found = _listed("aliases", aliases)
    bad = [said for said in map(_wrong_alias, found) if said is not None]
    if bad:
        raise UsageError("; ".join(bad))
    return list(dict.fromkeys(check_text("an alias", alias) for alias in found))


def _wrong_alias(alias: object) -> str | None:
    """What is wrong with it; None: nothing."""
    if not isinstance(alias, str) or not 1 <= len(alias) <= 128 or not alias.isprintable() or not alias.strip():
        return f"an alias is text of 1 to 128 printable characters, not spaces alone; this one is {alias!r:.150}"
    if "/" in alias or ":" in alias:
        return f"an alias must not hold / or :, this one is {alias!r}"
    if _VERSION.fullmatch(alias):
        return f"{alias!r} is how versions are called; the store gives those. Choose another alias"
    return None


def version_number(text: str) -> int | None:
    """3 for `v3`; None for what is no version."""
    return int(text[1:]) if _VERSION.fullmatch(text) else None


def check_local_path(what: str, value: object) -> str:
    """The path as text, if a file or folder may have it; whether there is one is not asked.

    Args:
        what: the argument's name, for the message.
    """
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str):
        raise UsageError(
            f"{what} takes the path of a file or folder as text, got {type(value).__name__}: {value!r:.80}"
        )
    if not path.strip():
        raise UsageError(f"{what} takes the path of a file or folder, got {path!r:.80}; the working directory is '.'")
    try:
        barred = b"\0" in os.fsencode(path)
    except UnicodeEncodeError:
        barred = True
    if barred:
        raise UsageError(
            f"{what}: no file can be called {path!r:.150}; it holds a character that file names cannot have"
        )
    return str.__str__(path)


def check_text(what: str, value: object) -> str:
    """Free text as a record holds it: a plain `str`, bytes that were no UTF-8 (a file name's) as escapes.

    A record takes every field as it is typed; one of another type could not be read back.
    """
    return _exact(what, value).encode("utf-8", "backslashreplace").decode()


def check_optional_text(what: str, value: object) -> str | None:
    """As `check_text`; None stays None."""
    return None if value is None else check_text(what, value)


def _distinct(text: str, most: int) -> str:
    if len(text) <= most and _ARTIFACT.fullmatch(text):
        return text
    return f"{_looks_like(text)[: most - 9]}-{_short_digest(text)}"


def _listed(what: str, value: str | Iterable[str] | None) -> list[str]:
    if value is None or isinstance(value, str):
        return [] if value is None else [value]
    if not isinstance(value, Iterable):
        raise UsageError(f"{what} are a text or a list of texts, got {type(value).__name__}: {value!r:.80}")
    return list(value)


def _exact(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{what} must be text, got {type(value).__name__}: {value!r:.80}")
    return str.__str__(value)
