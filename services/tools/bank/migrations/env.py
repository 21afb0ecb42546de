"""Runs the migrations in one transaction. alembic loads this file."""

from alembic import context
from sqlalchemy import create_engine, pool, text

LOCK = 7_405_226_011
"""Key of an advisory lock, so that replicas that start at the same time migrate one after another. Any number does."""

engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
with engine.begin() as connection:
    # Held until the COMMIT. The second process then finds that nothing is left to do.
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    context.configure(connection=connection, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
