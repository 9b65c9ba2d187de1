"""Housekeeping: what must happen again and again though nobody asks for it, done whole by any process at any time.

Old states and links of consents are forgotten. A consent that idles is used once a week, because providers forget
refresh tokens that nobody uses (Entra after 90 days, others sooner). Owners are told of credentials that end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Final

from connectors.errors import SettingsError
from iclients.errors import NotAuthorized, Recovery, RemoteError
from iclients.expiry import Ending, endings
from iclients.model import Consent
from integrator.admission import CONSENTED
from integrator.bootstrap import Installation
from integrator.errors import UserError
from integrator.standing import NEEDS_AUTHORIZATION

KEEP_ALIVE_DAYS: Final = 7
_DAY_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class HouseKept:
    """What was done, in numbers."""

    forgotten: int = 0
    """States and links of consents that were over for a day."""
    kept_alive: int = 0
    """Consents whose refresh token was used so that it is not forgotten."""
    refused: int = 0
    """Consents that the provider takes no longer: their connections need authorization."""
    left: int = 0
    """Consents that could not be asked about: the next time tries again."""
    told: int = 0
    """Owners' notices of credentials that end."""

    @property
    def anything(self) -> bool:
        """Whether there was anything to do."""
        return any(getattr(self, field.name) for field in fields(self))

    @property
    def sentence(self) -> str:
        """For the log."""
        return ", ".join(f"{getattr(self, field.name)} {field.name.replace('_', ' ')}" for field in fields(self))


def keep_house(installation: Installation) -> HouseKept:
    """Do all of it once, by the installation's clock. Raises Stopped where the process is to end; StoreError."""
    now = installation.clock.now()
    outcomes = Counter(_kept_alive(installation, name) for name in _idle(installation, now))
    return HouseKept(
        forgotten=_forget_old(installation, now),
        kept_alive=outcomes["kept alive"],
        refused=outcomes["refused"],
        left=outcomes["left"],
        told=_tell_endings(installation, datetime.fromtimestamp(now, UTC).date()),
    )


def _forget_old(installation: Installation, now: float) -> int:
    with installation.store.writing() as stored:
        return stored.consent_states.forget_old(now) + stored.consent_links.forget_old(now)


def _idle(installation: Installation, now: float) -> list[str]:
    """Connections whose tokens nobody has asked for since a week."""
    with installation.store.reading() as stored:
        states = stored.connections.states()
        consented = [connection.name for connection in stored.connections.all() if connection.auth in CONSENTED]
        found = [name for name in consented if states[name].state != NEEDS_AUTHORIZATION]
        kept = {name: stored.consents.find(name) for name in found}
    due = now - KEEP_ALIVE_DAYS * _DAY_SECONDS
    return [name for name, one in kept.items() if one is not None and _last_used(one.consent) < due]


def _last_used(consent: Consent) -> float:
    """When its newest token was to be replaced: whoever uses a consent replaces it then. Never, where nothing can."""
    if consent.refresh_token is None:
        return float("inf")
    return max((token.replace_at for token in consent.tokens), default=consent.consented_at)


def _kept_alive(installation: Installation, name: str) -> str:
    """What came of using this consent's refresh token once. Raises Stopped."""
    installation.clock.check()
    try:
        admission = installation.admission(name)
        admission.consented().keep_alive()
    except NotAuthorized as error:
        if error.recovery is Recovery.RETRY:
            return "left"
        admission.standing.refused(error)
        return "refused"
    except (RemoteError, SettingsError, UserError):
        return "left"
    return "kept alive"


def _tell_endings(installation: Installation, today: date) -> int:
    """Each lead time of each credential is told once, however often this runs."""
    with installation.store.reading() as stored:
        iclients = [stored.iclients.get(name) for name in stored.iclients.names()]
    found = [(iclient.owner, ending) for iclient in iclients for ending in endings(iclient, today)]
    over = {iclient.name for iclient in iclients} - {ending.iclient for _, ending in found}
    with installation.store.writing() as stored:
        for name in over:
            stored.notices.forget(f"expiry/{name}")
        told = [
            stored.notices.tell(
                _key(ending), owner, f"iClient {ending.iclient} needs a new credential", ending.sentence
            )
            for owner, ending in found
        ]
    return sum(map(bool, told))


def _key(ending: Ending) -> str:
    return f"expiry/{ending.iclient}/{ending.slot}/{ending.ends_on.isoformat()}/{ending.lead_days}"
