"""An installation in which every text that an attacker may choose is the same one: names, settings, owners, what remote
systems said, what failed in runs. It is written past every check, as if some day one of them had a hole."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

import pytest
from marshmallow import validate
from sqlalchemy import Connection, Table, select, update
from web_house import WebHouse

from flows.model import RunStatus
from integrator.store import tables

KEPT: Final = frozenset(
    {"connector", "api_type", "auth", "provider", "operation", "timezone", "missed", "cron", "type"}
    | {"authority", "arm", "vaults", "vault_audience", "arm_audience", "ca_file", "tenant"}
)
"""Keys of documents whose values choose what is done: no text of somebody's."""
EXPRESSIONS: Final = frozenset({"where", "from"})
NOUNS: Final = (tables.clouds, tables.iclients, tables.connections, tables.flows)
FLOW: Final = {
    "name": "nightly",
    "exports": [{"connection": "contoso", "resource": "secrets", "values": True, "where": "name == 'x'"}],
    "steps": [
        {
            "import": {
                "connection": "fabrikam",
                "resource": "secrets",
                "operation": "upsert",
                "mapping": [{"to": "name", "from": "name"}, {"to": "value", "from": "value"}],
            }
        }
    ],
}


class Planted:
    """The house in which the text stands everywhere. `names` are what its things are called now."""

    def __init__(self, web: WebHouse, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.web, self.text = web, text
        self._fields = 0
        web.apply({**web.document(), "flows": [FLOW]})
        web.consented("fabrikam")
        self.names: dict[str, dict[str, str]] = {}
        self.browser = web.signed_in("ada")
        for kind in (validate.Regexp, validate.Length):
            monkeypatch.setattr(kind, "__call__", lambda self, value: value)
        with web.installation.store.database.writing() as db:
            self._rename(db)
            self._tell(db)

    def path(self, noun: str, name: str) -> str:
        """The name of this thing now, as it stands in a path."""
        return quote(self.names[noun][name], safe="")

    def _rename(self, db: Connection) -> None:
        stem = self.text.replace("/", "").strip()[:60]
        for table in NOUNS:
            names = [*db.scalars(select(table.c.name).order_by(table.c.name))]
            self.names[table.name] = {name: f"{stem}{number}" for number, name in enumerate(names)}
        every = {name: new for names in self.names.values() for name, new in names.items()}
        for table in NOUNS:
            for row in db.execute(select(table)).all():
                document = self._told(json.loads(row.document), every)
                told = {"name": every[row.name], "document": json.dumps(document)}
                told |= {
                    name: every.get(row._mapping[name], row._mapping[name])
                    for name in ("iclient", "cloud")
                    if name in table.c
                }
                db.execute(update(table).where(table.c.id == row.id).values(told))

    def _told(self, value: Any, names: dict[str, str], key: str = "") -> Any:
        if isinstance(value, dict):
            return {one: self._told(inner, names, one) for one, inner in value.items()}
        if isinstance(value, list):
            return [self._told(inner, names, key) for inner in value]
        if not isinstance(value, str) or key in KEPT:
            return value
        if key == "to":  # each field has one rule
            self._fields += 1
            return f"{self.text}{self._fields}"
        if key in EXPRESSIONS:
            return "'" + self.text.replace("\\", "").replace("'", "\\'") + "'"
        return names.get(value, self.text)

    def _tell(self, db: Connection) -> None:
        text, now = self.text, self.web.installation.clock.now()
        state = {"state_code": text, "state_message": text, "state_at": now}
        db.execute(update(tables.connections).values(state))
        flow = db.scalar(select(tables.flows.c.id))
        progress = {"counts": {"read": 3, "failed": 1}, "calls": {text: 3}}
        run = {"flow_id": flow, "progress": json.dumps(progress), "started_by": text, "worker": text, "started_at": now}
        for number, status in enumerate(RunStatus):
            over = (
                {} if status in ("running", "waiting") else {"ended_at": now, "error_code": text, "error_message": text}
            )
            _add(db, tables.runs, {**run, "due": number, "status": status.value, "error_message": "", **over})
            wrong = {"run_id": number + 1, "effect": "failed", "at": now, "recovery": "retry"}
            for other in range(2):
                named = dict.fromkeys(("step", "message", "target_key"), text)
                _add(db, tables.outcomes, {**wrong, **named, "key": f"{text}{other}", "code": f"{text}{other}"})
            _add(db, tables.run_events, {"run_id": number + 1, "at": now, "event": text, "detail": text})
        for noun in ("connection", "iClient", "flow", text):
            said = {"actor": text, "action": text, "noun": noun, "name": text.replace("/", "")}
            _add(db, tables.audit, {**said, "at": now, "detail": json.dumps({text: text, "changed": [text]})})
        _add(db, tables.notices, {"at": now, "owner": text, "subject": text, "message": text, "key": text})
        db.execute(update(tables.users).values(name=text))
        db.execute(update(tables.web_sessions).values(toast=text))


def _add(db: Connection, table: Table, row: dict[str, Any]) -> None:
    db.execute(table.insert().values(row))
