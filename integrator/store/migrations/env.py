"""Run by Alembic: revisions are carried out on the connection that `integrator.store.database` hands in."""

from alembic import context

from integrator.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
