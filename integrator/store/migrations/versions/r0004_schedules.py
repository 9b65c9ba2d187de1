"""When flows are due next, who started a run, and until when it waits before it is tried again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns, all with a default. Scheduled flows get their next due time from the next server that starts."""
    op.add_column("flows", sa.Column("next_due", sa.Integer))
    op.create_index("ix_flows_next_due", "flows", ["next_due"])
    op.add_column("runs", sa.Column("started_by", sa.String(200), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("not_before", sa.Float))
    op.add_column("runs", sa.Column("retries", sa.Integer, nullable=False, server_default="0"))
