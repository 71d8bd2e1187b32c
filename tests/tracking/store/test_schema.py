"""One schema: what the migrations make is what the sink and the readers believe in."""

from __future__ import annotations

import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from weft.tracking.store import migrations, schema
from weft.tracking.store.spanfacts import Facts
from weft.tracking.store.store import REVISIONS, Store


def test_migrations_make_the_schema(store_url: str) -> None:
    """A store that was migrated has the tables, columns and indexes of `schema`, no more and no less."""
    Store.open(store_url).close()
    engine = sqlalchemy.create_engine(store_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_every_revision_is_known() -> None:
    """The list that is checked without alembic is alembic's own, in order."""
    scripts = ScriptDirectory(next(iter(migrations.__path__)))
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS


def test_rows_have_the_tables_columns() -> None:
    """Rows are positional: one value a column."""
    assert len(Facts().row(1, 2, b"s", None, None, False)) == len(schema.span.columns)
