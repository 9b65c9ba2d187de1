"""The fifty traps, 31 to 42, 48 and 49: what clients get wrong about the life of objects and about refusals.

The numbers are those of `docs/azure-traps.md`, which says what each trap is and who else is concerned.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from acting import Act, acting
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from traps_lab import AT, VERSION, Recorder, performed, recorded, to_vault
from vault_lab import Lab, row

from connectors.actions import decoded
from connectors.azure_key_vault.errors import explain
from connectors.errors import Conflict, Forbidden, NotFound, RecordError, Throttled, Unavailable
from connectors.model import ReadOptions
from connectors.rest import Call
from iclients.answers import Answer

SELF = {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=contoso.test"}}


@pytest.fixture
def recorder(lab: Lab) -> Recorder:
    return recorded(lab)


@pytest.fixture
def act(lab: Lab, recorder: Recorder) -> Act:
    return acting(lab)


@pytest.fixture
def vault(lab: Lab) -> Any:
    return lab.sandbox.vault("contoso")


# --- the life of objects ---


def test_what_is_deleted_recovered_or_purged_is_waited_for(lab: Lab, act: Act, vault: Any) -> None:
    """Traps 31 and 32: the answer comes at once, the change seconds later; a purge answers nothing at all."""
    vault.settle_seconds = 7.0
    vault.put("db", "v")
    assert act("delete_secret", secretName="db")["isSettled"] is True
    assert sum(lab.clock.slept) >= 7
    assert vault.secret_shelf.find_deleted("db")
    assert act("recover_secret", secretName="db")["isSettled"] is True
    assert vault.secret_shelf.find("db")
    act("delete_secret", secretName="db")
    assert act("purge_secret", secretName="db") == {"name": "db", "isSettled": True}
    assert vault.calls["purge"] == 1
    assert sum(lab.clock.slept) >= 21


def test_the_inner_code_of_a_refusal_says_what_it_is(act: Act, vault: Any) -> None:
    """Trap 33: the outer one is Conflict or Forbidden, whatever happened."""
    vault.put("db", "v")
    vault.delete("db")
    with pytest.raises(Conflict) as blocked:
        act("create_secret", secretName="db", value="v")
    vault.put("off", "v", enabled=False)
    with pytest.raises(Forbidden) as disabled:
        act("get_secret", secretName="off")
    vault.firewall = True
    with pytest.raises(Forbidden) as closed:
        act("get_secret", secretName="off")
    codes = [caught.value.code for caught in (blocked, disabled, closed)]
    assert codes == ["deleted_but_recoverable", "secret_disabled", "forbidden_by_firewall"]


def test_a_disabled_secret_is_there_and_an_expired_one_is_read(lab: Lab, vault: Any) -> None:
    """Trap 34."""
    vault.put("off", "v", enabled=False)
    vault.put("old", "v", exp=1)
    source = lab.source()
    old, off = sorted((one for page in source.pages(None) for one in page.records), key=lambda one: one.key)[::-1]
    assert source.read(old).fields["value"].reveal() == "v"  # type: ignore[arg-type]
    with pytest.raises(RecordError) as refused:
        source.read(off)  # type: ignore[arg-type]
    assert refused.value.code == "secret_disabled"


def test_what_nobody_changed_is_carried_into_a_new_version(lab: Lab, vault: Any) -> None:
    """Trap 35: a PUT inherits nothing, and a PATCH replaces all tags."""
    lab.write(row("db", "1", content_type="text/plain", tags={"a": "b"}))
    assert lab.write(row("db", "2")) == {"read": 1, "updated": 1}
    latest = vault.secrets["db"].latest
    assert (latest.value, latest.content_type, latest.tags) == ("2", "text/plain", {"a": "b"})
    assert len(vault.secrets["db"].versions) == 2


def test_a_policy_goes_out_as_it_was_written(lab: Lab, act: Act, recorder: Recorder) -> None:
    """Trap 36: members of certificates have underscores."""
    policy = {**SELF, "key_props": {"kty": "EC", "crv": "P-256", "reuse_key": False}}
    made = act("create_certificate", certificateName="c", policy=policy)
    (sent,) = [one.json["policy"] for one in to_vault(lab, recorder) if one.path.endswith("/create")]
    assert {name: sent[name] for name in policy} == policy
    assert made["policy"]["key_props"]["crv"] == "P-256"


def test_the_key_and_the_secret_of_a_certificate_are_left_out(lab: Lab, act: Act) -> None:
    """Trap 37: they move with their certificate, or not at all."""
    act("create_certificate", certificateName="c", policy=SELF)
    for resource in ("secrets", "keys"):
        source = lab.connect().source(resource, ReadOptions(values=False))
        (record,) = [one for page in source.pages(None) for one in page.records]
        assert record.left_out == "it belongs to a certificate"  # type: ignore[union-attr]


@pytest.mark.parametrize("seconds", [0.0, 12.0])
def test_a_certificate_is_given_once_its_operation_is_over(lab: Lab, act: Act, vault: Any, seconds: float) -> None:
    """Traps 38 and 41: making one answers an operation, which may be over when it is first asked about."""
    vault.issue_seconds = seconds
    made = act("create_certificate", certificateName="c", policy=SELF)
    assert (made["status"], len(made["version"])) == ("completed", 32)
    assert made["cer"]


def test_an_operation_that_is_over_at_once_gives_the_certificate_all_the_same() -> None:
    """Trap 41."""
    der = base64.b64encode(b"der").decode()
    told = {
        "id": f"{AT.url}/certificates/c/{VERSION}",
        "status": "completed",
        "cer": der,
        "attributes": {"enabled": True},
    }
    made = performed("create_certificate", told, certificateName="c", policy=SELF)
    assert (made["status"], made["version"], made["cer"]) == ("completed", VERSION, der)


@pytest.mark.parametrize("is_encoded", [False, True], ids=["as it is", "in base64"])
def test_a_pem_is_imported_however_it_comes(act: Act, vault: Any, is_encoded: bool) -> None:
    """Trap 42."""
    act("create_certificate", certificateName="theirs", policy=SELF)
    held = vault.keys["theirs"].latest.private
    pem = held.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    cer = act("get_certificate", certificateName="theirs")["cer"]
    pem += x509.load_der_x509_certificate(decoded(cer)).public_bytes(Encoding.PEM).decode()
    given = base64.b64encode(pem.encode()).decode() if is_encoded else pem
    assert isinstance(held, rsa.RSAPrivateKey)
    assert act("import_certificate", certificateName="c", certificate=given)["cer"] == cer


# --- when it fails ---


@pytest.mark.parametrize("retry_after", [None, 3])
def test_a_throttled_call_waits_and_is_made_again(lab: Lab, act: Act, vault: Any, retry_after: int | None) -> None:
    """Trap 40: with Retry-After and without."""
    vault.put("db", "v")
    lab.sandbox.faults.add("429", host="contoso", times=2, retry_after=retry_after)
    assert act("get_secret", secretName="db")["value"] == "v"
    assert sum(lab.clock.slept) > (5.9 if retry_after else 0.9)


@pytest.mark.parametrize("status", [400, 403, 409])
def test_a_refusal_is_not_repeated_even_where_it_says_when(lab: Lab, act: Act, status: int) -> None:
    """Trap 40: Retry-After does not make a refusal a delay."""
    planted = lab.sandbox.faults.add(str(status), host="contoso", every=1, retry_after=1)
    with pytest.raises(Exception, match=str(status)):
        act("get_secret", secretName="db")
    assert planted.struck == 1


@pytest.mark.parametrize(
    "body", [b"", b"<html>no</html>", b"no", b"[]", b'{"timestamp":1,"status":0,"path":"/"}', b'{"error":5}']
)
@pytest.mark.parametrize(
    ("status", "kind"), [(403, Forbidden), (404, NotFound), (409, Conflict), (429, Throttled), (503, Unavailable)]
)
def test_the_status_alone_gives_the_right_recovery(body: bytes, status: int, kind: type[Exception]) -> None:
    """Trap 48: gateways and proxies answer what they like."""
    error = explain(Answer(status, {}, body), Call("get", "GET", f"{AT.url}/secrets/db?api-version=7.4"), AT.host)
    assert type(error) is kind
    assert str(status) in str(error)


def test_a_secret_that_is_not_found_fails_alone_and_deletes_nothing(lab: Lab, vault: Any) -> None:
    """Trap 49: only the list says what exists."""
    for name in ("db", "web"):
        vault.put(name, "v")
    assert lab.copy() == {"read": 2, "created": 2}
    lab.settle()
    vault.put("db", "new")
    vault.put("web", "new")
    lab.sandbox.faults.add("404", host="contoso", method="GET", path="secrets/db", every=1)
    assert lab.copy() == {"read": 2, "updated": 1, "failed": 1}
    there = lab.sandbox.vault("fabrikam").secrets
    assert {name: secret.latest.value for name, secret in there.items()} == {"db": "v", "web": "new"}
