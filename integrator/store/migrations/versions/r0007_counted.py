"""What of a run has been counted among what was moved by the hour, and the index by which a flow's last runs are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column with a default, and an index."""
    op.add_column("runs", sa.Column("counted", sa.Text, nullable=False, server_default=""))
    op.create_index("ix_runs_flow_id_id", "runs", ["flow_id", "id"])
