"""The first tables: clouds, iClients, connections, flows, runs with their outcomes, and the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them all."""
    _make_nouns()
    _make_runs()
    _make_ledger()


def _make_nouns() -> None:
    op.create_table("clouds", *_named(), sa.Column("document", sa.Text, nullable=False), sqlite_autoincrement=True)
    op.create_table(
        "iclients",
        *_named(),
        sa.Column("provider", sa.String(100), nullable=False),
        sa.Column("cloud", sa.String(100), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("credential", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_iclients_cloud", "iclients", ["cloud"])
    op.create_table(
        "connections",
        *_named(),
        sa.Column("connector", sa.String(100), nullable=False),
        sa.Column("iclient", sa.String(100)),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_connections_iclient", "connections", ["iclient"])
    op.create_table(
        "flows",
        *_named(),
        sa.Column("scheduled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )


def _named() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(100), nullable=False, unique=True),
    ]


def _make_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("flow_id", sa.Integer, sa.ForeignKey("flows.id", ondelete="CASCADE"), nullable=False),
        sa.Column("due", sa.Integer),
        sa.Column("status", sa.String(30), nullable=False),
        sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("cancel", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("worker", sa.String(200), nullable=False, server_default=""),
        sa.Column("cursor", sa.Text),
        sa.Column("progress", sa.Text, nullable=False, server_default="{}"),
        sa.Column("error_code", sa.String(100), nullable=False, server_default=""),
        sa.Column("error_message", sa.Text, nullable=False, server_default=""),
        sa.Column("started_at", sa.Float),
        sa.Column("ended_at", sa.Float),
        sa.UniqueConstraint("flow_id", "due"),
        sqlite_autoincrement=True,
    )
    running = sa.text("status = 'running'")
    op.create_index(
        "ix_runs_running_flow", "runs", ["flow_id"], unique=True, sqlite_where=running, postgresql_where=running
    )
    op.create_table(
        "outcomes",
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("line", sa.Integer, primary_key=True, server_default="0"),
        sa.Column("effect", sa.String(20), nullable=False),
        sa.Column("step", sa.Text, nullable=False, server_default=""),
        sa.Column("code", sa.String(100), nullable=False, server_default=""),
        sa.Column("recovery", sa.String(20), nullable=False, server_default=""),
        sa.Column("message", sa.Text, nullable=False, server_default=""),
        sa.Column("target_key", sa.Text, nullable=False, server_default=""),
        sa.Column("at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )


def _make_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("flow_id", sa.Integer, sa.ForeignKey("flows.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False, server_default=""),
        sa.Column("marker", sa.Text, nullable=False, server_default=""),
        sa.Column("source_marker", sa.Text, nullable=False, server_default=""),
        sa.Column("owned", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("intent", sa.Text, nullable=False, server_default=""),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_ledger_target_key", "ledger", ["target", "key"])
