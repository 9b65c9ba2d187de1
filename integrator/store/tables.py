"""The tables. Rows are thin: columns that are searched, and one document written by the same schema as a file's."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

clouds = Table(
    "clouds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("document", Text, nullable=False),
    sqlite_autoincrement=True,
)

iclients = Table(
    "iclients",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("provider", String(100), nullable=False),
    Column("cloud", String(100), nullable=False, index=True),
    Column("document", Text, nullable=False),
    Column("credential", Text),
    Column("next_credential", Text),
    Column("credential_expires", String(10), nullable=False, server_default=""),
    Column("next_credential_expires", String(10), nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

connections = Table(
    "connections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("connector", String(100), nullable=False),
    Column("iclient", String(100), index=True),
    Column("document", Text, nullable=False),
    Column("state", String(30), nullable=False, server_default="offline"),
    Column("state_code", String(100), nullable=False, server_default=""),
    Column("state_message", Text, nullable=False, server_default=""),
    Column("state_at", Float),
    sqlite_autoincrement=True,
)

consents = Table(
    "consents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("connection_id", ForeignKey("connections.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("sealed", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="0"),
    Column("lease", String(200), nullable=False, server_default=""),
    Column("lease_until", Float, nullable=False, server_default="0"),
    Column("exchanging", Float),
    sqlite_autoincrement=True,
)

consent_states = Table(
    "consent_states",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("state_hash", String(64), nullable=False, unique=True),
    Column("connection_id", ForeignKey("connections.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("user", String(200), nullable=False),
    Column("browser", String(64), nullable=False, server_default=""),
    Column("sealed", Text, nullable=False),
    Column("return_to", Text, nullable=False, server_default=""),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
    Column("ended_at", Float),
    Column("code", String(100), nullable=False, server_default=""),
    Column("message", Text, nullable=False, server_default=""),
    Column("account", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

consent_links = Table(
    "consent_links",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("connection_id", ForeignKey("connections.id", ondelete="CASCADE"), nullable=False),
    Column("made_by", String(200), nullable=False),
    Column("made_for", String(200), nullable=False, server_default=""),
    Column("return_to", Text, nullable=False, server_default=""),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
    sqlite_autoincrement=True,
)

flows = Table(
    "flows",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("scheduled", Boolean, nullable=False, server_default=false()),
    Column("document", Text, nullable=False),
    Column("paused", String(100), nullable=False, server_default=""),
    Column("paused_at", Float),
    Column("next_due", Integer, index=True),
    sqlite_autoincrement=True,
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("flow_id", ForeignKey("flows.id", ondelete="CASCADE"), nullable=False),
    Column("due", Integer),
    Column("status", String(30), nullable=False),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("cancel", Boolean, nullable=False, server_default=false()),
    Column("worker", String(200), nullable=False, server_default=""),
    Column("cursor", Text),
    Column("progress", Text, nullable=False, server_default="{}"),
    Column("error_code", String(100), nullable=False, server_default=""),
    Column("error_message", Text, nullable=False, server_default=""),
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("started_by", String(200), nullable=False, server_default=""),
    Column("not_before", Float),
    Column("retries", Integer, nullable=False, server_default="0"),
    Column("rescues", Integer, nullable=False, server_default="0"),
    Column("retry_of", Integer),
    Column("retry_only", Text, nullable=False, server_default=""),
    Column("counted", Text, nullable=False, server_default=""),
    UniqueConstraint("flow_id", "due"),
    Index(
        "ix_runs_running_flow",
        "flow_id",
        unique=True,
        sqlite_where=text("status = 'running'"),  # on PostgreSQL the migration says so: naming it here costs 20 ms
    ),
    sqlite_autoincrement=True,
)

run_events = Table(
    "run_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("event", String(40), nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

budgets = Table(
    "budgets",
    metadata,
    Column("place", String(400), primary_key=True),
    Column("next", Float, nullable=False),
    Column("paused_until", Float, nullable=False, server_default="0"),
    Column("slowdown", Float, nullable=False, server_default="1"),
    Column("pauses", Integer, nullable=False, server_default="0"),
    Column("at", Float, nullable=False, server_default="0"),
)

moved_by_hour = Table(
    "moved_by_hour",
    metadata,
    Column("hour", Integer, primary_key=True),
    Column("runs", Integer, nullable=False, server_default="0"),
    Column("moved", Integer, nullable=False, server_default="0"),
    Column("unchanged", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("line", Integer, primary_key=True, server_default="0"),
    Column("effect", String(20), nullable=False),
    Column("step", Text, nullable=False, server_default=""),
    Column("code", String(100), nullable=False, server_default=""),
    Column("recovery", String(20), nullable=False, server_default=""),
    Column("message", Text, nullable=False, server_default=""),
    Column("target_key", Text, nullable=False, server_default=""),
    Column("at", Float, nullable=False),
    sqlite_with_rowid=False,
)

ledger = Table(
    "ledger",
    metadata,
    Column("flow_id", ForeignKey("flows.id", ondelete="CASCADE"), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False, server_default=""),
    Column("marker", Text, nullable=False, server_default=""),
    Column("source_marker", Text, nullable=False, server_default=""),
    Column("owned", Boolean, nullable=False, server_default=false()),
    Column("intent", Text, nullable=False, server_default=""),
    Index(None, "target", "key"),
    sqlite_with_rowid=False,
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("actor", String(200), nullable=False),
    Column("action", String(100), nullable=False),
    Column("noun", String(30), nullable=False),
    Column("name", String(100), nullable=False),
    Column("detail", Text, nullable=False, server_default="{}"),
    sqlite_autoincrement=True,
)

notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("owner", String(200), nullable=False, server_default=""),
    Column("subject", String(200), nullable=False),
    Column("message", Text, nullable=False),
    Column("key", String(200), nullable=False, unique=True),
    Column("seen_at", Float),
    sqlite_autoincrement=True,
)

SEALED: Final = (
    (iclients, "credential"),
    (iclients, "next_credential"),
    (consents, "sealed"),
    (consent_states, "sealed"),
)
"""Every column that holds sealed texts, with its table."""

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("role", String(30), nullable=False),
    Column("password", Text, nullable=False, server_default=""),
    Column("created_at", Float, nullable=False),
    Column("signed_in_at", Float),
    sqlite_autoincrement=True,
)

user_links = Table(
    "user_links",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE")),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
    sqlite_autoincrement=True,
)

web_sessions = Table(
    "web_sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("toast", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(60), nullable=False),
    Column("hash_begin", String(16), nullable=False, unique=True),
    Column("token_hash", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
    UniqueConstraint("user_id", "name"),
    sqlite_autoincrement=True,
)

sign_in_tries = Table(
    "sign_in_tries",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("level", Float, nullable=False),
    Column("at", Float, nullable=False),
)

Index("ix_runs_flow_id_id", runs.c.flow_id, runs.c.id)  # a flow's last runs stand on its page and in the list of flows
Index("ix_runs_status_id", runs.c.status, runs.c.id)  # lists of runs are filtered by status, the newest first
Index("ix_runs_status_ended_at", runs.c.status, runs.c.ended_at)  # what went wrong of late is counted on every page

_WRONG: Final = text("effect IN ('failed', 'conflicts')")
Index(
    "ix_outcomes_wrong_key", outcomes.c.run_id, outcomes.c.key, sqlite_where=_WRONG
)  # a few among a million that went well
# causes are found by stepping through this one, and the records of one cause stand in it by key: no other column between
Index("ix_outcomes_wrong_code", outcomes.c.run_id, outcomes.c.code, sqlite_where=_WRONG)
Index("ix_outcomes_wrong_line", outcomes.c.run_id, outcomes.c.line, sqlite_where=_WRONG)
