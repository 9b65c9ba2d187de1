"""iClients as lists show them: without opening a credential, with when each one ends and how many use them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from integrator.store.iclients import SLOTS
from integrator.store.pages import Asked, Page, paged
from integrator.store.tables import audit, connections, iclients


@dataclass(frozen=True, slots=True)
class IClientRow:
    """One iClient in a list. Days are ISO 8601, or empty where nobody knows."""

    name: str
    provider: str
    cloud: str
    tenant: str
    client_id: str
    owner: str
    is_set: bool
    expires: str
    is_next_set: bool
    next_expires: str
    connections: int


@dataclass(frozen=True, slots=True)
class EndingCredential:
    """A credential that ends soon, or has."""

    iclient: str
    ends_on: date
    days_left: int


def iclients_page(db: Connection, asked: Asked) -> Page[IClientRow]:
    """A page of iClients: searched by name and provider, filtered by `provider`."""
    uses = select(func.count()).select_from(connections).where(connections.c.iclient == iclients.c.name)
    query = select(iclients, uses.scalar_subquery().label("uses"))
    if asked.search:
        columns = (iclients.c.name, iclients.c.provider)
        query = query.where(or_(*(column.contains(asked.search, autoescape=True) for column in columns)))
    if asked.filters.get("provider"):
        query = query.where(iclients.c.provider == asked.filters["provider"])
    sorts = {key: iclients.c[key] for key in ("name", "provider", "cloud")}
    return paged(db, query, asked, sorts | {"expires": iclients.c.credential_expires}, _row, first="name")


def iclient_names(db: Connection) -> list[tuple[str, str, bool]]:
    """Every iClient's name, its provider, and whether it is global, by name; what is in their documents is not judged."""
    rows = db.execute(select(iclients.c.name, iclients.c.provider, iclients.c.document).order_by(iclients.c.name))
    return [(row.name, row.provider, bool(json.loads(row.document).get("global"))) for row in rows]


def providers_in_use(db: Connection) -> list[str]:
    """The providers of all iClients, by name."""
    return [*db.scalars(select(iclients.c.provider).distinct().order_by(iclients.c.provider))]


def ending_credentials(db: Connection, today: date, until: date, limit: int = 5) -> list[EndingCredential]:
    """Current credentials that end by this day and have no next one in line, the first to end first."""
    ends = iclients.c.credential_expires
    due = and_(ends != "", ends <= until.isoformat(), iclients.c.next_credential.is_(None))
    rows = db.execute(select(iclients.c.name, ends).where(due).order_by(ends).limit(limit))
    return [_ending(row.name, date.fromisoformat(row.credential_expires), today) for row in rows]


def slots_set_at(db: Connection, name: str) -> dict[str, float]:
    """When each credential of this iClient was put where it is, as the audit has it: slot → Unix seconds."""
    wanted = (audit.c.noun == "iClient", audit.c.name == name)
    rows = db.execute(
        select(audit.c.at, audit.c.action, audit.c.detail).where(*wanted).order_by(audit.c.id.desc()).limit(200)
    )
    found: dict[str, float] = {}
    for row in rows:
        changed = json.loads(row.detail).get("changed", ()) if row.action == "updated" else SLOTS
        for slot in SLOTS:
            if slot in changed:
                found.setdefault(slot, row.at)
        if row.action == "created" or len(found) == len(SLOTS):
            break
    return found


def _ending(name: str, ends_on: date, today: date) -> EndingCredential:
    return EndingCredential(name, ends_on, (ends_on - today).days)


def _row(row: Any) -> IClientRow:
    document = json.loads(row.document)
    return IClientRow(
        name=row.name,
        provider=row.provider,
        cloud=row.cloud,
        tenant=document.get("tenant") or "",
        client_id=document.get("client_id") or "",
        owner=document.get("owner") or "",
        is_set=row.credential is not None,
        expires=row.credential_expires,
        is_next_set=row.next_credential is not None,
        next_expires=row.next_credential_expires,
        connections=row.uses,
    )
