"""Signing in and consenting, page by page, whatever it is for: who, a second proof if need be, then yes or no.

An interaction lasts from the first page to the last. What it is for (a purpose) says where it ends.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from connectors.azure_key_vault.sandbox import pages
from connectors.azure_key_vault.sandbox.aadsts import TokenError
from connectors.azure_key_vault.sandbox.applications import Application
from connectors.azure_key_vault.sandbox.authority import Authority
from connectors.azure_key_vault.sandbox.claims_request import NOTHING, ClaimsRequest
from connectors.azure_key_vault.sandbox.consents import EVERYBODY
from connectors.azure_key_vault.sandbox.directory import Directory
from connectors.azure_key_vault.sandbox.exchange import Answer, Request
from connectors.azure_key_vault.sandbox.grants import Grant, Grants
from connectors.azure_key_vault.sandbox.scopes import Delegated, Permission, Scopes
from connectors.azure_key_vault.sandbox.users import User

INTERACTION_SECONDS = 3600
COOKIE = b"sandbox_entra"
ACCOUNT_PATH, PROOF_PATH, CONSENT_PATH = "/common/login", "/common/proof", "/common/consent"
ANOTHER_ACCOUNT = "another"


@dataclass(slots=True, eq=False)
class Session:
    """A browser's session: who is signed in, since which grant number, and who has given a second proof."""

    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    signed_in: dict[str, int] = field(default_factory=dict)
    proven: set[str] = field(default_factory=set)


class Purpose(Protocol):
    """What an interaction is for. The flags say how it differs from a plain sign-in."""

    always_asks: bool
    for_everybody: bool

    def accepted(self, interaction: Interaction) -> Answer:
        """The person is signed in and has consented."""

    def refused(self, interaction: Interaction, error: TokenError) -> Answer:
        """It has ended otherwise."""


@dataclass(slots=True, eq=False)
class Interaction:
    """One walk through the pages."""

    purpose: Purpose
    directory: Directory | None
    application: Application
    scopes: Scopes
    session: Session
    begun: float
    prompt: str = ""
    hint: str = ""
    claims: ClaimsRequest = NOTHING
    user: User | None = None
    flow: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def who(self) -> User:
        """The user, who has been chosen."""
        if self.user is None:
            raise TokenError(90013, "Nobody has signed in yet.")
        return self.user

    @property
    def where(self) -> Directory:
        """The tenant, which is known once the user is."""
        if self.directory is None:
            raise TokenError(90013, "Nobody has signed in yet.")
        return self.directory

    @property
    def wanted(self) -> dict[Permission, Delegated]:
        """All permissions that are asked for."""
        return self.scopes.permissions(self.application.permissions)

    @property
    def lacks_proof(self) -> bool:
        """Whether the user still has to give a second proof."""
        return (self.claims.needs_proof or self.who.second_factor) and self.who.object_id not in self.session.proven

    def begin(self, grants: Grants) -> Grant:
        """What the user has allowed the app."""
        proven = self.who.object_id in self.session.proven
        return grants.begin(self.where, self.application, self.who, self.scopes, proven=proven)


class SignIn:
    """Leads people through the pages; remembers sessions by cookie."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._sessions: dict[str, Session] = {}
        self._interactions: dict[str, Interaction] = {}

    def session(self, request: Request) -> Session:
        """The browser's session; a new one if it brings none."""
        return self._sessions.get(_cookie(request)) or Session()

    def begin(self, interaction: Interaction) -> Answer:
        """The first page, or the end if nothing needs to be asked."""
        interaction.wanted  # noqa: B018 - raises what makes the request impossible, before any page
        candidates = self._candidates(interaction)
        signed_in = [(one, user) for one, user in candidates if self._is_signed_in(interaction.session, user)]
        hinted = [(one, user) for one, user in candidates if interaction.hint and user.is_meant(interaction.hint)]
        known = [one for one in signed_in if not interaction.hint or one in hinted]
        if interaction.prompt == "none":
            return self._silently(interaction, known)
        if interaction.prompt == "select_account":
            return self._ask_account(interaction, candidates)
        if len(known) == 1 and interaction.prompt != "login":
            return self._signed_in(interaction, *known[0])
        return self._ask_account(interaction, hinted or candidates)

    def choose(self, form: Mapping[str, str]) -> Answer:
        """An account was picked, or none of those that were shown."""
        interaction = self._interaction(form)
        picked, candidates = form.get("account", ""), self._candidates(interaction)
        if picked == ANOTHER_ACCOUNT:
            return self._ask_account(interaction, candidates)
        found = [(one, user) for one, user in candidates if user.is_meant(picked)]
        if not found:
            raise TokenError(50020)
        directory, user = found[0]
        if interaction.prompt == "login":
            interaction.session.signed_in.pop(user.object_id, None)
        return self._signed_in(interaction, directory, user)

    def prove(self, form: Mapping[str, str]) -> Answer:
        """The second proof was given."""
        interaction = self._interaction(form)
        interaction.session.proven.add(interaction.who.object_id)
        return self._ask_consent(interaction)

    def decide(self, form: Mapping[str, str]) -> Answer:
        """Accept, cancel, or back from the page that sends people to an administrator."""
        interaction = self._interaction(form)
        decision = form.get("decision")
        everybody = interaction.purpose.for_everybody or form.get("organization") == "yes"
        if interaction.lacks_proof:
            raise TokenError(50076)
        if decision == "accept":
            if self._needs_administrator(interaction, everybody=everybody):
                return self._end_refused(interaction, TokenError(90094))
            subject = EVERYBODY if everybody else interaction.who.object_id
            interaction.where.consents.grant(subject, interaction.application.client_id, interaction.wanted)
            return self._end_accepted(interaction)
        if decision == "cancel":
            return self._end_refused(interaction, TokenError(65004, subcode="cancel"))
        if decision == "back":
            return self._end_refused(interaction, TokenError(90094))
        raise TokenError(90023, "The decision is neither accept nor cancel.")

    def sign_out(self, request: Request, hint: str) -> None:
        """Ends the session of everybody in this browser, or of the one who is hinted at."""
        session = self.session(request)
        for directory in (self._authority.home, self._authority.other):
            for user in directory.users.values():
                if not hint or user.is_meant(hint):
                    session.signed_in.pop(user.object_id, None)
                    session.proven.discard(user.object_id)

    def _candidates(self, interaction: Interaction) -> list[tuple[Directory, User]]:
        return self._authority.accounts(interaction.directory)

    def _silently(self, interaction: Interaction, signed_in: list[tuple[Directory, User]]) -> Answer:
        if not signed_in:
            raise TokenError(50058)
        if len(signed_in) > 1:
            raise TokenError(16000)
        interaction.directory, interaction.user = signed_in[0]
        if interaction.lacks_proof:
            raise TokenError(50076, claims=interaction.claims.step_up)
        if self._missing(interaction):
            raise TokenError(65001, error="consent_required")
        return self._end_accepted(interaction)

    def _ask_account(self, interaction: Interaction, candidates: list[tuple[Directory, User]]) -> Answer:
        self._keep(interaction)
        users = [user for _, user in candidates]
        another = ANOTHER_ACCOUNT if len(users) < len(self._candidates(interaction)) else ""
        return pages.accounts(ACCOUNT_PATH, interaction.flow, interaction.application.name, users, another=another)

    def _signed_in(self, interaction: Interaction, directory: Directory, user: User) -> Answer:
        """The user is known: a cookie for next time, and on to the second proof or to consent."""
        if not user.enabled:
            raise TokenError(50057)
        application = interaction.application
        if application.assigned is not None and user.object_id not in application.assigned:
            raise TokenError(50105)
        if directory.application(application.client_id) is None:
            raise TokenError(700016)
        interaction.directory, interaction.user = directory, user
        session = interaction.session
        self._sessions[session.key] = session
        if not self._is_signed_in(session, user):
            session.proven.discard(user.object_id)
        session.signed_in[user.object_id] = user.revoked_at
        answer = self._ask_proof(interaction) if interaction.lacks_proof else self._ask_consent(interaction)
        line = b"Set-Cookie: %b=%b; Path=/; Secure; HttpOnly; SameSite=None\r\n" % (COOKIE, session.key.encode())
        return answer._replace(headers=answer.headers + line)

    def _ask_proof(self, interaction: Interaction) -> Answer:
        self._keep(interaction)
        return pages.proof(PROOF_PATH, interaction.flow, interaction.application.name, interaction.who)

    def _ask_consent(self, interaction: Interaction) -> Answer:
        purpose, user = interaction.purpose, interaction.who
        missing = self._missing(interaction)
        shown = interaction.wanted if interaction.prompt == "consent" or purpose.for_everybody else missing
        if not shown and not purpose.always_asks:
            return self._end_accepted(interaction)
        self._keep(interaction)
        name = interaction.application.name
        if self._needs_administrator(interaction, everybody=purpose.for_everybody):
            return pages.approval(CONSENT_PATH, interaction.flow, name, user)
        everybody = "must" if purpose.for_everybody else "may" if user.administrator else ""
        return pages.consent(CONSENT_PATH, interaction.flow, name, user, shown.values(), everybody=everybody)

    def _missing(self, interaction: Interaction) -> dict[Permission, Delegated]:
        wanted, client_id = interaction.wanted, interaction.application.client_id
        missing = interaction.where.consents.missing(interaction.who.object_id, client_id, wanted)
        return {permission: wanted[permission] for permission in missing}

    def _needs_administrator(self, interaction: Interaction, *, everybody: bool) -> bool:
        """Whether this user may not grant what is still missing."""
        if interaction.who.administrator:
            return False
        missing = self._missing(interaction)
        reserved = self._authority.administrators_only
        return (
            everybody
            or (bool(missing) and not self._authority.policy.user_consent)
            or any(missing[one].administrators_only or "/".join(one) in reserved for one in missing)
        )

    def _is_signed_in(self, session: Session, user: User) -> bool:
        since = session.signed_in.get(user.object_id)
        return since is not None and since == user.revoked_at and user.enabled

    def _keep(self, interaction: Interaction) -> None:
        self._interactions[interaction.flow] = interaction

    def _interaction(self, form: Mapping[str, str]) -> Interaction:
        interaction = self._interactions.get(form.get("flow", ""))
        if interaction is None or self._authority.clock.now() > interaction.begun + INTERACTION_SECONDS:
            raise TokenError(90013, "This sign-in has ended. Go back to the application and start again.")
        return interaction

    def _end_accepted(self, interaction: Interaction) -> Answer:
        self._interactions.pop(interaction.flow, None)
        return interaction.purpose.accepted(interaction)

    def _end_refused(self, interaction: Interaction, error: TokenError) -> Answer:
        self._interactions.pop(interaction.flow, None)
        return interaction.purpose.refused(interaction, error)


def _cookie(request: Request) -> str:
    for pair in request.headers.get(b"cookie", b"").split(b";"):
        name, _, value = pair.strip().partition(b"=")
        if name == COOKIE:
            return value.decode("latin-1")
    return ""
