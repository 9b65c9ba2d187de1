"""A vault on a bad day: what may pass by itself fails no record, and no write happens twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from vault_lab import Lab, SwiftClock, row

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.errors import Unavailable
from connectors.model import Limits, ReadOptions
from flows.model import RunStatus
from iclients.errors import MalformedAnswer, NotAuthorized, RemoteError
from iclients.secret import Secret
from iclients.transport import Transport

TEMPORARY: dict[str, dict[str, Any]] = {
    "429 that says when": {"kind": "429", "retry_after": 1},
    "429 that does not": {"kind": "429"},
    "500": {"kind": "500"},
    "503 that says when": {"kind": "503", "retry_after": 2},
    "503 that does not": {"kind": "503"},
    "502 in HTML": {"kind": "html"},
    "reset": {"kind": "reset"},
    "lost": {"kind": "lost"},
    "truncated": {"kind": "truncated"},
    "broken JSON": {"kind": "broken-json"},
    "slow": {"kind": "slow", "seconds": 0.02},
    "stall": {"kind": "stall", "seconds": 20},
}


@pytest.fixture(params=TEMPORARY)
def fault(request: pytest.FixtureRequest) -> dict[str, Any]:
    return TEMPORARY[request.param]


@pytest.fixture
def vault(lab: Lab) -> Any:
    lab.transport = Transport(lab.sandbox.ca_file, deadline_seconds=0.5)
    return lab.sandbox.vault("contoso")


@pytest.mark.parametrize(
    ("host", "method", "path"),
    [("contoso", "GET", r"secrets\?"), ("contoso", "GET", "secrets/"), ("fabrikam", "GET", r"secrets\?"), ("fabrikam", "PUT", None)],
    ids=["listing the source", "reading", "listing the target", "writing"],
)  # fmt: skip
def test_a_fault_that_passes_fails_no_record_and_makes_one_version(
    lab: Lab, vault: Any, fault: dict[str, Any], host: str, method: str, path: str | None
) -> None:
    for number in range(6):
        vault.put(f"s{number}", f"v{number}", content_type="text/plain")
    planted = lab.sandbox.faults.add(**fault, host=host, method=method, path=path, times=2)
    assert lab.copy() == {"read": 6, "created": 6}
    assert lab.status is RunStatus.SUCCEEDED
    assert planted.struck == 2 or fault["kind"] == "slow"
    written = lab.sandbox.vault("fabrikam").secrets
    assert {name: secret.latest.value for name, secret in written.items()} == {f"s{n}": f"v{n}" for n in range(6)}
    assert {len(secret.versions) for secret in written.values()} == {1}


def test_a_fault_that_passes_patches_what_was_to_be_patched(lab: Lab, vault: Any, fault: dict[str, Any]) -> None:
    lab.write(row("db", content_type="a"))
    lab.sandbox.faults.add(**fault, host="contoso", method="PATCH", times=2)
    assert lab.write(row("db", content_type="b")) == {"read": 1, "updated": 1}
    assert vault.secrets["db"].latest.content_type == "b"
    assert len(vault.secrets["db"].versions) == 1


@pytest.mark.parametrize("kind", ["lost", "truncated", "broken-json"])
@pytest.mark.parametrize(
    "fields",
    [{}, {"content_type": "text/plain"}, {"tags": {"a": "b"}}, {"tags": ""}, {"enabled": True}, {"expires": "2099-01-01"},
     {"content_type": "", "not_before": "", "expires": "", "enabled": ""}],
    ids=["value alone", "content type", "tags", "no tags", "enabled", "expires", "all empty"],
)  # fmt: skip
def test_a_write_whose_answer_was_lost_makes_exactly_one_version(
    lab: Lab, vault: Any, kind: str, fields: dict[str, Any]
) -> None:
    lab.sandbox.faults.add(kind, host="contoso", method="PUT", times=1)
    assert lab.write(row("db", **fields)) == {"read": 1, "created": 1}
    assert len(vault.secrets["db"].versions) == 1
    lab.sandbox.faults.add(kind, host="contoso", method="PUT", times=1)
    assert lab.write(row("db", "new", **fields)) == {"read": 1, "updated": 1}
    assert len(vault.secrets["db"].versions) == 2
    assert vault.value("db") == "new"
    assert lab.write(row("db", "new", **fields)) == {"read": 1, "unchanged": 1}


def test_a_lost_answer_is_not_taken_for_done_where_somebody_else_wrote_meanwhile(lab: Lab, vault: Any) -> None:
    lab.write(row("db", "old"))
    lab.sandbox.faults.add("reset", host="contoso", method="PUT", times=3)
    assert lab.write(row("db", "new")) == {"read": 1, "updated": 1}
    assert vault.value("db") == "new"
    assert len(vault.secrets["db"].versions) == 2


def test_a_value_that_was_there_before_does_not_vouch_for_the_write_that_clears_an_attribute(
    lab: Lab, vault: Any
) -> None:
    lab.write(row("db", expires="2099-01-01"))
    lab.sandbox.faults.add("reset", host="contoso", method="PUT", times=1)
    assert lab.write(row("db", expires="")) == {"read": 1, "updated": 1}
    assert vault.secrets["db"].latest.exp is None


def test_a_write_that_fails_for_good_is_finished_and_owned_by_the_next_run(lab: Lab, vault: Any) -> None:
    lab.sandbox.faults.add("lost", host="contoso", method="PUT", times=1)
    lab.sandbox.faults.add("500", host="contoso", method="GET", path="secrets/", times=8)
    assert lab.write(row("db")) == {"read": 1, "failed": 1}
    assert lab.errors()[0].recovery == "retry"
    assert lab.write(row("db")) == {"read": 1, "created": 1}
    assert len(vault.secrets["db"].versions) == 1
    assert lab.write(row("db", "new")) == {"read": 1, "updated": 1}


def test_a_refusal_of_the_look_after_a_lost_answer_leaves_open_what_happened(lab: Lab, vault: Any) -> None:
    lab.sandbox.faults.add("lost", host="contoso", method="PUT", times=1)
    refused = lab.sandbox.faults.add("403", host="contoso", method="GET", path="secrets/", every=1)
    assert lab.write(row("db")) == {"read": 1, "failed": 1}
    (error,) = lab.errors()
    assert error.recovery == "retry"
    assert error.message.endswith("The answer to writing db was lost: run again to see whether it was written.")
    assert refused.struck == 1
    lab.sandbox.faults.clear()
    assert lab.write(row("db")) == {"read": 1, "created": 1}
    assert len(vault.secrets["db"].versions) == 1
    assert lab.write(row("db", "new")) == {"read": 1, "updated": 1}


def test_a_lost_answer_makes_exactly_one_version_of_a_disabled_secret(lab: Lab, vault: Any) -> None:
    lab.write(row("db", enabled=False))
    for number in range(6):
        lab.settle()
        lab.sandbox.faults.add("lost", host="contoso", method="PUT", times=1)
        assert lab.write(row("db", f"new {number}", enabled=False)) == {"read": 1, "updated": 1}
    assert len(vault.secrets["db"].versions) == 7


def test_many_faults_at_once_lose_nothing_and_write_nothing_twice(lab: Lab, vault: Any) -> None:
    for number in range(40):
        vault.put(f"s{number:02}", f"v{number}")
    for at, (kind, every) in enumerate(
        [("429", 7), ("500", 11), ("lost", 5), ("truncated", 13), ("reset", 6), ("html", 17)]
    ):
        lab.sandbox.faults.add(kind, host="contoso" if at % 2 else "fabrikam", every=every)
    assert lab.copy(width=8) == {"read": 40, "created": 40}
    written = lab.sandbox.vault("fabrikam").secrets
    assert {name: secret.latest.value for name, secret in written.items()} == {f"s{n:02}": f"v{n}" for n in range(40)}
    assert {len(secret.versions) for secret in written.values()} == {1}


def test_a_vault_that_stays_down_ends_the_run_and_a_later_one_completes(lab: Lab, vault: Any) -> None:
    planted = lab.sandbox.faults.add("503", host="contoso", method="PUT", every=1)
    records = [row(f"s{number:02}") for number in range(30)]
    with pytest.raises(Unavailable):
        lab.write(*records, width=1)
    assert planted.struck <= 12 * 8
    lab.sandbox.faults.clear()
    assert lab.write(*records) == {"read": 30, "created": 30}


def test_a_list_that_breaks_midway_ends_the_run(lab: Lab, vault: Any) -> None:
    for number in range(60):
        vault.put(f"s{number:02}", "v")
    lab.sandbox.faults.add("503", host="contoso", path="skiptoken", after=1, every=1)
    with pytest.raises(Unavailable):
        lab.copy()
    assert lab.journal.progress.counts["created"] == 50
    lab.sandbox.faults.clear()


def test_waiting_follows_what_the_vault_says(lab: Lab, vault: Any) -> None:
    lab.sandbox.faults.add("503", host="contoso", retry_after=7)
    lab.connect().ping()
    assert 7 in lab.clock.slept


def test_an_answer_without_a_value_is_no_empty_secret(lab: Lab, vault: Any) -> None:
    vault.put("db", "v")
    lab.sandbox.faults.add("broken-json", host="contoso", path="secrets/db", every=1)
    with pytest.raises(MalformedAnswer):
        lab.secrets().get("db")


# Limits


class TestThrottledVault:
    """The sandbox enforces the published limits, and counts whom it turns away."""

    RECORDS = [row(f"s{number:03}", f"v{number}") for number in range(330)]

    def test_a_connection_that_keeps_the_published_limits_is_hardly_ever_turned_away(self, lab: Lab) -> None:
        lab.limits = Limits(concurrency=8)
        lab.sandbox.throttle(True)
        assert lab.write(*self.RECORDS, width=8) == {"read": 330, "created": 330}
        assert lab.calls().get("throttled", 0) <= 3  # on a busy machine a call may leave late, with the next one

    def test_a_connection_that_does_not_is_turned_away_and_loses_nothing_all_the_same(self, lab: Lab) -> None:
        lab.sandbox.throttle(True)
        assert lab.write(*self.RECORDS, width=8) == {"read": 330, "created": 330}
        assert lab.calls()["throttled"] > 0
        assert lab.calls()["put"] == 330 + lab.calls()["throttled"]

    def test_a_vault_that_does_not_say_when_is_asked_again_all_the_same(self, lab: Lab) -> None:
        lab.sandbox.throttle(True, retry_after=False)
        assert lab.write(*self.RECORDS, width=8) == {"read": 330, "created": 330}
        assert lab.calls()["throttled"] > 0


# Tokens


@pytest.fixture
def apart(vaults: dict[str, int]) -> Iterator[Lab]:
    """Our clock is not the sandbox's: only the sandbox knows that time went by."""
    with Sandbox.start(vaults=vaults) as sandbox:
        made = Lab(sandbox, clock=SwiftClock())
        yield made
        made.transport.close()


@pytest.mark.parametrize("how", ["expired", "revoked", "challenged"])
def test_a_token_that_is_no_longer_taken_is_renewed_in_the_middle_of_a_run(apart: Lab, how: str) -> None:
    for number in range(30):
        apart.sandbox.vault("contoso").put(f"s{number:02}", "v")
    source = apart.source()
    pages = source.pages(None)
    first = next(pages).records[0]
    if how == "expired":
        apart.sandbox.clock.advance(200_000)
    elif how == "revoked":
        apart.sandbox.revoke_tokens()
    else:
        apart.sandbox.faults.add("claims", host="contoso")
    assert len(next(pages).records) == 5
    assert source.read(first).fields["value"] == Secret("v")  # type: ignore[arg-type]
    assert apart.sandbox.calls()["entra"]["token"] == 2


def test_an_expired_token_is_renewed_once_for_all_threads(apart: Lab) -> None:
    for number in range(8):
        apart.sandbox.vault("contoso").put(f"s{number}", f"v{number}")
    source = apart.source()
    records = next(source.pages(None)).records
    apart.sandbox.clock.advance(200_000)
    with ThreadPoolExecutor(8) as threads:
        values = [record.fields["value"].reveal() for record in threads.map(source.read, records)]  # type: ignore[arg-type]
    assert values == [f"v{number}" for number in range(8)]
    assert apart.sandbox.calls()["entra"]["token"] == 2


def test_a_token_that_is_never_taken_ends_the_run(apart: Lab) -> None:
    apart.sandbox.faults.add("claims", host="contoso", every=1)
    with pytest.raises(NotAuthorized):
        apart.write(row("db"))
    assert not apart.sandbox.vault("contoso").secrets


def test_an_app_that_lost_its_credential_ends_the_run_without_a_failed_record(apart: Lab) -> None:
    apart.sandbox.client_secret = "not the right one"
    with pytest.raises(RemoteError) as caught:
        list(apart.connect().source("secrets", ReadOptions()).pages(None))
    assert isinstance(caught.value, NotAuthorized)
    assert "not the right one" not in str(caught.value)
