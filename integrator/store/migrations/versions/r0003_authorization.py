"""How connections stand, second credentials, consents that begin, links, pauses; who changed what, and who must act."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns, all with a default so that stored rows stay as they are, and make four tables."""
    _extend_nouns()
    _extend_consents()
    _make_consent_states()
    _make_consent_links()
    _make_audit()
    _make_notices()


def _extend_nouns() -> None:
    op.add_column("iclients", sa.Column("next_credential", sa.Text))
    op.add_column("iclients", _text("credential_expires", sa.String(10)))
    op.add_column("iclients", _text("next_credential_expires", sa.String(10)))
    op.add_column("connections", _text("state", sa.String(30), "offline"))
    op.add_column("connections", _text("state_code", sa.String(100)))
    op.add_column("connections", _text("state_message", sa.Text()))
    op.add_column("connections", sa.Column("state_at", sa.Float))
    op.add_column("flows", _text("paused", sa.String(100)))
    op.add_column("flows", sa.Column("paused_at", sa.Float))


def _extend_consents() -> None:
    op.add_column("consents", sa.Column("version", sa.Integer, nullable=False, server_default="0"))
    op.add_column("consents", _text("lease", sa.String(200)))
    op.add_column("consents", sa.Column("lease_until", sa.Float, nullable=False, server_default="0"))
    op.add_column("consents", sa.Column("exchanging", sa.Float))


def _make_consent_states() -> None:
    op.create_table(
        "consent_states",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("state_hash", sa.String(64), nullable=False, unique=True),
        _of_connection(),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        _text("browser", sa.String(64)),
        sa.Column("sealed", sa.Text, nullable=False),
        _text("return_to", sa.Text()),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float),
        sa.Column("ended_at", sa.Float),
        _text("code", sa.String(100)),
        _text("message", sa.Text()),
        _text("account", sa.Text()),
        sqlite_autoincrement=True,
    )


def _make_consent_links() -> None:
    op.create_table(
        "consent_links",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        _of_connection(),
        sa.Column("made_by", sa.String(200), nullable=False),
        _text("made_for", sa.String(200)),
        _text("return_to", sa.Text()),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float),
        sqlite_autoincrement=True,
    )


def _make_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("noun", sa.String(30), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        _text("detail", sa.Text(), "{}"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_at", "audit", ["at"])


def _make_notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        _text("owner", sa.String(200)),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("key", sa.String(200), nullable=False, unique=True),
        sa.Column("seen_at", sa.Float),
        sqlite_autoincrement=True,
    )


def _text(name: str, kind: sa.String, default: str = "") -> sa.Column[str]:
    return sa.Column(name, kind, nullable=False, server_default=default)


def _of_connection() -> sa.Column[int]:
    return sa.Column("connection_id", sa.Integer, sa.ForeignKey("connections.id", ondelete="CASCADE"), nullable=False)
