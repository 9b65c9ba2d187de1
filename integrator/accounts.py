"""Accounts: signing in and out, choosing a password, and the one-time links by which a first one is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from iclients.secret import Secret
from integrator.access import ADMINISTRATOR, API, User
from integrator.bootstrap import Installation
from integrator.errors import BadUsage, DatabaseUnusable
from integrator.known_browsers import known_number, new_mark
from integrator.store.account_rows import AccountRows, noting_accounts, reading_accounts, writing_accounts
from integrator.store.api_tokens import TOUCH_SECONDS, ApiToken, is_token
from integrator.store.passwords import PasswordsBusy, hashed, is_outdated, matches
from integrator.store.sign_in_tries import ACCOUNT, ADDRESS, KNOWN, Bucket
from integrator.store.users import folded

LINK_PATH: Final = "/set-up/"
LINK_HOURS: Final = 24
SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 1000


class SignInRefused(Exception):
    """Name and password are not those of anybody, or there were too many tries: then `wait_seconds` is not 0."""

    def __init__(self, wait_seconds: int = 0) -> None:
        super().__init__("The sign-in was refused.")
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the browser of somebody who has just signed in keeps: the session's token, and the mark that it is known."""

    token: str
    mark: str


class Accounts:
    """The accounts of one installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._store = installation.store

    def sign_in(self, name: str, password: Secret, address: str, mark: str = "") -> SignedIn:
        """A new session; `mark` is what the browser keeps of an earlier one. Who asks for whom takes the same time.

        Raises SignInRefused, PasswordsBusy.
        """
        with reading_accounts(self._store) as rows:
            user, kept = rows.users.find(name), rows.users.password_of(name)
        known = known_number(self._store.seal, mark, folded(name), kept)
        counted = self._subject("browser", known) if known else self._subject("account", folded(name))
        buckets = {counted: KNOWN} if known else {counted: ACCOUNT, self._subject("address", address): ADDRESS}
        with self._counted(buckets):
            is_right = _is_right(password, kept, is_known=bool(known))
        if user is None or not is_right:
            raise SignInRefused
        renewed = hashed(password) if is_outdated(kept) else kept
        with writing_accounts(self._store, user.actor) as rows:
            if rows.users.password_of(name) != kept:
                raise SignInRefused  # it was changed meanwhile
            if renewed != kept:
                rows.users.set_password(user, renewed, told=False)
            rows.tries.forgive(counted)
            return self._begun(rows, user, renewed)

    def by_token(self, token: Secret, address: str) -> User:
        """Whose API token this is. What is none, or has ended, counts as a try of the address; who has one comes in still.

        Raises SignInRefused.
        """
        text, now = token.reveal(), self._now()
        with reading_accounts(self._store) as rows:
            found = rows.tokens.find(text, now) if is_token(text) else None
        if found is None:
            with writing_accounts(self._store) as rows:
                wait = rows.tries.take({self._subject("token from", address): ADDRESS}, now)
            raise SignInRefused(wait)
        user, kept = found
        self._note_use(kept, now)
        return replace(user, via=API)

    def change_password(self, user: User, old: Secret, new: Secret) -> SignedIn:
        """Everybody who is signed in as this user is signed out; gives a new session.

        Raises SignInRefused, BadUsage, PasswordsBusy.
        """
        check_password(new, user.name)
        counted = self._subject("signed in", user.name)
        with reading_accounts(self._store) as rows:
            kept = rows.users.password_of(user.name)
        with self._counted({counted: KNOWN}):
            is_right = _is_right(old, kept, is_known=True)
        if not is_right:
            raise SignInRefused
        chosen = hashed(new)
        with writing_accounts(self._store, user.actor) as rows:
            if rows.users.password_of(user.name) != kept:
                raise SignInRefused  # it was changed meanwhile
            rows.tries.forgive(counted)
            return self._signed_in(rows, user, chosen)

    def set_up(self, token: str, name: str, password: Secret) -> SignedIn:
        """Use a link up: its user, or the first administrator of this name, has this password. Gives a new session.

        Raises LinkRefused; BadUsage and PasswordsBusy, and then the link still works.
        """
        with reading_accounts(self._store) as rows:
            found = rows.links.look(token, self._now())
        check_password(password, found.name if found else folded(name))
        kept = hashed(password)
        actor = found.actor if found else f"web:{folded(name)}"
        with writing_accounts(self._store, actor) as rows:
            user = rows.links.use(token, self._now()) or rows.users.add(name, ADMINISTRATOR, self._now())
            return self._signed_in(rows, user, kept)

    def first_link(self, server_url: str = "") -> str | None:
        """The address at which the first administrator is made; None where there is a user already.

        Without a public URL it is below `server_url`. Links that were made before serve no more.
        """
        with writing_accounts(self._store) as rows:
            if rows.users.count():
                return None
            return self._address(rows.links.make(None, self._now(), LINK_HOURS * 3600.0), server_url)

    def add(self, name: str, role: str) -> str:
        """A new user; gives the link at which they choose a password. Raises BadUsage."""
        with writing_accounts(self._store) as rows:
            user = rows.users.add(name, role, self._now())
            return self._address(rows.links.make(user, self._now(), LINK_HOURS * 3600.0))

    def reset(self, name: str) -> str:
        """A link at which this user chooses a new password; the old one serves until then. Raises NotFoundHere."""
        with writing_accounts(self._store) as rows:
            user = rows.users.get(name)
            return self._address(rows.links.make(user, self._now(), LINK_HOURS * 3600.0))

    @contextmanager
    def _counted(self, buckets: dict[str, Bucket]) -> Iterator[None]:
        """One try, counted before it begins; where nobody looks at its password, it does not count."""
        with writing_accounts(self._store) as rows:
            if wait := rows.tries.take(buckets, self._now()):
                raise SignInRefused(wait)
        try:
            yield
        except PasswordsBusy:
            with writing_accounts(self._store) as rows:
                rows.tries.give_back(buckets, self._now())
            raise

    def _note_use(self, token: ApiToken, now: float) -> None:
        if token.used_at is None or now - token.used_at > TOUCH_SECONDS:
            with suppress(DatabaseUnusable), noting_accounts(self._store) as rows:  # else the next call does it
                rows.tokens.touch(token, now)

    def _signed_in(self, rows: AccountRows, user: User, kept: str) -> SignedIn:
        rows.users.set_password(user, kept)
        rows.sessions.end_all(user)
        return self._begun(rows, user, kept)

    def _begun(self, rows: AccountRows, user: User, kept: str) -> SignedIn:
        rows.users.signed_in(user, self._now())
        return SignedIn(rows.sessions.begin(user, self._now()), new_mark(self._store.seal, user.name, kept))

    def _address(self, token: str, server_url: str = "") -> str:
        """Below the public URL; where neither that nor the server's is known, a path."""
        return f"{self._installation.config.public_url or server_url.rstrip('/')}{LINK_PATH}{token}"

    def _subject(self, kind: str, name: str) -> str:
        """Whom a try is about, as a keyed hash: what was typed as a name may be a password."""
        return self._store.seal.fingerprint(f"integrator sign-in {kind} {name}".encode())[:64]

    def _now(self) -> float:
        return self._installation.clock.now()


def check_password(password: Secret, name: str) -> None:
    """Raise BadUsage where this password is none to choose."""
    text = password.reveal()
    if len(text) < SHORTEST_PASSWORD:
        raise BadUsage(f"A password has {SHORTEST_PASSWORD} characters or more: a sentence is easy to remember.")
    if len(text) > LONGEST_PASSWORD:
        raise BadUsage(f"A password has {LONGEST_PASSWORD} characters at most.")
    if len(set(text)) < 5 or (name and name in text.lower()):
        raise BadUsage("This password is easy to guess: choose one without your name, and without repetition.")


def _is_right(password: Secret, kept: str, *, is_known: bool) -> bool:
    return len(password.reveal()) <= LONGEST_PASSWORD and matches(password, kept, is_known=is_known)
