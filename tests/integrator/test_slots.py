"""Two slots of credentials: when the current one is refused the next one takes its place, and no call is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sandbox_house import APPS, OWNER, PERSONS, SandboxHouse, as_it_was

from connectors.azure_key_vault.sandbox import Sandbox
from iclients.credentials import ClientSecret
from iclients.errors import CredentialRefused, NotAuthorized
from iclients.model import IClient
from iclients.secret import Secret
from integrator import documents
from integrator.bootstrap import Installation
from integrator.doctor import examine
from integrator.errors import BadDocument
from integrator.housekeeping import keep_house

APP = "sandbox-app"
NEXT = "the next secret"
DAY = 86_400.0


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 1, "fabrikam": 1}) as started:
        yield started


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    with as_it_was(running):
        yield running


@pytest.fixture
def house(sandbox: Sandbox, tmp_path: Path) -> Iterator[SandboxHouse]:
    made = SandboxHouse(sandbox, tmp_path)
    yield made
    made.close()


def slots(current: str, following: str | None = None, **expires: str) -> dict[str, Any]:
    """The two credentials, as a document has them."""
    made: dict[str, Any] = {"credential": {"client_secret": current}}
    if following is not None:
        made["next_credential"] = {"client_secret": following}
    for slot, day in expires.items():
        made[slot]["expires"] = day
    return made


def stored(house: SandboxHouse) -> IClient:
    with house.installation.store.reading() as transaction:
        return transaction.iclients.get(APP)


def secrets(house: SandboxHouse) -> tuple[str | None, str | None]:
    """What is in the two slots."""
    iclient = stored(house)
    held = [iclient.credential, iclient.next_credential]
    first, second = (one.value.reveal() if isinstance(one, ClientSecret) else None for one in held)
    return first, second


# --- a next one takes the place ---


@pytest.mark.parametrize("why", ["wrong", "expired"])
def test_a_refused_credential_is_replaced_by_the_next_one_and_the_call_works(
    house: SandboxHouse, sandbox: Sandbox, why: str
) -> None:
    sandbox.application.add_secret(NEXT)
    before = sandbox.application.add_secret("before", sandbox.clock.now() - 1).value if why == "expired" else "wrong"
    house.apply(house.document(**slots(before, NEXT)))
    assert "let the connection in" in house.installation.connector("contoso").ping().message
    assert secrets(house) == (NEXT, None)
    assert house.actions(APP) == ["created", "credential promoted"]
    assert house.asked() == 2


def test_the_promoted_one_is_the_first_that_is_sent_from_then_on(house: SandboxHouse, sandbox: Sandbox) -> None:
    sandbox.application.add_secret(NEXT)
    house.apply(house.document(**slots("wrong", NEXT)))
    house.ask("contoso", APPS)
    house.ask("fabrikam", APPS)
    assert house.asked() == 3
    assert house.actions(APP).count("credential promoted") == 1


def test_while_the_current_one_works_the_next_one_waits(house: SandboxHouse, sandbox: Sandbox) -> None:
    house.apply(house.document(**slots(sandbox.client_secret, NEXT)))
    house.ask("contoso", APPS)
    assert secrets(house) == (sandbox.client_secret, NEXT)
    assert house.asked() == 1


def test_a_process_that_still_holds_the_old_iclient_works_too(house: SandboxHouse, sandbox: Sandbox) -> None:
    sandbox.application.add_secret(NEXT)
    house.apply(house.document(**slots("wrong", NEXT)))
    with Installation(house.config) as other:
        held = other.admission("contoso").session(APPS)
        house.ask("contoso", APPS)
        assert secrets(house) == (NEXT, None)
        assert held.token().access_token.reveal()
        assert held.renew(held.token()).access_token.reveal()
    assert secrets(house) == (NEXT, None)
    assert house.actions(APP).count("credential promoted") == 1


def test_a_late_promotion_does_not_undo_what_was_applied_meanwhile(house: SandboxHouse, sandbox: Sandbox) -> None:
    sandbox.application.add_secret(NEXT)
    house.apply(house.document(**slots("wrong", NEXT)))
    with Installation(house.config) as other:
        held = other.admission("contoso").session(APPS)
        house.apply(house.document(**slots(sandbox.client_secret, "a later one")))
        assert held.token().access_token.reveal()
    assert secrets(house) == (sandbox.client_secret, "a later one")


# --- a next one does not help ---


def test_where_both_are_refused_the_refusal_is_told_and_nothing_is_promoted(house: SandboxHouse) -> None:
    house.apply(house.document(**slots("wrong", "wrong too")))
    with pytest.raises(CredentialRefused, match="Entra refused the client secret of iClient sandbox-app"):
        house.installation.connector("contoso").ping()
    assert secrets(house) == ("wrong", "wrong too")
    assert house.actions(APP) == ["created"]
    assert house.asked() == 2


@pytest.mark.parametrize("what", ["unknown", "disabled"])
def test_an_app_that_no_credential_would_help_is_asked_about_once(
    house: SandboxHouse, sandbox: Sandbox, what: str
) -> None:
    sandbox.application.enabled = what != "disabled"
    unknown = {"client_id": "11111111-2222-3333-4444-555555555555"} if what == "unknown" else {}
    house.apply(house.document(**slots(sandbox.client_secret, NEXT), **unknown))
    with pytest.raises(NotAuthorized):
        house.installation.connector("contoso").ping()
    assert house.asked() == 1
    assert secrets(house) == (sandbox.client_secret, NEXT)


def test_a_provider_that_does_not_answer_says_nothing_about_a_credential(house: SandboxHouse, sandbox: Sandbox) -> None:
    sandbox.application.add_secret(NEXT)
    house.apply(house.document(**slots("wrong", NEXT)))
    sandbox.faults.add("reset", host="entra", times=50)
    with pytest.raises(Exception, match=r"."):
        house.ask("contoso", APPS)
    assert secrets(house) == ("wrong", NEXT)


# --- at a consent ---


def test_a_code_is_sent_once_the_slots_change_places_and_the_person_starts_again(
    house: SandboxHouse, sandbox: Sandbox
) -> None:
    sandbox.application.add_secret(NEXT)
    house.apply(house.document("authorization_code", **slots("wrong", NEXT)))
    with pytest.raises(CredentialRefused, match="Its next credential takes its place now: start again"):
        house.authorize()
    assert house.asked() == 1
    assert secrets(house) == (NEXT, "wrong")
    assert house.actions(APP) == ["created", "credentials swapped"]
    assert house.kept() is None
    assert house.authorize().account.startswith("ada")
    assert house.asked() == 2
    assert secrets(house) == (NEXT, "wrong")


def test_two_codes_that_are_refused_at_once_swap_once(house: SandboxHouse, sandbox: Sandbox) -> None:
    sandbox.application.add_secret(NEXT)
    house.apply(house.document("authorization_code", **slots("wrong", NEXT)))
    with Installation(house.config) as other:
        late = other.admission("contoso").grants()
        with pytest.raises(CredentialRefused):
            house.authorize()
        late._swapped(CredentialRefused("Refused."))
    assert secrets(house) == (NEXT, "wrong")


def test_a_refresh_promotes_the_next_one(house: SandboxHouse, sandbox: Sandbox) -> None:
    house.apply(house.document("authorization_code"))
    house.authorize()
    house.apply(house.document("authorization_code", **slots("wrong", sandbox.client_secret)))
    house.expire()
    assert house.ask("contoso", PERSONS)
    assert secrets(house) == (sandbox.client_secret, None)
    assert "credential promoted" in house.actions(APP)


def test_a_code_on_any_device_promotes_the_next_one(house: SandboxHouse, sandbox: Sandbox) -> None:
    from connectors.azure_key_vault.sandbox.visitor import enter_code

    sandbox.application.add_secret(NEXT)
    sandbox.application.allow_public_flows = False
    house.apply(house.document("device_code", **slots("wrong", NEXT)))

    def typed(address: str, code: str) -> None:
        enter_code(address, code, "ben", ca_file=sandbox.ca_file)

    try:
        done = house.consenting.by_device("contoso", typed, 600)
    finally:
        sandbox.application.allow_public_flows = True
    assert done.account.startswith("ben")
    assert secrets(house) == (NEXT, None)


# --- documents ---


def test_a_document_without_credentials_keeps_both(house: SandboxHouse, sandbox: Sandbox) -> None:
    house.apply(house.document(**slots(sandbox.client_secret, NEXT)))
    bare = house.document()
    del bare["iclients"][0]["credential"]
    house.apply(bare)
    assert secrets(house) == (sandbox.client_secret, NEXT)


def test_a_dump_has_neither_and_changes_nothing_when_it_is_applied(house: SandboxHouse, sandbox: Sandbox) -> None:
    house.apply(house.document(**slots(sandbox.client_secret, NEXT)))
    dumped = documents.dump(house.installation.store)
    assert [word for word in (sandbox.client_secret, NEXT, "credential:") if word in dumped] == []
    path = house.folder / "dump.yaml"
    path.write_text(dumped)
    assert documents.apply(path, house.installation.store, {}).is_unchanged
    assert secrets(house) == (sandbox.client_secret, NEXT)


@pytest.mark.parametrize("given", [(), ("credential",), ("next_credential",)], ids=" and ".join)
def test_whoever_changes_where_credentials_go_gives_both_again(
    house: SandboxHouse, sandbox: Sandbox, given: tuple[str, ...]
) -> None:
    both = slots(sandbox.client_secret, NEXT)
    house.apply(house.document(**both))
    changed = house.document(tenant="elsewhere.example.com")
    changed["iclients"][0].pop("credential")
    changed["iclients"][0] |= {slot: both[slot] for slot in given}
    with pytest.raises(BadDocument, match="give its credential again"):
        house.apply(changed)
    changed["iclients"][0] |= both
    house.apply(changed)
    assert stored(house).tenant == "elsewhere.example.com"


def test_whoever_changes_where_a_cloud_is_gives_both_again(house: SandboxHouse, sandbox: Sandbox) -> None:
    house.apply(house.document(**slots(sandbox.client_secret, NEXT)))
    changed = house.document(**slots(sandbox.client_secret))
    changed["clouds"][0]["authority"] = "https://elsewhere.example.test"
    with pytest.raises(BadDocument, match="give its credential again"):
        house.apply(changed)


# --- when they end ---


def test_slots_are_told_as_set_or_not_and_until_when(house: SandboxHouse, sandbox: Sandbox) -> None:
    made = sandbox.certificate(days=90)
    pfx, _ = made.save(house.folder)
    document = house.document(**slots(sandbox.client_secret, credential="2027-01-31"))
    document["iclients"][0]["next_credential"] = {"certificate": {"file": str(pfx)}}
    house.apply(document)
    with house.installation.store.reading() as transaction:
        told = transaction.iclients.slots(APP)
    last_day = made.certificate.not_valid_after_utc.date().isoformat()
    assert told == {
        "credential": {"set": True, "expires": "2027-01-31"},
        "next_credential": {"set": True, "expires": last_day},
    }


def test_a_promoted_certificate_takes_its_end_with_it(house: SandboxHouse, sandbox: Sandbox) -> None:
    made = sandbox.certificate(days=90)
    pfx, _ = made.save(house.folder)
    document = house.document(**slots("wrong", credential="2027-01-31"))
    document["iclients"][0]["next_credential"] = {"certificate": {"file": str(pfx)}}
    house.apply(document)
    house.ask("contoso", APPS)
    with house.installation.store.reading() as transaction:
        told = transaction.iclients.slots(APP)
    assert told["credential"]["expires"] == made.certificate.not_valid_after_utc.date().isoformat()
    assert told["next_credential"] == {"set": False, "expires": ""}


def ends_in(house: SandboxHouse, days: int) -> str:
    today = datetime.fromtimestamp(house.clock.now(), UTC).date()
    return (today + timedelta(days=days)).isoformat()


def told_by_the_doctor(house: SandboxHouse) -> list[str]:
    wrong = [finding for finding in examine(house.installation) if finding.subject == f"iClient {APP}"]
    return [finding.sentence for finding in wrong if not finding.is_ok]


def test_owner_and_doctor_are_told_at_each_lead_time_and_once(house: SandboxHouse, sandbox: Sandbox) -> None:
    last_day = ends_in(house, 40)
    house.apply(house.document(**slots(sandbox.client_secret, credential=last_day)))
    told = []
    for days in (5, 6, 2, 20, 3, 3, 1, 5):
        house.clock.advance(days * DAY)
        told.append(keep_house(house.installation).told)
        assert keep_house(house.installation).told == 0
        assert bool(told_by_the_doctor(house)) == (sum(told) > 0)
    assert told == [0, 1, 0, 1, 0, 1, 0, 0]
    assert house.notices() == [(OWNER, f"iClient {APP} needs a new credential")] * 3
    assert f"ended on {last_day}" in told_by_the_doctor(house)[0]


def test_with_a_next_one_that_serves_longer_nobody_is_told(house: SandboxHouse, sandbox: Sandbox) -> None:
    house.apply(house.document(**slots(sandbox.client_secret, credential=ends_in(house, 5))))
    assert keep_house(house.installation).told == 1
    assert told_by_the_doctor(house)
    house.apply(house.document(**slots(sandbox.client_secret, NEXT, credential=ends_in(house, 3))))
    assert keep_house(house.installation).told == 0
    assert told_by_the_doctor(house) == []


def test_lead_times_are_the_iclients_own(house: SandboxHouse, sandbox: Sandbox) -> None:
    typed = slots(sandbox.client_secret, credential=ends_in(house, 50))
    house.apply(house.document(**typed, warn_days=[60]))
    assert keep_house(house.installation).told == 1
    house.apply(house.document(**typed, warn_days=[14]))
    assert told_by_the_doctor(house) == []


def test_an_end_that_was_typed_stays_with_its_secret(house: SandboxHouse, sandbox: Sandbox) -> None:
    house.apply(house.document(**slots(sandbox.client_secret, credential="2027-01-31")))
    found = stored(house).credential
    assert found == ClientSecret(Secret(sandbox.client_secret), date(2027, 1, 31))
    assert replace(found, expires=None) != found


def test_the_doctor_asks_for_a_credential_where_one_is_needed(house: SandboxHouse) -> None:
    house.apply(house.document(credential=None))
    assert "put client_secret into a document" in told_by_the_doctor(house)[0]
    house.apply(house.document("device_code", credential=None))
    assert told_by_the_doctor(house) == []
