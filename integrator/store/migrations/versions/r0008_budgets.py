"""How far calls have gone at each place that is called, so that all processes together keep its budget."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "budgets",
        sa.Column("place", sa.String(400), primary_key=True),
        sa.Column("next", sa.Float, nullable=False),
        sa.Column("paused_until", sa.Float, nullable=False, server_default="0"),
        sa.Column("slowdown", sa.Float, nullable=False, server_default="1"),
        sa.Column("pauses", sa.Integer, nullable=False, server_default="0"),
        sa.Column("at", sa.Float, nullable=False, server_default="0"),
    )
