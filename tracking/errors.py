"""What weft raises, one root. Recording never raises any of these; reading, configuring and the CLI do."""

from typing import Any


class Error(Exception):
    """Root of weft's errors. The message says what was tried, what was found and what to do."""


class HomeError(Error):
    """The home folder cannot be used (a file is in its place, no permission, no space)."""


class StoreError(Error):
    """The store cannot be opened, read or migrated."""


class NewerStoreError(StoreError):
    """The store was written by a newer weft."""


class UsageError(Error, ValueError):
    """A programming mistake in a call to weft: a wrong type, a bad name, an unknown filter key. A ValueError too, as
    wandb raises."""


class ConfigError(UsageError):
    """A key of a run's configuration that may not take that value."""


CommError = Error
"""wandb's name for what its server refuses: here whatever weft raises."""
AuthenticationError = Error
"""Likewise: there is nobody here to be."""
UnsupportedError = UsageError
"""wandb's name for what it does not do."""


class GateError(Error):
    """The gate of the registry: what was required of a version was not found."""

    evidence: tuple[Any, ...] = ()
    """`weft.tracking.registry.evidence.Evidence`, one an evaluation."""


class NotFoundError(Error, ValueError):
    """Nothing goes by that name or id. A ValueError too, as wandb raises."""


class MissingExtraError(Error, ImportError):
    """An optional dependency is not installed; the message holds the pip line."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs packages that are not installed. Run: pip install "weft[{extra}]"')


class MissingLibraryError(MissingExtraError):
    """A library that weft only works with, and no extra of it brings, is not installed."""

    def __init__(self, what: str, package: str) -> None:
        ImportError.__init__(self, f"{what} needs {package}, which is not installed. Run: pip install {package}")
