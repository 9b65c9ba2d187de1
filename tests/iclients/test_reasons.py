"""What refusals mean: every number of Entra has a cause and a next step, and the right one of four recoveries."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from connectors.azure_key_vault.sandbox.aadsts import ERRORS
from iclients.errors import CredentialRefused, NotAuthorized, Recovery, ScopeRefused
from iclients.model import IClient
from iclients.provider import Provider, Refusal
from iclients.providers.entra import Entra
from iclients.providers.entra.reasons import REASONS
from iclients.reasons import STANDARD, Reason

APP = IClient("contoso-app", "entra", "0f0e-client", tenant="contoso.test")

DOCUMENTED = (
    *(7000215, 7000222, 7000218, 700025, 700027, 700024, 50027, 700016, 7000112, 700051, 700054),
    *(90002, 900023, 90013, 900144, 90014, 901002, 9001023, 70003, 70002, 70011, 1002012, 500011, 650057),
    *(65001, 65004, 90094, 90093, 50011, 500113, 900971, 54005, 70008, 70000, 9002313, 700082, 700084, 50173, 70043),
    *(501481, 50148, 50147, 700005, 700009, 50076, 50079, 50058, 50020, 51004, 50105, 53003, 530003),
    *(50034, 50126, 50053, 50055, 50057, 70016, 70020, 50196, 90055, 50194, 28000, 50049),
)
"""The numbers of the Azure reference sheet, 1.14 and in the text around it."""

SUBERRORS = (
    *("consent_required", "basic_action", "message_only", "bad_token", "token_expired"),
    *("client_mismatch", "additional_action", "user_password_expired"),
)
NEXT_STEPS = frozenset(
    [
        *("add", "ask", "authorize", "check", "choose", "compare", "correct", "enable", "look", "make", "open"),
        *("register", "remove", "set", "sign", "start", "upload", "use", "wait"),
    ]
)


def explained(*codes: int, error: str = "invalid_request", suberror: str = "", words: str = "") -> NotAuthorized:
    return Entra().explain(Refusal(400, error, words, suberror, codes), APP)


@pytest.mark.parametrize("code", sorted({*DOCUMENTED, *ERRORS}))
def test_every_number_of_entra_has_a_reason(code: int) -> None:
    assert code in REASONS


@pytest.mark.parametrize("error", ["invalid_grant", "interaction_required"])
@pytest.mark.parametrize("suberror", SUBERRORS)
def test_a_number_nobody_knows_is_explained_by_its_suberror_and_entras_words(error: str, suberror: str) -> None:
    words = "AADSTS99999: Something new happened."
    told = explained(99999, error=error, suberror=suberror, words=words)
    assert str(told).startswith(REASONS[f"{error}/{suberror}"].cause.split("{")[0])
    assert str(told).endswith(f" It says: {words}")
    assert told.code == error


@pytest.mark.parametrize("table", [REASONS, STANDARD], ids=["Entra", "the standards"])
def test_every_reason_is_a_sentence_that_names_what_it_is_about_and_begins_its_next_step_with_a_verb(
    table: dict[int | str, Reason],
) -> None:
    for name, reason in table.items():
        sentence = reason.sentence(iclient=APP.name, tenant=APP.tenant or "", client_id=APP.client_id)
        assert sentence.endswith("."), name
        assert not sentence.endswith(".."), name
        assert not set("{}") & set(sentence), name
        assert re.search(r"iClient contoso-app|enant contoso\.test|pp 0f0e-client|contoso\.test is", sentence), name
        assert reason.fix.split()[0].rstrip(",") in NEXT_STEPS, name
        assert sentence.isprintable(), name


def test_no_two_numbers_share_a_cause_or_whole_text() -> None:
    texts = defaultdict(set)
    for name, reason in REASONS.items():
        texts[reason.cause].add(name)
    assert [names for names in texts.values() if len({name for name in names if isinstance(name, int)}) > 1] == []
    assert len(set(REASONS.values())) == len(texts)


APART = {
    "cancelled": Refusal(400, "access_denied", suberror="cancel"),
    "denied": Refusal(400, "access_denied"),
    "expired": Refusal(400, "invalid_grant", codes=(70008,)),
    "replayed": Refusal(400, "invalid_grant", codes=(54005,)),
    "wrong user": Refusal(400, "invalid_grant", codes=(51004,)),
    "user not assigned": Refusal(400, "access_denied", codes=(50105,)),
    "wrong tenant": Refusal(400, "invalid_grant", codes=(50020,)),
    "admin approval": Refusal(400, "access_denied", codes=(90094,)),
    "redirect mismatch": Refusal(400, "refused_page", codes=(50011,)),
    "MFA": Refusal(400, "interaction_required", codes=(50076,)),
    "Conditional Access": Refusal(400, "interaction_required", codes=(53003,)),
    "managed device": Refusal(400, "interaction_required", codes=(530003,)),
    "disabled user": Refusal(400, "invalid_grant", codes=(50057,)),
    "disabled app": Refusal(400, "unauthorized_client", codes=(7000112,)),
    "wrong secret": Refusal(401, "invalid_client", codes=(7000215,)),
    "secret expired": Refusal(401, "invalid_client", codes=(7000222,)),
    "certificate unknown": Refusal(401, "invalid_client", "[Reason - The key was not found.", codes=(700027,)),
    "certificate expired": Refusal(401, "invalid_client", "[Reason - The key used is expired.", codes=(700027,)),
    "clock skew": Refusal(401, "invalid_client", codes=(700024,)),
    "revoked": Refusal(400, "invalid_grant", codes=(50173,)),
    "idle": Refusal(400, "invalid_grant", codes=(700082,)),
}


def test_what_can_go_wrong_with_a_consent_or_credential_has_a_sentence_and_a_next_step_of_its_own() -> None:
    sentences = {name: str(Entra().explain(refusal, APP)) for name, refusal in APART.items()}
    for half in (0, -1):
        halves = defaultdict(list)
        for name, sentence in sentences.items():
            halves[sentence.split(": ", 1)[half]].append(name)
        assert [names for names in halves.values() if len(names) > 1] == []


@pytest.mark.parametrize("error", ["invalid_client", "invalid_request", "unauthorized_client"])
@pytest.mark.parametrize(
    "code", [7000215, 7000222, 7000218, 70002, 700027, 700024, 50027, 700021, 700023, 700211, 700212, 700213]
)
def test_a_refused_credential_is_one_whatever_entra_calls_it(code: int, error: str) -> None:
    told = explained(code, error=error)
    assert type(told) is CredentialRefused
    assert told.recovery is Recovery.REAUTHORIZE


@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client", "invalid_request"])
@pytest.mark.parametrize("code", [700016, 7000112, 700025, 90002, 9001023, 50194, 500112, 50011, 700009])
def test_what_another_credential_would_not_mend_is_no_refused_credential(code: int, error: str) -> None:
    assert type(explained(code, error=error)) is NotAuthorized


@pytest.mark.parametrize("error", ["invalid_client", "invalid_scope", "invalid_resource", "invalid_request"])
@pytest.mark.parametrize("code", [70011, 28000, 1002012, 500011, 650057, 650053])
def test_a_refused_scope_is_one_whatever_entra_calls_it(code: int, error: str) -> None:
    assert type(explained(code, error=error)) is ScopeRefused


def test_a_client_that_entra_takes_for_a_loop_waits_and_needs_no_person() -> None:
    told = explained(50196, error="invalid_grant")
    assert (told.recovery, told.code, told.retry_after_seconds) == (Recovery.RETRY, "provider_busy", 300.0)


def test_the_first_number_that_is_known_wins_over_suberror_and_error() -> None:
    told = explained(1, 50173, 70008, error="invalid_grant", suberror="bad_token", words="ours to leave out")
    assert "was revoked" in str(told)
    assert "ours" not in str(told)


def test_an_error_without_a_number_says_what_the_server_says_too() -> None:
    told = Provider().explain(Refusal(400, "invalid_grant", "Token was rotated"), APP)
    assert str(told).endswith("authorize the connection again. It says: Token was rotated.")


def test_an_error_that_nobody_knows_says_at_least_its_words() -> None:
    assert str(explained(99999, error="brand_new", words="Not so.")) == (
        "The provider refused iClient contoso-app: Not so."
    )
