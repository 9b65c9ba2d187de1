"""`python -m benchmarks.seed HOME`: an installation that has worked for a year, straight into its database.

Every number comes from one seed, so two runs with the same sizes make the same rows; only what is sealed differs, because
a nonce never comes twice. Times are told from now backwards. A user `ada` with the password `correct horse battery` signs
in. What the pages find hardest is in it: one connection that every flow uses, one run with a tenth of all errors.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, insert

from iclients.credentials import ClientSecret
from iclients.model import Consent, IClient, Token
from iclients.secret import Secret
from integrator.access import ADMINISTRATOR
from integrator.config import Config
from integrator.store import tables
from integrator.store.account_rows import writing_accounts
from integrator.store.passwords import hashed
from integrator.store.store import Store

USER: Final = "ada"
PASSWORD: Final = "correct horse battery"
SHARED: Final = "contoso-vault-0000"  # the connection that every flow uses
CONNECTOR: Final = "azure-key-vault"
ROWS_A_STATEMENT: Final = 20_000
DAY: Final = 86_400.0
RUN_STATES: Final = ("succeeded",) * 78 + ("completed with errors",) * 14 + ("failed",) * 6 + ("cancelled",) * 2
CONNECTION_STATES: Final = ("online",) * 90 + ("offline",) * 7 + ("needs authorization",) * 3
CAUSES: Final = (
    ("forbidden", "fix", "The vault refuses to write this secret: give the iClient the right to."),
    ("soft_deleted", "fix", "A deleted secret has this name: recover or purge it, then retry."),
    ("bad_name", "fix", "The name has characters that the vault does not take: map it to another one."),
    ("throttled", "retry", "The vault was asked too often: the next run tries this record again."),
)
WITHDRAWN: Final = "The consent was withdrawn: authorize this connection again."
ACTIONS: Final = ("created", "updated", "state", "consented", "paused", "resumed", "signed in", "deleted")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows."""

    connections: int = 1_000
    iclients: int = 200
    flows: int = 1_000
    runs: int = 100_000
    errors: int = 1_000_000
    audit: int = 10_000
    notices: int = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    for size in fields(Sizes):
        parser.add_argument(f"--{size.name}", type=int, default=size.default)
    options = vars(parser.parse_args())
    home, sizes = options.pop("home"), Sizes(**options)
    started = time.perf_counter()
    seed(home, sizes)
    print(f"{home}: {sizes}, in {time.perf_counter() - started:.0f} s")


def seed(home: Path, sizes: Sizes, now: float | None = None) -> None:
    """Fill a new home."""
    now, dice = time.time() if now is None else now, random.Random(5)
    config = Config.from_environment({"INTEGRATOR_HOME": str(home)})
    with Store.open(config, actor="seed") as store:
        with writing_accounts(store) as rows:
            rows.users.set_password(rows.users.add(USER, ADMINISTRATOR, now), hashed(Secret(PASSWORD)), told=False)
        _sealed(store, sizes, now)
        with store.database.writing() as db:
            for table, made in (
                (tables.connections, _connections(dice, sizes, now)),
                (tables.flows, _flows(dice, sizes, now)),
                (tables.runs, _runs(dice, sizes, now)),
                (tables.run_events, _events(sizes, now)),
                (tables.outcomes, _errors(sizes, now)),
                (tables.moved_by_hour, _moved(dice, now)),
                (tables.audit, _audit(dice, sizes, now)),
                (tables.notices, _notices(dice, sizes, now)),
            ):
                _insert(db, table, made)
        _consents(store, sizes, now)


def _sealed(store: Store, sizes: Sizes, now: float) -> None:
    """iClients with a client secret each; every tenth ends within a month."""
    today = date.fromtimestamp(now)
    with store.writing() as stored:
        for number in range(sizes.iclients):
            ends = today + timedelta(days=number % 30 if number % 10 == 0 else 60 + number)
            stored.iclients.save(
                IClient(
                    name=_iclient(number),
                    provider="entra",
                    client_id=f"00000000-0000-4000-8000-{number:012d}",
                    tenant="contoso.onmicrosoft.com",
                    credential=ClientSecret(Secret(f"made-up-{number}"), ends),
                    owner=_owner(number),
                )
            )


def _consents(store: Store, sizes: Sizes, now: float) -> None:
    """A consent for every other connection, as an access and a refresh token of usual length."""
    with store.writing() as stored:
        for number in range(0, sizes.connections, 2):
            token = Token(Secret("a" * 1_800), now + 3_600, now + 3_000, asked=("https://vault.azure.net/.default",))
            consent = Consent(Secret("r" * 1_200), _owner(number), ("user_impersonation",), now - DAY, (token,))
            stored.consents.save(_connection(number), consent)


def _connections(dice: random.Random, sizes: Sizes, now: float) -> Iterator[Row]:
    for number in range(sizes.connections):
        name, state = _connection(number), dice.choice(CONNECTION_STATES)
        settings = {"vault_url": f"https://contoso-{number:04d}.vault.azure.net"}
        iclient = _iclient(number % max(1, sizes.iclients))
        document = {"name": name, "connector": CONNECTOR, "settings": settings, "iclient": iclient, "api_type": "data"}
        document |= {"auth": _auth(number), "owner": _owner(number), "scopes": ["user_impersonation"]}
        message = WITHDRAWN if state.startswith("needs") else ""
        yield {
            "name": name,
            "connector": CONNECTOR,
            "iclient": iclient,
            "document": _text(document),
            "state": state,
            "state_code": "invalid_grant" if message else "",
            "state_message": message,
            "state_at": now - dice.random() * 30 * DAY,
        }


def _flows(dice: random.Random, sizes: Sizes, now: float) -> Iterator[Row]:
    for number in range(sizes.flows):
        source = _connection(number % max(1, sizes.connections))
        step = {
            "connection": SHARED,
            "resource": "secrets",
            "operation": "upsert",
            "mapping": [{"to": one, "from": one} for one in ("name", "value", "tags", "content_type")],
        }
        export = {"connection": source, "resource": "secrets", "where": "enabled"}
        document: Row = {"name": _flow(number), "exports": [export], "steps": [{"import": step}]}
        if is_scheduled := number % 5 != 4:
            document["schedule"] = {"cron": f"{number % 60} {number % 24} * * *", "timezone": "Europe/Berlin"}
        paused = "paused by a person" if number % 25 == 0 else "needs authorization" if number % 40 == 1 else ""
        yield {
            "name": _flow(number),
            "scheduled": is_scheduled,
            "document": _text(document),
            "paused": paused,
            "paused_at": now - DAY if paused else None,
            "next_due": int(now + 600 + dice.random() * DAY) if is_scheduled else None,
        }


def _runs(dice: random.Random, sizes: Sizes, now: float) -> Iterator[Row]:
    """The oldest first, over ninety days; the very last is the one with very many errors."""
    for number in range(1, sizes.runs + 1):
        began = now - 60 - 90 * DAY * (sizes.runs - number) / max(1, sizes.runs)
        state = "completed with errors" if number == sizes.runs else dice.choice(RUN_STATES)
        read = dice.randrange(50, 5_000)
        counts = {"read": read, "created": read // 20, "updated": read // 10}
        counts["unchanged"] = read - counts["created"] - counts["updated"]
        counts["failed"] = read // 100 if state == "completed with errors" else 0
        seconds = read / 200
        yield {
            "flow_id": 1 + number % max(1, sizes.flows),
            "due": int(began),
            "status": state,
            "fence": 1,
            "attempt": 1,
            "worker": "vault-host:4711",
            "cursor": _text({"page": read // 100}),
            "progress": _text({"counts": counts, "calls": {"get": read, "list": read // 25}, "seconds": seconds}),
            "error_code": "unreachable" if state == "failed" else "",
            "error_message": "The vault did not answer within 30 seconds." if state == "failed" else "",
            "started_at": began,
            "ended_at": began + seconds,
            "started_by": "schedule",
        }


def _events(sizes: Sizes, now: float) -> Iterator[Row]:
    for number in range(1, sizes.runs + 1):
        began = now - 60 - 90 * DAY * (sizes.runs - number) / max(1, sizes.runs)
        for later, event in enumerate(("queued", "started", "ended")):
            yield {"run_id": number, "at": began + later, "event": event, "detail": ""}


def _errors(sizes: Sizes, now: float) -> Iterator[Row]:
    """In the order of their key, as the table keeps them: a tenth in the last run, the rest over every fifth one."""
    last = sizes.errors // 10 if sizes.runs > 1 else sizes.errors
    spread, rest = range(5, sizes.runs, 5), sizes.errors - last
    for place, run in enumerate(spread):
        yield from _errors_of(run, rest * (place + 1) // len(spread) - rest * place // len(spread), now)
    yield from _errors_of(sizes.runs, last, now)


def _errors_of(run: int, many: int, now: float) -> Iterator[Row]:
    for number in range(many):
        code, recovery, message = CAUSES[number % 7 % len(CAUSES)]
        yield {
            "run_id": run,
            "key": f"team-{number % 97:02d}-secret-{number:06d}",
            "line": 0,
            "effect": "conflicts" if number % 50 == 7 else "failed",
            "step": "import 1",
            "code": code,
            "recovery": recovery,
            "message": message,
            "target_key": f"team-{number % 97:02d}-secret-{number:06d}",
            "at": now - number % 1_000,
        }


def _moved(dice: random.Random, now: float) -> Iterator[Row]:
    """Ninety days of hours, with quieter nights."""
    this = int(now // 3600)
    for hour in range(this - 90 * 24, this + 1):
        moved = dice.randrange(200, 4_000) // (4 if hour % 24 < 6 else 1)
        yield {"hour": hour, "runs": 46, "moved": moved, "unchanged": moved * 5, "failed": moved // 60}


def _audit(dice: random.Random, sizes: Sizes, now: float) -> Iterator[Row]:
    for number in range(sizes.audit):
        yield {
            "at": now - 300 * DAY * (sizes.audit - number) / sizes.audit,
            "actor": f"web:{_owner(dice.randrange(20))}",
            "action": dice.choice(ACTIONS),
            "noun": dice.choice(("connection", "flow", "iClient")),
            "name": _connection(dice.randrange(max(1, sizes.connections))),
            "detail": _text({"changed": ["settings"]}),
        }


def _notices(dice: random.Random, sizes: Sizes, now: float) -> Iterator[Row]:
    for number in range(sizes.notices):
        name = _connection(number % max(1, sizes.connections))
        yield {
            "at": now - 60 * DAY * (sizes.notices - number) / sizes.notices,
            "owner": _owner(number),
            "subject": f"Connection {name} needs authorization",
            "message": WITHDRAWN,
            "key": f"authorization/{name}/{number}",
            "seen_at": now if dice.random() < 0.8 else None,
        }


def _insert(db: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Many rows a statement; the statement is compiled once, and the driver does the rest."""
    rows = iter(rows)
    while many := [*islice(rows, ROWS_A_STATEMENT)]:
        compiled = insert(table).compile(dialect=db.dialect, column_keys=list(many[0]))
        assert compiled.positiontup is not None
        order = compiled.positiontup
        db.exec_driver_sql(str(compiled), [tuple(row[name] for name in order) for row in many])


def _text(document: object) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _connection(number: int) -> str:
    return f"contoso-vault-{number:04d}"


def _flow(number: int) -> str:
    return f"nightly-copy-{number:04d}"


def _iclient(number: int) -> str:
    return f"contoso-app-{number:03d}"


def _owner(number: int) -> str:
    return f"owner{number % 40}@contoso.test"


def _auth(number: int) -> str:
    return "authorization_code" if number % 2 == 0 else "client_credentials"


if __name__ == "__main__":
    main()
