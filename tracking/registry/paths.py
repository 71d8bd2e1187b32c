"""How collections and linked versions are named: `model/classifier`, `registry:model/classifier:production`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from weft.tracking import names
from weft.tracking.errors import UsageError

DEFAULT = "model"
"""The registry of a collection that is named alone."""
PREFIX = "registry:"
"""What tells a linked version from one of a project, where both may stand: no project's name holds a colon."""
WANDB = "wandb-registry-"
"""How wandb calls the project that is a registry."""
WANDB_MODELS = "model-registry"
LATEST = "latest"
REGISTRY_LENGTH = 113
COLLECTION = "collection"


@dataclass(frozen=True, slots=True, order=True)
class CollectionPath:
    """`registry/name`."""

    registry: str
    name: str

    @classmethod
    def parse(cls, text: object) -> CollectionPath:
        """Of `registry/collection`, `collection`, or as wandb writes it: `wandb-registry-model/collection`, each
        perhaps after an entity.

        Raises:
            UsageError: it names no collection.
        """
        if not isinstance(text, str):
            raise UsageError(f'a collection is named like "model/classifier", got {text!r:.80}')
        parts = text.removeprefix(PREFIX).split("/")
        registry, name = parts[-2] if len(parts) > 1 else DEFAULT, parts[-1]
        registry = "model" if registry == WANDB_MODELS else registry.removeprefix(WANDB)
        if len(parts) > 3 or not all(parts):
            raise UsageError(f'{text!r:.150} names no collection; one is named like "model/classifier"')
        if ":" in name:
            raise UsageError(
                f"{text!r:.150} names a version; here a collection is named: {text.rpartition(':')[0]!r:.150}"
            )
        for what, part, most in (("registry", registry, REGISTRY_LENGTH), (COLLECTION, name, 128)):
            try:
                names.check_artifact(part)
            except UsageError:
                most_of = f"1 to {most} of A-Z a-z 0-9 _ . - (not . or ..)"
                raise UsageError(f"a {what}'s name is {most_of}, this one is {part!r:.150} in {text!r:.150}") from None
            if len(part) > most:
                raise UsageError(f"a {what}'s name has at most {most} characters, {part!r:.150} has {len(part)}")
        return cls(registry, name)

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}"


@dataclass(frozen=True, slots=True)
class LinkReference:
    """`registry/collection:alias`, taken apart."""

    path: CollectionPath
    which: str | None
    """`latest`, an alias or `v3`; None: nothing was said."""

    @classmethod
    def parse(cls, text: object) -> LinkReference:
        """
        Raises:
            UsageError: it is no such reference.
        """
        if not isinstance(text, str):
            raise UsageError(f'a linked version is named like "model/classifier:v3", got {text!r:.80}')
        path, colon, which = text.removeprefix(PREFIX).partition(":")
        if colon and (not which or "/" in which or ":" in which):
            raise UsageError(f'{text!r:.150} names no linked version; one is named like "model/classifier:production"')
        return cls(CollectionPath.parse(path), which or None)


def is_reference(text: str) -> bool:
    """Whether a text that may name any version names one of the registry."""
    return text.startswith((PREFIX, WANDB)) or f"/{WANDB}" in text


def check_alias(alias: object, verb: str) -> str:
    """One alias that somebody wants to move or to guard.

    Raises:
        UsageError: it is none, is a version's (v3), or is `latest`, which goes by itself.
    """
    if not isinstance(alias, str):
        raise UsageError(f"an alias is text, got {alias!r:.80}")
    if alias == LATEST:
        raise UsageError(f"latest is always the newest link: it cannot be {verb}. Choose another alias")
    return names.check_aliases(alias)[0]


def check_aliases(aliases: str | Iterable[str] | None) -> list[str]:
    """Aliases for a link; `latest` may be among them and is left out, since the newest link has it anyway.

    Raises:
        UsageError: one is none.
    """
    return [alias for alias in names.check_aliases(aliases) if alias != LATEST]
