"""Consents that have begun: one row each, found by its state, taken once.

The state itself is never stored, only its hash; nonce and PKCE verifier are sealed. A row is used up before its code is
sent, so a crash after that can never send the code again. Source: RFC 6749 §10.12; RFC 9700 §4.7.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from iclients.secret import Secret
from integrator.errors import StateElsewhere, StateExpired, StateRefused, StateUnknown, StateUsed
from integrator.store.connections import Connections
from integrator.store.sealed import Place, Seal
from integrator.store.tables import connections, consent_states

KEPT_SECONDS: Final = 86_400.0
INTERRUPTED_SECONDS: Final = 600.0
"""Ending a consent takes less: a row that was taken longer ago and has not ended was left by a crash."""
CODE_CHARACTERS: Final = 100
USER_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class SealedPending:
    """What ending a consent needs of its beginning."""

    nonce: str = field(repr=False)
    verifier: Secret
    redirect_uri: str
    scopes: tuple[str, ...]
    place: str = ""
    """Where the code may go: the place for which the consent was begun."""


@dataclass(frozen=True, slots=True)
class TakenState:
    """A consent whose callback has come, for the first time. `user` began it."""

    id: int
    connection: str
    kind: str
    user: str
    pending: SealedPending
    return_to: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a consent has ended: without a code it went well. `at` is in Unix seconds."""

    code: str
    message: str
    account: str
    at: float


class ConsentStates:
    """Consents that have begun, over one connection; the transaction around it is its user's."""

    def __init__(self, connection: Connection, connections: Connections, seal: Seal) -> None:
        self._connection = connection
        self._connections = connections
        self._seal = seal

    def begin(
        self,
        state: str,
        connection_name: str,
        *,
        kind: str,
        user: str,
        browser: str,
        pending: SealedPending,
        return_to: str,
        now: float,
        expires_at: float,
    ) -> None:
        """A consent begins; `browser` is a secret of the browser that it is bound to, or nothing. Old rows go.

        Raises NotFoundHere; SealError.
        """
        self.forget_old(now)
        row = {
            "state_hash": _hash(state),
            "connection_id": self._connections.id_of(connection_name),
            "kind": kind,
            "user": user[:USER_CHARACTERS],
            "browser": _hash(browser) if browser else "",
            "sealed": "",
            "return_to": return_to,
            "created_at": now,
            "expires_at": expires_at,
        }
        made = insert(consent_states).values(row).returning(consent_states.c.id)
        row_id = self._connection.execute(made).scalar_one()
        sealed = self._seal.seal(_written(pending), _place(row_id))
        self._connection.execute(update(consent_states).where(consent_states.c.id == row_id).values(sealed=sealed))

    def take(self, state: str, browser: str, now: float) -> TakenState:
        """Use the row of this state up, and give what it holds: once, whoever asks in however many processes.

        Raises StateUnknown, StateUsed, StateExpired, or StateElsewhere where it was begun in another browser; nothing is
        used up then, nor where it raises SealError.
        """
        waiting = (
            consent_states.c.state_hash == _hash(state),
            consent_states.c.used_at.is_(None),
            consent_states.c.expires_at > now,
            consent_states.c.browser.in_(("", _hash(browser))),
        )
        taken = update(consent_states).where(*waiting).values(used_at=now).returning(consent_states)
        row = self._connection.execute(taken).one_or_none()
        if row is None:
            raise self._refusal(state, now)
        return self._taken(row)

    def end(self, row_id: int, code: str, message: str, account: str, now: float) -> None:
        """The consent that was taken has ended so: without a code it went well."""
        values = {"code": code[:CODE_CHARACTERS], "message": message, "account": account, "ended_at": now}
        self._connection.execute(update(consent_states).where(consent_states.c.id == row_id).values(values))

    def outcome(self, state: str) -> Outcome | None:
        """How the consent of this state has ended; None while it has not, and for a state that is not known."""
        query = select(consent_states).where(consent_states.c.state_hash == _hash(state))
        row = self._connection.execute(query.where(consent_states.c.ended_at.is_not(None))).one_or_none()
        return None if row is None else Outcome(row.code, row.message, row.account, row.ended_at)

    def interrupted(self, connection_name: str, now: float) -> bool:
        """Whether a crash between the exchange and the saving has lost this connection's newest consent.

        Raises NotFoundHere.
        """
        owner = self._connections.id_of(connection_name)
        columns = select(consent_states.c.used_at, consent_states.c.ended_at)
        taken = columns.where(consent_states.c.connection_id == owner, consent_states.c.used_at.is_not(None))
        newest = self._connection.execute(taken.order_by(consent_states.c.used_at.desc()).limit(1)).one_or_none()
        return newest is not None and newest.ended_at is None and newest.used_at < now - INTERRUPTED_SECONDS

    def all_interrupted(self, now: float) -> set[str]:
        """The connections whose newest consent a crash has lost, all of them in one query."""
        columns = select(connections.c.name, consent_states.c.used_at, consent_states.c.ended_at)
        joined = columns.join(connections, consent_states.c.connection_id == connections.c.id)
        taken = joined.where(consent_states.c.used_at.is_not(None)).order_by(consent_states.c.used_at)
        newest = {row.name: row for row in self._connection.execute(taken)}
        return {
            name for name, row in newest.items() if row.ended_at is None and row.used_at < now - INTERRUPTED_SECONDS
        }

    def return_to(self, state: str) -> str:
        """Where whoever began the consent of this state wants the person to go then; '' for a state that is not known."""
        query = select(consent_states.c.return_to).where(consent_states.c.state_hash == _hash(state))
        return self._connection.scalar(query) or ""

    def forget_old(self, now: float) -> int:
        """Forget what began more than a day ago. Gives how many."""
        old = consent_states.c.created_at < now - KEPT_SECONDS
        return self._connection.execute(delete(consent_states).where(old)).rowcount

    def _refusal(self, state: str, now: float) -> StateRefused:
        query = select(consent_states).where(consent_states.c.state_hash == _hash(state))
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return StateUnknown("This callback belongs to no consent that was begun here: start again.")
        if row.used_at is not None:
            return StateUsed("The callback of this consent has come already, and it counts once: start again.")
        if row.expires_at <= now:
            return StateExpired("This consent was begun too long ago: start again.")
        return StateElsewhere("This consent was begun in another browser: go on there, or start again here.")

    def _taken(self, row: Row[Any]) -> TakenState:
        name = self._connection.scalar(select(connections.c.name).where(connections.c.id == row.connection_id))
        pending = _read(self._seal.open(row.sealed, _place(row.id)))
        return TakenState(row.id, str(name), row.kind, row.user, pending, row.return_to, row.expires_at)


def _written(pending: SealedPending) -> str:
    verifier = pending.verifier.reveal()
    return json.dumps([pending.nonce, verifier, pending.redirect_uri, pending.scopes, pending.place])


def _read(text: Secret) -> SealedPending:
    nonce, verifier, redirect_uri, scopes, *rest = json.loads(text.reveal())
    return SealedPending(nonce, Secret(verifier), redirect_uri, tuple(scopes), *rest)


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _place(row: int) -> Place:
    return Place(consent_states.name, row, consent_states.c.sealed.name)
