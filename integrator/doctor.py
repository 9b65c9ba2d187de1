"""What is wrong with this installation and what to do next, without calling any other system."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final

from connectors import registry as connectors
from connectors.errors import SettingsError
from iclients import registry as providers
from iclients.expiry import endings
from integrator.admission import CONSENTED
from integrator.bootstrap import Installation
from integrator.errors import SealError
from integrator.findings import Finding
from integrator.global_iclients import served_by, with_iclient
from integrator.standing import NEEDS_AUTHORIZATION
from integrator.store.connections import State
from integrator.store.store import Transaction

_INTERRUPTED: Final = (
    "its newest consent may be lost, because its process ended in the middle of it; what was kept before still stands: "
    "run `integrator connections authorize {name}`."
)


def examine(installation: Installation) -> list[Finding]:
    """Everything that can be looked at from here."""
    return [
        *_folder(installation),
        *_plugins(),
        *_keys(installation),
        *_iclients(installation),
        *_connections(installation),
        *_runs(installation),
    ]


def _folder(installation: Installation) -> Iterator[Finding]:
    home = installation.config.home
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            "data folder", False, f"{home} can be entered by others (mode {mode:04o}): run `chmod 700 {home}`."
        )
    else:
        yield Finding("data folder", True, f"{home} is this installation's own.")
    yield Finding("database", True, "it opens, and its tables are of this version.")


def _plugins() -> Iterator[Finding]:
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


def _keys(installation: Installation) -> Iterator[Finding]:
    report = installation.store.keys_doctor()
    for problem in report.problems:
        yield Finding("keys", False, problem)
    if not report.problems:
        yield Finding("keys", True, f"{sum(report.sealed.values())} sealed values open.")


def _iclients(installation: Installation) -> Iterator[Finding]:
    today = datetime.fromtimestamp(installation.clock.now(), UTC).date()
    with installation.store.reading() as stored:
        for name in stored.iclients.names():
            yield from _iclient(stored, name, today)


def _iclient(stored: Transaction, name: str, today: date) -> Iterator[Finding]:
    subject = f"iClient {name}"
    if not stored.iclients.has_credential(name):
        yield _without_credential(stored, name)
        return
    try:
        ending = list(endings(stored.iclients.get(name), today))
    except SealError as error:
        yield Finding(subject, False, str(error))
        return
    for one in ending:
        yield Finding(subject, False, one.sentence)
    if not ending:
        yield Finding(subject, True, "its credential is set.")


def _without_credential(stored: Transaction, name: str) -> Finding:
    users = [stored.connections.get(user) for user in served_by(stored, name)]
    if users and all(user.auth in CONSENTED for user in users):
        return Finding(f"iClient {name}", True, "it has no credential: this works for public clients only.")
    return Finding(f"iClient {name}", False, "it has no credential: put client_secret into a document and apply it.")


def _connections(installation: Installation) -> Iterator[Finding]:
    with installation.store.reading() as stored:
        states = stored.connections.states()
        for connection in stored.connections.all():
            subject = f"connection {connection.name}"
            try:
                connectors.connector(connection.connector).descriptor.check(with_iclient(stored, connection))
                yield _standing(connection.name, states[connection.name])
            except SettingsError as error:
                yield Finding(subject, False, str(error))
            if stored.consent_states.interrupted(connection.name, installation.clock.now()):
                yield Finding(subject, False, _INTERRUPTED.format(name=connection.name))


def _standing(name: str, told: State) -> Finding:
    if told.state == NEEDS_AUTHORIZATION:
        return Finding(f"connection {name}", False, f"it needs authorization: {told.message}")
    return Finding(f"connection {name}", True, f"its settings are complete; it is {told.state}.")


def _runs(installation: Installation) -> Iterator[Finding]:
    with installation.store.reading() as stored:
        unfinished = stored.runs.unfinished()
    for run in unfinished:
        if installation.store.locks.is_held(run.id):
            continue
        yield Finding(
            f"run {run.id}",
            False,
            f"it was left by its process in flow {run.flow}: run `integrator runs resume {run.id}` or "
            f"`integrator runs cancel {run.id}`.",
        )
