"""Operations that go on after their answer: asked about where they say, at their pace, within bounds, on one host."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from vault_lab import Lab, SwiftClock

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.control.arm import Arm
from connectors.azure_key_vault.control.long_operation import LongOperation, Look, provisioning
from connectors.azure_key_vault.control.plane import Place
from connectors.errors import Conflict, Forbidden, HostNotAllowed, Throttled, Unavailable
from connectors.rest import Call, Reply
from iclients.clouds import BUILT_IN
from iclients.errors import AnswerLost, RemoteError

ARM = "https://management.azure.com"
POLICY = {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=contoso.test"}}
HERE = f"{ARM}/subscriptions/s/x?api-version=1"


class Answers:
    """Resource Manager with a list of answers, given one after the other."""

    def __init__(self, *replies: Reply | RemoteError) -> None:
        self.asked: list[str] = []
        self._replies = list(replies)

    def exchange(self, call: Call) -> Reply:
        self.asked.append(call.url)
        reply = self._replies.pop(0)
        if isinstance(reply, RemoteError):
            raise reply
        return reply


def waiting(
    *replies: Reply | RemoteError, wait_seconds: float = 300.0
) -> tuple[LongOperation, Answers, list[str], SwiftClock]:
    client, told, clock = Answers(*replies), [], SwiftClock()
    arm = Arm(client, BUILT_IN["public"], Place(), "arm", clock, None, told.append)  # type: ignore[arg-type]
    return LongOperation(arm, "vault x to be purged", wait_seconds), client, told, clock


def reply(status: int, document: Any = None, retry_after: float | None = None, **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, document, retry_after)


STATUS = f"{ARM}/subscriptions/s/operations/1?api-version=1"


def test_a_status_address_is_asked_until_it_says_the_end() -> None:
    operation, client, told, clock = waiting(
        reply(200, {"status": "InProgress"}, 7.0),
        reply(200, {"status": "Updating"}),
        reply(200, {"status": "Succeeded"}),
    )
    begun = reply(202, None, 3.0, azure_asyncoperation=STATUS, location=f"{ARM}/elsewhere")
    assert operation.follow(begun, HERE) is True
    assert (client.asked, clock.slept) == ([STATUS] * 3, [3.0, 7.0, 7.0])
    assert told == [
        "Waiting for vault x to be purged: InProgress, 0 s.",
        "Waiting for vault x to be purged: InProgress, 3 s.",
        "Waiting for vault x to be purged: Updating, 10 s.",
    ]


def test_a_location_is_asked_until_it_is_no_202() -> None:
    operation, client, _, clock = waiting(reply(202), reply(202, {"status": "NotStarted"}), reply(204))
    assert operation.follow(reply(202, location="/subscriptions/s/operations/1?api-version=1"), HERE) is True
    assert (client.asked, clock.slept) == ([STATUS] * 3, [2.0, 5.0])


def test_a_location_of_an_answer_that_is_final_is_not_followed() -> None:
    operation, client, _, _ = waiting()
    assert operation.follow(reply(200, location=STATUS), HERE) is True
    assert client.asked == []


@pytest.mark.parametrize("ending", ["Failed", "Canceled"])
def test_an_operation_that_ends_badly_is_told(ending: str) -> None:
    document = {"status": ending, "error": {"code": "VaultIsBusy", "message": "Bearer eyJcanary"}}
    operation, *_ = waiting(reply(200, document))
    with pytest.raises(Conflict, match=f"to be purged ended as {ending} VaultIsBusy. Look at it") as failed:
        operation.follow(reply(202, azure_asyncoperation=STATUS), HERE)
    assert failed.value.code == "operation_failed"
    assert "canary" not in str(failed.value)


@pytest.mark.parametrize("name", ["azure_asyncoperation", "location"])
@pytest.mark.parametrize(
    "link", ["https://evil.test/x", "//evil.test/x", f"{ARM}.evil.test/x", "http://management.azure.com/x"]
)
def test_no_token_leaves_for_another_host(name: str, link: str) -> None:
    operation, client, _, _ = waiting()
    with pytest.raises(HostNotAllowed, match="on another host: it was not"):
        operation.follow(reply(202, **{name: link}), HERE)
    assert client.asked == []


def test_waiting_ends_rather_than_asks_too_early() -> None:
    operation, client, _, clock = waiting(reply(202, None, 30.0), wait_seconds=20.0)
    assert operation.follow(reply(202, location=STATUS), HERE) is False
    assert (len(client.asked), clock.slept) == (1, [])


def test_nobody_is_hammered() -> None:
    operation, _, _, clock = waiting(reply(202, None, 0.0), reply(200))
    operation.follow(reply(202, location=STATUS), HERE)
    assert clock.slept == [1.0]


def test_who_may_not_look_is_told_that_nobody_knows() -> None:
    operation, *_ = waiting(Forbidden("no"))
    assert operation.follow(reply(202, location=STATUS), HERE) is None


@pytest.mark.parametrize("error", [Unavailable("It is ill."), Throttled("Too fast."), AnswerLost("It broke.")])
def test_a_look_that_fails_does_not_undo_what_was_begun(error: RemoteError) -> None:
    operation, *_ = waiting(error)
    with pytest.raises(AnswerLost, match="which goes on in Azure all the same: look later"):
        operation.follow(reply(202, location=STATUS), HERE)


@pytest.mark.parametrize("document", [None, [], {}, {"status": 5}, {"status": ""}, {"status": "\x1b[31m"}])
def test_a_status_that_makes_no_sense_keeps_us_waiting_and_is_not_shown(document: Any) -> None:
    operation, _, told, _ = waiting(reply(200, document), reply(200, {"status": "succeeded"}))
    assert operation.follow(reply(202, azure_asyncoperation=STATUS), HERE) is True
    assert "\x1b" not in told[0]


def test_a_resource_is_looked_at_until_it_is_ready_or_has_failed() -> None:
    states = ["RegisteringDns", "Succeeded"]
    look = provisioning(lambda: {"properties": {"provisioningState": states.pop(0)}})
    operation, _, _, clock = waiting()
    assert operation.until(look) is True
    assert clock.slept == [2.0]
    assert provisioning(dict)() == Look("Succeeded", True)
    with pytest.raises(Conflict, match="ended it as Failed"):
        provisioning(lambda: {"properties": {"provisioningState": "Failed"}})()


def test_waits_of_the_data_plane_are_told_as_well(lab: Lab) -> None:
    told: list[str] = []
    connector = AzureKeyVault(lab.connection(), replace(lab.access(), progress=told.append))
    lab.sandbox.vault("contoso").settle_seconds = 3
    connector.act("create_secret", {"secretName": "s", "value": "1"})
    connector.act("delete_secret", {"secretName": "s"})
    assert told == ["Waiting for s to be deleted: 0 s.", "Waiting for s to be deleted: 2 s."]
    connector.act("create_certificate", {"certificateName": "c", "policy": POLICY})
    assert told[2:] == ["Waiting for certificate c to be made: inprogress."]
