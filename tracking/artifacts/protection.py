"""What keeps a version from being deleted. Asked by whoever deletes one: `ArtifactVersion.delete`, `weft artifacts`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.tracking.errors import UsageError
from weft.tracking.store.artifactsink import LATEST

if TYPE_CHECKING:
    from weft.tracking.store.readmodels import ArtifactRecord, HeldLink
    from weft.tracking.store.store import Store


def protected_by(store: Store, version: ArtifactRecord) -> list[str]:
    """What would have to be given up first, in words ("linked as registry/models:v3"); empty: nothing."""
    return [_told(link) for link in store.reader().links(version.project, version.name, version.digest)]


def _told(link: HeldLink) -> str:
    own = [alias for alias in link.aliases if alias != LATEST]
    held = ", ".join(f"{alias} (protected)" if alias in link.protected else alias for alias in own)
    return f"linked as {link.path}:v{link.number}" + (f" with {held}" if held else "")


def check_free(project: str, name: str, digest: str, *, delete_aliases: bool = False) -> None:
    """
    Raises:
        UsageError: the version has aliases of its own (besides `latest`), or something protects it.
    """
    from weft.tracking.store.access import open_store  # brings SQLAlchemy: only who deletes pays for it

    with open_store() as store:
        where = {"project": project, "name": name, "digest": digest}
        for version in store.reader().artifacts(where, limit=1, manifests=False).rows:
            check_version(store, version, delete_aliases=delete_aliases)


def check_version(store: Store, version: ArtifactRecord, *, delete_aliases: bool = False) -> None:
    """The same, of a version that was read."""
    called = f"{version.project}/{version.name}:v{version.version}"
    protected = protected_by(store, version)
    if protected:
        raise UsageError(f"{called} cannot be deleted: {'; '.join(protected)}. Unlink it first: `weft registry unlink`")
    own = own_aliases(version)
    if own and not delete_aliases:
        raise UsageError(
            f"{called} has {'the alias' if len(own) == 1 else 'aliases'} {', '.join(own)}. Move them first, or delete "
            "it with them: delete(delete_aliases=True), weft artifacts rm --aliases"
        )


def own_aliases(version: ArtifactRecord) -> list[str]:
    """Aliases that somebody gave."""
    return [alias for alias in version.aliases if alias != LATEST]
