"""When credentials end, and who is warned how long before: people make the next one in time, or flows stop one night."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from iclients.credentials import Certificate, ClientSecret, Credential
from iclients.model import IClient


@dataclass(frozen=True, slots=True)
class Ending:
    """A credential that ends soon, or has ended. `lead_days` is the warning time that has been reached."""

    iclient: str
    slot: str
    ends_on: date
    days_left: int
    lead_days: int

    @property
    def sentence(self) -> str:
        """What its owner is told."""
        name = "credential" if self.slot == "credential" else "next credential"
        when = (
            f"ended on {self.ends_on.isoformat()}"
            if self.days_left < 0
            else f"ends on {self.ends_on.isoformat()} ({_in(self.days_left)})"
        )
        return f"The {name} of iClient {self.iclient} {when}: make a new one at the provider and apply it as next_credential."


def ends_on(credential: Credential | None) -> date | None:
    """The last day of a credential: read from a certificate, typed for a secret, None where nobody can know."""
    if isinstance(credential, Certificate):
        from iclients.certificates import expires_at  # reading certificates loads slowly

        return expires_at(credential).date()
    return credential.expires if isinstance(credential, ClientSecret) else None


def endings(iclient: IClient, today: date) -> Iterator[Ending]:
    """The slots of this iClient whose warning time has come. While the next one serves longer, the current one's end is
    no news: what its owner would be told to do is done."""
    for slot, credential in (("credential", iclient.credential), ("next_credential", iclient.next_credential)):
        last_day = ends_on(credential)
        if last_day is None or (slot == "credential" and _serves_longer(iclient.next_credential, last_day)):
            continue
        days_left = (last_day - today).days
        reached = [lead for lead in iclient.warn_days if days_left <= lead]
        if reached:
            yield Ending(iclient.name, slot, last_day, days_left, min(reached))


def _serves_longer(following: Credential | None, last_day: date) -> bool:
    """Whether there is a next credential, and it is not known to end as early."""
    ends = ends_on(following)
    return following is not None and (ends is None or ends > last_day)


def _in(days: int) -> str:
    return "today" if days == 0 else f"in {days} day{'s' if days > 1 else ''}"
