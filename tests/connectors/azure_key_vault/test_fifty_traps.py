"""The fifty traps, 21 to 50: what clients get wrong about vaults and their objects, and what ours does instead.

The numbers are those of `docs/azure-traps.md`, which says what each trap is and who else is concerned.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from acting import Act, acting
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from traps_lab import AT, VERSION, Recorder, performed, recorded, to_vault
from vault_lab import Lab

from connectors.actions import decoded, encoded
from connectors.azure_key_vault.model import API_VERSIONS
from connectors.azure_key_vault.reading.public_key import as_pem
from connectors.errors import Forbidden, HostNotAllowed
from iclients.answers import Answer
from iclients.secret import Secret

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


def everything(act: Act) -> None:
    """One call of many kinds."""
    act("create_secret", secretName="db", value="v")
    act("get_secret", secretName="db")
    act("list_secrets")
    act("list_secret_versions", secretName="db")
    act("create_key", keyName="k", keyType="RSA")
    act("encrypt", keyName="k", algorithm="RSA-OAEP", rawData="v")
    act("create_certificate", certificateName="c", policy=SELF)
    act("delete_secret", secretName="db")
    act("list_deleted_secrets")


# --- addresses ---


def test_every_call_names_an_api_version_that_there_is(lab: Lab, act: Act, recorder: Recorder) -> None:
    """Trap 22: there is no default."""
    everything(act)
    assert {one.query["api-version"] for one in to_vault(lab, recorder)} == {API_VERSIONS[-1]}


def test_the_latest_version_is_found_out_and_named(lab: Lab, act: Act, recorder: Recorder, vault: Any) -> None:
    """Traps 21 and 50: no address of ours has an empty segment, which gateways redirect or refuse."""
    everything(act)
    act("update_key", keyName="k", tags={"a": "b"})
    vault.put("other", "v")
    act("update_secret", secretName="other", tags={"a": "b"})
    paths = [one.path for one in to_vault(lab, recorder)]
    assert [path for path in paths if "//" in path or path.endswith("/")] == []
    used = [path for path in paths if path.endswith("/encrypt")]
    assert used == [f"/keys/k/{vault.keys['k'].latest.id}/encrypt"]
    changed = [one.path for one in to_vault(lab, recorder) if one.method == "PATCH"]
    assert all(re.fullmatch(r"/\w+/[\w-]+/[0-9a-f]{32}", path) for path in changed)


def test_links_are_followed_as_they_are_over_empty_pages_to_the_end(lab: Lab, recorder: Recorder, vault: Any) -> None:
    """Traps 25 and 43: what stands in a link, `:443` and parameters that we do not know, stays in it."""
    for number in range(120):
        vault.put(f"s{number:03}", "v")
    found = [one.key for page in lab.source(values=False).pages(None) for one in page.records]
    assert found == [f"s{number:03}" for number in range(120)]
    pages = [one for one in to_vault(lab, recorder) if one.path == "/secrets"]
    documents = [json.loads(one.answer.body) for one in pages]
    assert [] in [document["value"] for document in documents]
    assert [one.url for one in pages[1:]] == [document["nextLink"] for document in documents[:-1]]
    assert documents[-1]["nextLink"] is None


def test_no_more_than_25_are_asked_for_at_once_whatever_is_wanted(
    lab: Lab, act: Act, recorder: Recorder, vault: Any
) -> None:
    """Trap 26: the vault refuses 26; an action gives as many as it was asked for all the same."""
    for number in range(60):
        vault.put(f"s{number:02}", "v")
    assert len(act("list_secrets", top=55)["items"]) == 55
    sizes = {int(one.query["maxresults"]) for one in to_vault(lab, recorder) if "maxresults" in one.query}
    assert max(sizes) <= 25


def test_ids_may_name_another_host_and_links_may_not_lead_to_one(lab: Lab, recorder: Recorder, vault: Any) -> None:
    """Trap 46: name and version are read from the path alone, and we stay where the connection points."""
    item = {"id": f"https://gateway.test:444/secrets/db/{VERSION}", "attributes": {"enabled": True}}
    found = performed("get_secret", {**item, "value": "v"}, secretName="db")
    assert (found["name"], found["version"], found["value"]) == ("db", VERSION, "v")
    for host in ("https://gateway.test:444", lab.sandbox.vault_url("fabrikam")):  # a vault of ours is another host, too
        elsewhere = {"value": [], "nextLink": f"{host}/secrets?api-version=7.4&$skiptoken=x"}
        recorder.instead = [Answer(200, {}, json.dumps(elsewhere).encode())]
        with pytest.raises(HostNotAllowed):
            list(lab.source(values=False).pages(None))
        assert not any(one.url.startswith(host) for one in recorder.sent)


# --- what answers say ---


def test_lists_name_no_version_and_lists_of_versions_do(act: Act, vault: Any) -> None:
    """Trap 24."""
    version = vault.put("db", "v").id
    (item,) = act("list_secrets")["items"]
    assert (item["name"], "version" in item) == ("db", False)
    (item,) = act("list_secret_versions", secretName="db")["items"]
    assert (item["name"], item["version"]) == ("db", version)


def test_no_answer_but_that_of_getting_a_secret_shows_a_value() -> None:
    """Traps 23 and 45: not even where a vault says more than it should."""
    leaky = {
        "id": f"{AT.url}/secrets/db/{VERSION}",
        "value": "leaked",
        "recoveryId": f"{AT.url}/deletedsecrets/db",
        "attributes": {"enabled": True},
    }
    assert "leaked" not in str(performed("create_secret", leaky, secretName="db", value=Secret("v")))
    assert "leaked" not in str(performed("delete_secret", leaky, secretName="db"))
    assert "leaked" not in str(performed("list_secrets", {"value": [leaky]}))
    told = {
        "id": f"{AT.url}/certificates/issuers/x",
        "provider": "Test",
        "credentials": {"account_id": "a", "pwd": "leaked"},
    }
    assert "leaked" not in str(performed("get_certificate_issuer", told, issuerName="x"))


def test_bytes_are_base64url_where_the_vault_wants_it_and_base64_where_it_does_not(
    lab: Lab, act: Act, recorder: Recorder
) -> None:
    """Trap 27: cryptography without padding and of the other alphabet, certificates in the ordinary one."""
    act("create_key", keyName="k", keyType="RSA")
    raw = bytes(range(190))
    given = act("encrypt", keyName="k", algorithm="RSA-OAEP-256", rawData=encoded(raw), rawDataEncoding="base64url")
    (sent,) = [one.json["value"] for one in to_vault(lab, recorder) if one.path.endswith("/encrypt")]
    assert sent == base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert not set("+/=") & set(given["encryptedData"])
    made = act("create_certificate", certificateName="c", policy=SELF)
    der = base64.b64decode(made["cer"], validate=True)
    found = x509.load_der_x509_certificate(der)
    assert made["thumbprint"] == found.fingerprint(hashes.SHA1()).hex().upper()


def test_a_signature_on_a_curve_is_two_numbers_side_by_side(act: Act, vault: Any) -> None:
    """Trap 28: no DER, and what is signed is a digest, as it is."""
    act("create_key", keyName="k", keyType="EC", curve="P-256")
    given = decoded(act("sign", keyName="k", algorithm="ES256", digest=encoded(b"d" * 32))["signature"])
    assert len(given) == 64
    der = utils.encode_dss_signature(int.from_bytes(given[:32]), int.from_bytes(given[32:]))
    public = vault.keys["k"].latest.private.public_key()
    public.verify(der, b"d" * 32, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    assert act("verify", keyName="k", algorithm="ES256", digest=encoded(b"d" * 32), signature=encoded(given))["isValid"]


@pytest.mark.parametrize(("algorithm", "kind"), [("RSA-OAEP", hashes.SHA1()), ("RSA-OAEP-256", hashes.SHA256())])
def test_an_algorithm_is_passed_on_by_its_name(act: Act, vault: Any, algorithm: str, kind: Any) -> None:
    """Trap 29: RSA-OAEP is SHA-1; what others encrypt so is decrypted."""
    act("create_key", keyName="k", keyType="RSA")
    pad = padding.OAEP(padding.MGF1(kind), kind, None)
    data = vault.keys["k"].latest.private.public_key().encrypt(b"v", pad)
    assert act("decrypt", keyName="k", algorithm=algorithm, encryptedData=encoded(data))["rawData"] == "v"


def test_wrapping_is_spelt_as_each_place_wants_it(lab: Lab, act: Act, recorder: Recorder, vault: Any) -> None:
    """Trap 30: lower case in the address, camelCase among a key's operations and in permissions."""
    act("create_key", keyName="k", keyType="RSA", allowedOperations="wrapKey, unwrapKey")
    act("wrap_key", keyName="k", algorithm="RSA-OAEP", key=encoded(b"k" * 32))
    assert any(one.path.endswith("/wrapkey") for one in to_vault(lab, recorder))
    assert vault.keys["k"].latest.operations == ("wrapKey", "unwrapKey")
    vault.rbac = False
    vault.deny("keys/wrapKey")
    with pytest.raises(Forbidden, match="permission WrapKey"):
        act("wrap_key", keyName="k", algorithm="RSA-OAEP", key=encoded(b"k" * 32))


def test_coordinates_may_lack_their_leading_zeros() -> None:
    """Trap 44: half of all numbers of P-521 need one."""
    private = next(
        key
        for key in (ec.derive_private_key(number, ec.SECP256R1()) for number in range(1, 2000))
        if key.public_key().public_numbers().x.bit_length() <= 248
    )
    numbers = private.public_key().public_numbers()
    short = encoded(numbers.x.to_bytes(31)), encoded(numbers.y.to_bytes(32))
    pem = as_pem({"kty": "EC", "crv": "P-256", "x": short[0], "y": short[1]})
    assert pem is not None
    read = load_pem_public_key(pem.encode())
    assert isinstance(read, ec.EllipticCurvePublicKey)
    assert read.public_numbers() == numbers
