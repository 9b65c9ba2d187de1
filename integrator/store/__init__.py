"""What is remembered: the database, its repositories (one module a noun), sealed values, and the journal of runs.

The one home of SQLAlchemy and Alembic. Start reading at `store.Store`.
"""
