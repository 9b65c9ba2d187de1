"""What is wrong with this installation and what to do next, without calling any other system.

It reads every row once and asks no query more because there are more of them.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from connectors import registry as connectors
from connectors.errors import SettingsError
from connectors.model import Connection
from iclients import registry as providers
from iclients.errors import NotAuthorized
from iclients.expiry import endings
from iclients.model import IClient
from integrator.admission import CONSENTED
from integrator.bootstrap import Installation
from integrator.findings import Finding
from integrator.global_iclients import StandIns
from integrator.standing import NEEDS_AUTHORIZATION
from integrator.store.connections import State
from integrator.store.store import Transaction
from integrator.vitals import servers

_INTERRUPTED: Final = (
    "its newest consent may be lost, because its process ended in the middle of it; what was kept before still stands: "
    "run `integrator connections authorize {name}`."
)
_UNREADABLE: Final = "its document cannot be read: apply it again, or delete it."


class _Looked(NamedTuple):
    """A connection with the iClient that lets it in, as far as it can be read, and what is wrong with it."""

    connection: Connection | None
    why_not: str = ""


def examine(installation: Installation) -> list[Finding]:
    """Everything that can be looked at from here."""
    return [
        *folder(installation),
        *plugins(),
        *keys(installation),
        *nouns(installation),
        *schedule(installation),
        *left_runs(installation),
    ]


def folder(installation: Installation) -> Iterator[Finding]:
    """The data folder, and that the database opens."""
    home = installation.config.home
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            "data folder", False, f"{home} can be entered by others (mode {mode:04o}): run `chmod 700 {home}`."
        )
    else:
        yield Finding("data folder", True, f"{home} is this installation's own.")
    yield Finding("database", True, "it opens, and its tables are of this version.")


def plugins() -> Iterator[Finding]:
    """Connectors and providers: whether each one loads."""
    for kind, registry in (("connector", connectors.connector), ("provider", providers.provider)):
        names = connectors.names() if kind == "connector" else providers.names()
        for name in names:
            try:
                registry(name)
            except Exception as error:  # noqa: BLE001 - the plug-in loader: a plug-in may raise anything
                yield Finding(
                    f"{kind} {name}", False, f"it does not load ({type(error).__name__}): update or remove it."
                )
        yield Finding(f"{kind}s", True, f"installed are {', '.join(names)}.")


def keys(installation: Installation) -> Iterator[Finding]:
    """The key file, and every sealed value."""
    report = installation.store.keys_doctor()
    for problem in report.problems:
        yield Finding("keys", False, problem)
    if not report.problems:
        yield Finding("keys", True, f"{sum(report.sealed.values())} sealed values open.")


def nouns(installation: Installation) -> list[Finding]:
    """Every iClient and every connection."""
    now = installation.clock.now()
    with installation.store.reading() as stored:
        kept, stand_ins = dict(stored.connections.readable()), StandIns(stored)
        looked = {name: _looked_at(stand_ins, connection) for name, connection in kept.items()}
        users = [one.connection for one in looked.values() if one.connection]
        return [
            *_iclients(stored, users, datetime.fromtimestamp(now, UTC).date()),
            *_connections(stored, looked, now),
        ]


def schedule(installation: Installation) -> Iterator[Finding]:
    """Whether somebody begins what is due."""
    with installation.store.reading() as stored:
        many = len(stored.flows.next_due())
    if many and not servers(installation.store):
        told = "1 flow is to start by itself" if many == 1 else f"{many:,} flows are to start by themselves"
        yield Finding("schedule", False, f"{told}, and no server runs: start `integrator serve`.")


def left_runs(installation: Installation) -> Iterator[Finding]:
    """Runs that nobody works on any more."""
    with installation.store.reading() as stored:
        at_work = stored.runs.line.at_work()
    for run_id, flow in at_work:
        if not installation.store.locks.is_held(run_id):
            yield Finding(
                f"run {run_id}",
                False,
                f"it was left by its process in flow {flow}: run `integrator runs resume {run_id}` or "
                f"`integrator runs cancel {run_id}`.",
            )


def _looked_at(stand_ins: StandIns, connection: Connection | None) -> _Looked:
    if connection is None:
        return _Looked(None, _UNREADABLE)
    try:
        connection = stand_ins.with_iclient(connection)
        connectors.connector(connection.connector).descriptor.check(connection)
    except (SettingsError, NotAuthorized) as error:
        return _Looked(connection, str(error))
    return _Looked(connection)


def _iclients(stored: Transaction, users: Iterable[Connection], today: date) -> Iterator[Finding]:
    uses: dict[str | None, list[Connection]] = {}
    for user in users:
        uses.setdefault(user.iclient, []).append(user)
    for name, iclient, why_not in stored.iclients.opened():
        if iclient is None:
            yield Finding(f"iClient {name}", False, why_not)
        elif iclient.credential is None:
            yield _without_credential(name, uses.get(name, []))
        else:
            yield from _with_credential(iclient, today)


def _with_credential(iclient: IClient, today: date) -> Iterator[Finding]:
    ending = list(endings(iclient, today))
    for one in ending:
        yield Finding(f"iClient {iclient.name}", False, one.sentence)
    if not ending:
        yield Finding(f"iClient {iclient.name}", True, "its credential is set.")


def _without_credential(name: str, users: list[Connection]) -> Finding:
    if users and all(user.auth in CONSENTED for user in users):
        return Finding(f"iClient {name}", True, "it has no credential: this works for public clients only.")
    return Finding(f"iClient {name}", False, "it has no credential: put client_secret into a document and apply it.")


def _connections(stored: Transaction, looked: Mapping[str, _Looked], now: float) -> Iterator[Finding]:
    states, interrupted = stored.connections.states(), stored.consent_states.all_interrupted(now)
    for name, one in looked.items():
        if one.why_not:
            yield Finding(f"connection {name}", False, one.why_not)
        else:
            yield _standing(name, states[name])
        if name in interrupted:
            yield Finding(f"connection {name}", False, _INTERRUPTED.format(name=name))


def _standing(name: str, told: State) -> Finding:
    if told.state == NEEDS_AUTHORIZATION:
        return Finding(f"connection {name}", False, f"it needs authorization: {told.message}")
    return Finding(f"connection {name}", True, f"its settings are complete; it is {told.state}.")
