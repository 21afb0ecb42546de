"""Migrations of the bank's tables in PostgreSQL, applied by `python -m services.tools.migrate`."""
