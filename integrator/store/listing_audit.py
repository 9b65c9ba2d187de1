"""Audit rows and notices as lists show them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, func, or_, select

from integrator.store.audit import AuditRow
from integrator.store.notices import Notice
from integrator.store.pages import Asked, Page, paged
from integrator.store.tables import audit, notices


def audit_page(db: Connection, asked: Asked) -> Page[AuditRow]:
    """A page of audit rows, the newest first: searched by name, actor and action; filtered by `noun` and `name`."""
    query = select(audit)
    if asked.search:
        columns = (audit.c.name, audit.c.actor, audit.c.action)
        query = query.where(or_(*(column.contains(asked.search, autoescape=True) for column in columns)))
    for key in ("noun", "name"):
        if asked.filters.get(key):
            query = query.where(audit.c[key] == asked.filters[key])
    return paged(db, query, asked, {"at": audit.c.id}, _audit_row, first="-at")


def notices_page(db: Connection, asked: Asked) -> Page[Notice]:
    """A page of notices, the newest first; those that were seen only with the filter `seen`."""
    query = select(notices)
    if not asked.filters.get("seen"):
        query = query.where(notices.c.seen_at.is_(None))
    return paged(db, query, asked, {"at": notices.c.id}, _notice, first="-at")


def unseen_notices(db: Connection) -> int:
    """How many notices nobody has seen."""
    query = select(func.count()).select_from(notices).where(notices.c.seen_at.is_(None))
    return db.execute(query).scalar_one()


def _audit_row(row: Any) -> AuditRow:
    return AuditRow(row.id, row.at, row.actor, row.action, row.noun, row.name, json.loads(row.detail))


def _notice(row: Any) -> Notice:
    return Notice(row.id, row.at, row.owner, row.subject, row.message, row.key, row.seen_at)
