"""Token counts, pure: as a provider reports them (inclusive), and as they are billed (each token in one bucket)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as OpenTelemetry counts them: the cached, audio and image ones are part of `input_tokens`, the
    reasoning, audio and image ones part of `output_tokens`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    """Of any lifetime."""
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    cache_write_1h_tokens: int = 0
    """Those of `cache_write_tokens` that the provider keeps for an hour (Anthropic bills twice the input price for
    them); the others it keeps for minutes."""
    input_image_tokens: int = 0
    output_image_tokens: int = 0

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Usage:
        """From a record's counts; names that have no price here are left out."""
        return cls(**{name: counts[name] for name in USAGE_NAMES if name in counts})

    @classmethod
    def known(cls, counts: Mapping[str, int] | None) -> Usage | None:
        """As `of`; None where nothing in it can have a price: what was used is not known, which is not 0."""
        return cls.of(counts) if counts and not counts.keys().isdisjoint(USAGE_NAMES) else None

    @property
    def inconsistencies(self) -> tuple[str, ...]:
        """Why the report cannot be right, one phrase each; empty: it can be."""
        cached = self.cache_read_tokens + self.cache_write_tokens
        return tuple(
            phrase
            for wrong, phrase in (
                (min(getattr(self, name) for name in USAGE_NAMES) < 0, "negative count"),
                (cached > self.input_tokens, "more cached than input tokens"),
                (self.cache_write_1h_tokens > self.cache_write_tokens, "more written for an hour than written at all"),
                (self.input_audio_tokens > self.input_tokens, "more audio than input tokens"),
                (self.input_image_tokens > self.input_tokens, "more image than input tokens"),
                (self.reasoning_tokens > self.output_tokens, "more reasoning than output tokens"),
                (self.output_audio_tokens > self.output_tokens, "more audio than output tokens"),
                (self.output_image_tokens > self.output_tokens, "more image than output tokens"),
            )
            if wrong
        )

    def buckets(self) -> dict[str, int]:
        """The same tokens, each counted once and none below 0, under the same names: what is billed at which price.

        `cache_write_tokens` are then those kept for minutes. More cached than input tokens means that the sender counts
        them apart, so they are added; more reasoning than output tokens means that the output count left them out, and
        the larger is billed. The buckets of a consistent report sum to its input and output tokens.
        """
        count = {name: max(0, getattr(self, name)) for name in USAGE_NAMES}
        written = max(count["cache_write_tokens"], count["cache_write_1h_tokens"])
        cached = count["cache_read_tokens"] + written
        plain = count["input_tokens"] - (cached if cached <= count["input_tokens"] else 0)
        heard = min(count["input_audio_tokens"], plain)
        seen = min(count["input_image_tokens"], plain - heard)
        told = max(0, count["output_tokens"] - count["reasoning_tokens"])
        spoken = min(count["output_audio_tokens"], told)
        drawn = min(count["output_image_tokens"], told - spoken)
        return count | {
            "input_tokens": plain - heard - seen,
            "cache_write_tokens": written - count["cache_write_1h_tokens"],
            "input_audio_tokens": heard,
            "input_image_tokens": seen,
            "output_tokens": told - spoken - drawn,
            "output_audio_tokens": spoken,
            "output_image_tokens": drawn,
        }


USAGE_NAMES = tuple(item.name for item in fields(Usage))
