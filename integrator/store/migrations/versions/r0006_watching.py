"""What people who watch runs see: what happened to a run, what it tries again, and how much was moved in each hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns, all with a default, two tables, and indexes over the records that went wrong."""
    op.add_column("runs", sa.Column("rescues", sa.Integer, nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("retry_of", sa.Integer))
    op.add_column("runs", sa.Column("retry_only", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "run_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_events_run_id", "run_events", ["run_id"])
    wrong = sa.text("effect IN ('failed', 'conflicts')")
    for column in ("key", "code", "line"):
        name = f"ix_outcomes_wrong_{column}"
        op.create_index(name, "outcomes", ["run_id", column], sqlite_where=wrong, postgresql_where=wrong)
    op.create_table(
        "moved_by_hour",
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("runs", sa.Integer, nullable=False, server_default="0"),
        sa.Column("moved", sa.Integer, nullable=False, server_default="0"),
        sa.Column("unchanged", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failed", sa.Integer, nullable=False, server_default="0"),
    )
