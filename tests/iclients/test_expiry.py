"""Whose credential ends when, and who is told: read from a certificate, typed for a secret, once its time has come."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from connectors.azure_key_vault.sandbox.client_certificates import make_certificate
from iclients.credentials import Certificate, ClientSecret, Credential, FederatedAssertion, ManagedIdentity
from iclients.expiry import Ending, endings, ends_on
from iclients.model import IClient
from iclients.secret import Secret

TODAY = date(2026, 3, 1)


def secret(days: int | None) -> ClientSecret:
    """A secret that ends so many days after today, or nobody knows when."""
    return ClientSecret(Secret("s3cret"), None if days is None else TODAY + timedelta(days=days))


def told(current: Credential | None, following: Credential | None = None, *warn_days: int) -> list[Ending]:
    lead = {"warn_days": warn_days} if warn_days else {}
    iclient = IClient("app", "entra", "client", credential=current, next_credential=following, **lead)  # type: ignore[arg-type]
    return [*endings(iclient, TODAY)]


def leads(current: Credential | None, following: Credential | None = None, *warn_days: int) -> list[tuple[str, int]]:
    return [(ending.slot, ending.lead_days) for ending in told(current, following, *warn_days)]


def test_the_end_of_a_certificate_is_read_from_it() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    made = make_certificate("app", now=now, days=90, password="")
    certificate = Certificate(Secret(made.key_pem.decode()), made.certificate_pem.decode())
    assert ends_on(certificate) == date(2026, 5, 30)


def test_the_end_of_a_secret_is_what_was_typed() -> None:
    assert ends_on(secret(10)) == date(2026, 3, 11)


@pytest.mark.parametrize(
    "credential", [None, secret(None), FederatedAssertion(Path("token")), ManagedIdentity()], ids=repr
)
def test_of_what_nobody_knows_the_end_nothing_is_told(credential: Credential | None) -> None:
    assert ends_on(credential) is None
    assert told(credential) == []


@pytest.mark.parametrize(
    ("days", "lead"), [(31, None), (30, 30), (8, 30), (7, 7), (2, 7), (1, 1), (0, 1), (-1, 1), (-400, 1)]
)
def test_each_lead_time_is_reached_on_its_day_and_holds_until_the_next(days: int, lead: int | None) -> None:
    assert leads(secret(days)) == ([] if lead is None else [("credential", lead)])


def test_an_iclient_has_lead_times_of_its_own_in_any_order() -> None:
    assert leads(secret(50), None, 1, 60, 14) == [("credential", 60)]
    assert leads(secret(10), None, 1, 60, 14) == [("credential", 14)]


@pytest.mark.parametrize("following", [secret(400), secret(None), ManagedIdentity()], ids=repr)
def test_while_a_next_one_serves_longer_the_end_of_the_current_one_is_no_news(following: Credential) -> None:
    assert leads(secret(3), following) == []
    assert leads(secret(-3), following) == []


def test_a_next_one_that_ends_first_helps_nobody() -> None:
    assert leads(secret(5), secret(3)) == [("credential", 7), ("next_credential", 7)]
    assert leads(secret(5), secret(5)) == [("credential", 7), ("next_credential", 7)]


def test_the_end_of_the_next_one_is_told_for_itself() -> None:
    assert leads(secret(None), secret(20)) == [("next_credential", 30)]
    assert leads(None, secret(20)) == [("next_credential", 30)]
    assert leads(secret(3), secret(20)) == [("next_credential", 30)]


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (30, "ends on 2026-03-31 (in 30 days)"),
        (1, "ends on 2026-03-02 (in 1 day)"),
        (0, "ends on 2026-03-01 (today)"),
        (-1, "ended on 2026-02-28"),
    ],
)
def test_the_sentence_names_slot_iclient_day_and_next_step_and_never_the_secret(days: int, words: str) -> None:
    sentence = told(secret(days))[0].sentence
    assert (
        sentence
        == f"The credential of iClient app {words}: make a new one at the provider and apply it as next_credential."
    )
    assert told(None, secret(days))[0].sentence.startswith("The next credential of iClient app e")
