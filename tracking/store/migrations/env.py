"""What alembic executes to run migrations: on the connection that `migrations.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from weft.tracking.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
