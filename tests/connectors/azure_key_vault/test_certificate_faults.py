"""Importing certificates on a bad day: what passes by itself fails nothing, and nothing is imported twice."""

from __future__ import annotations

from typing import Any

import pytest
from certificate_lab import RULES, bring, held, move, pair, pem, pfx, plant, row, target, versions
from vault_lab import Lab

from connectors.errors import Throttled, Unavailable
from connectors.model import Effect, Known
from flows.model import RunStatus
from iclients.errors import AnswerLost
from iclients.transport import Transport

TEMPORARY: dict[str, dict[str, Any]] = {
    "429 that says when": {"kind": "429", "retry_after": 1},
    "429 that does not": {"kind": "429"},
    "500": {"kind": "500"},
    "503": {"kind": "503", "retry_after": 2},
    "502 in HTML": {"kind": "html"},
    "reset": {"kind": "reset"},
    "lost": {"kind": "lost"},
    "truncated": {"kind": "truncated"},
    "broken JSON": {"kind": "broken-json"},
    "stall": {"kind": "stall", "seconds": 20},
}
PLACES = {
    "listing the source": ("contoso", "GET", r"certificates\?"),
    "reading a certificate": ("contoso", "GET", "certificates/"),
    "reading its key": ("contoso", "GET", "secrets/"),
    "listing the target": ("fabrikam", "GET", r"certificates\?"),
    "listing what was deleted": ("fabrikam", "GET", "deletedcertificates"),
    "importing": ("fabrikam", "POST", "/import"),
}


@pytest.fixture(autouse=True)
def _impatient(lab: Lab) -> None:
    lab.transport = Transport(lab.sandbox.ca_file, deadline_seconds=0.5)


@pytest.mark.parametrize("fault", TEMPORARY.values(), ids=TEMPORARY)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_fault_that_passes_fails_nothing_and_imports_once(lab: Lab, fault: dict[str, Any], place: Any) -> None:
    sent = {f"c{number}": pair() for number in range(3)}
    for name, one in sent.items():
        plant(lab, name, one)
    lab.settle()
    host, method, path = place
    planted = lab.sandbox.faults.add(**fault, host=host, method=method, path=path, times=2)
    assert move(lab, RULES[:2]) == {"read": 3, "created": 3}
    assert (lab.status, planted.struck) == (RunStatus.SUCCEEDED, 2)
    assert versions(lab) == dict.fromkeys(sent, 1)
    assert {name: held(lab, name).digest for name in sent} == {name: one.digest for name, one in sent.items()}


@pytest.mark.parametrize("kind", ["lost", "truncated", "broken-json", "500"])
def test_a_renewal_whose_answer_is_lost_makes_one_version(lab: Lab, kind: str) -> None:
    bring(lab, row("tls", pfx(pair())))
    renewed = pair()
    lab.sandbox.faults.add(kind, host="fabrikam", method="POST", times=3)
    assert bring(lab, row("tls", pem(renewed))) == {"read": 1, "updated": 1}
    assert (versions(lab), held(lab, "tls").digest) == ({"tls": 2}, renewed.digest)


@pytest.mark.parametrize("fault", TEMPORARY.values(), ids=TEMPORARY)
def test_patches_are_made_whatever_happens_to_their_answers(lab: Lab, fault: dict[str, Any]) -> None:
    one = pfx(pair())
    bring(lab, row("tls", one, tags={"a": "1"}, policy={"issuer": {"name": "Self"}}))
    lab.sandbox.faults.add(**fault, host="fabrikam", method="PATCH", times=2)
    changed = row("tls", one, tags={"a": "2"}, policy={"issuer": {"name": "Unknown"}})
    assert bring(lab, changed) == {"read": 1, "updated": 1}
    assert bring(lab, changed) == {"read": 1, "unchanged": 1}
    assert versions(lab) == {"tls": 1}


def test_an_answer_that_stays_lost_is_told_and_the_next_run_knows_its_own(lab: Lab) -> None:
    one = row("tls", pfx(pair()))
    into = target(lab, fields=("name", "value"))
    into.begin(None, None)
    change = into.assess(one, None)
    lab.sandbox.faults.add("lost", host="fabrikam", method="POST", times=1)
    lab.sandbox.faults.add("503", host="fabrikam", method="GET", path="certificates/", times=50)
    with pytest.raises((AnswerLost, Unavailable)):
        into.write(one, change)
    lab.sandbox.faults.clear()
    again = target(lab, fields=("name", "value"))
    again.begin(None, None)
    found = again.assess(one, Known(intent=change.fingerprint))
    assert (found.effect, found.owned, found.payload) == (Effect.CREATED, True, None)
    assert again.write(one, found).effect is Effect.CREATED
    assert versions(lab) == {"tls": 1}


def test_a_run_that_takes_over_looks_even_where_the_list_had_nothing(lab: Lab) -> None:
    """The import of a killed process may arrive after the next one has listed."""
    one = row("tls", pfx(pair()))
    into = target(lab, fields=("name", "value"))
    into.begin(None, None)
    change = into.assess(one, None)
    into.write(one, change)
    late = target(lab, fields=("name", "value"))
    found = late.assess(one, Known(intent=change.fingerprint))  # nothing was listed
    assert (found.effect, found.payload, versions(lab)) == (Effect.CREATED, None, {"tls": 1})


def test_a_killed_recovery_is_carried_on_with(lab: Lab) -> None:
    """What was recovered and not yet written is ours to write, though nobody of ours made it."""
    plant(lab, "tls", pair(), vault="fabrikam")
    certificates = lab.connect("fabrikam")._data_plane().certificates
    certificates.delete("tls")
    one = row("tls", pfx(pair()))
    into = target(lab, fields=("name", "value"), options={"deleted": "recover"})
    into.begin(None, None)
    intent = into.assess(one, None).fingerprint
    certificates.recover("tls")  # and here it was killed
    again = target(lab, fields=("name", "value"), options={"deleted": "recover"})
    again.begin(None, None)
    change = again.assess(one, Known(intent=intent))
    assert change.effect is Effect.CREATED
    assert again.write(one, change).owned
    assert versions(lab) == {"tls": 2}


def test_a_vault_that_is_not_well_fails_the_record_and_hides_the_key(lab: Lab) -> None:
    lab.sandbox.faults.add("429", host="fabrikam", method="POST", times=100)
    into = target(lab, fields=("name", "value", "password"))
    into.begin(None, None)
    record = row("tls", pfx(pair(), "hunter2"), password="hunter2")
    with pytest.raises(Throttled) as caught:
        into.write(record, into.assess(record, None))
    assert "hunter2" not in str(caught.value)
