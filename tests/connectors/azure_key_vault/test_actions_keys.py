"""Actions on keys, against the sandbox: what we encrypt others decrypt, what others sign we verify, and the reverse."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from acting import Act, acting, rbac_words
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from vault_lab import Lab

from connectors.actions import decoded, encoded
from connectors.errors import BadInput, Conflict, Forbidden, NotFound
from iclients.errors import AnswerLost
from iclients.secret import Secret

VERSION = "0123456789abcdef0123456789abcdef"
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512(), "56K": hashes.SHA256()}
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"}
PADDINGS = {
    "RSA-OAEP": padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),
    "RSA-OAEP-256": padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
    "RSA1_5": padding.PKCS1v15(),
}


@pytest.fixture
def act(lab: Lab) -> Act:
    return acting(lab)


@pytest.fixture
def vault(lab: Lab) -> Any:
    return lab.sandbox.vault("contoso")


@pytest.fixture
def key(act: Act) -> dict[str, Any]:
    return act("create_key", keyName="k", keyType="RSA")


def private(vault: Any, name: str = "k") -> Any:
    """The key itself, out of the sandbox."""
    return vault.keys[name].latest.private


# --- encrypt and decrypt ---


@pytest.mark.parametrize("algorithm", PADDINGS)
@pytest.mark.parametrize("text", ["", "pa55", "Ünï ☂", "x" * 190])
def test_what_is_encrypted_the_key_decrypts(
    act: Act, vault: Any, key: dict[str, Any], algorithm: str, text: str
) -> None:
    given = act("encrypt", keyName="k", algorithm=algorithm, rawData=text)
    assert private(vault).decrypt(decoded(given["encryptedData"]), PADDINGS[algorithm]) == text.encode()
    assert (given["name"], given["version"]) == ("k", key["version"])
    back = act("decrypt", keyName="k", algorithm=algorithm, encryptedData=given["encryptedData"])
    assert (back["rawData"], back["rawDataEncoding"]) == (text, "utf-8")


@pytest.mark.parametrize("algorithm", PADDINGS)
def test_what_others_encrypt_is_decrypted(act: Act, vault: Any, key: dict[str, Any], algorithm: str) -> None:
    theirs = private(vault).public_key().encrypt(b"their text", PADDINGS[algorithm])
    standard = base64.b64encode(theirs).decode()  # padded, with + and /
    assert act("decrypt", keyName="k", algorithm=algorithm, encryptedData=standard)["rawData"] == "their text"


def test_bytes_that_are_no_text_come_and_go_as_base64url(act: Act, vault: Any, key: dict[str, Any]) -> None:
    data = bytes(range(128, 255))
    theirs = private(vault).public_key().encrypt(data, PADDINGS["RSA-OAEP-256"])
    back = act("decrypt", keyName="k", algorithm="RSA-OAEP-256", encryptedData=encoded(theirs))
    assert (back["rawData"], back["rawDataEncoding"]) == (encoded(data), "base64url")
    again = act(
        "encrypt",
        keyName="k",
        algorithm="RSA-OAEP-256",
        rawData=back["rawData"],
        rawDataEncoding=back["rawDataEncoding"],
    )
    assert private(vault).decrypt(decoded(again["encryptedData"]), PADDINGS["RSA-OAEP-256"]) == data


def test_the_raw_data_travels_in_a_secret(lab: Lab, act: Act, key: dict[str, Any]) -> None:
    data = act("encrypt", keyName="k", algorithm="RSA-OAEP", rawData="pa55word")["encryptedData"]
    given = lab.connect().act("decrypt", {"keyName": "k", "algorithm": "RSA-OAEP", "encryptedData": data})
    assert given["rawData"] == Secret("pa55word")
    assert "pa55word" not in repr(given)


def test_the_latest_version_is_found_by_us(act: Act, vault: Any, key: dict[str, Any]) -> None:
    """Services in between stumble over an empty version (trap 50): every use names one."""
    newer = act("rotate_key", keyName="k")
    given = act("encrypt", keyName="k", algorithm="RSA-OAEP", rawData="v")
    assert given["version"] == newer["version"] != key["version"]
    older = act("encrypt_with_version", keyName="k", keyVersion=key["version"], algorithm="RSA-OAEP", rawData="v")
    assert older["version"] == key["version"]
    back = act("decrypt_with_version", keyName="k", keyVersion=key["version"], algorithm="RSA-OAEP",
               encryptedData=older["encryptedData"])  # fmt: skip
    assert back["rawData"] == "v"


def test_with_a_version_the_key_need_not_be_read(act: Act, vault: Any, key: dict[str, Any]) -> None:
    vault.deny("keys/get")
    act("encrypt_with_version", keyName="k", keyVersion=key["version"], algorithm="RSA-OAEP", rawData="v")
    with pytest.raises(
        Forbidden, match=r"may not get keys .* Key Vault Reader .* with keyVersion, encrypt does without"
    ):
        act("encrypt", keyName="k", algorithm="RSA-OAEP", rawData="v")


def test_another_key_is_wrapped_and_unwrapped(act: Act, vault: Any, key: dict[str, Any]) -> None:
    inner = bytes(range(200, 232))
    given = act("wrap_key", keyName="k", algorithm="RSA-OAEP-256", key=encoded(inner))
    assert private(vault).decrypt(decoded(given["wrappedKey"]), PADDINGS["RSA-OAEP-256"]) == inner
    back = act("unwrap_key", keyName="k", algorithm="RSA-OAEP-256", wrappedKey=given["wrappedKey"])
    assert decoded(back["key"]) == inner


# --- sign and verify ---


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_a_signature_by_rsa_is_right_for_others_and_for_us(
    act: Act, vault: Any, key: dict[str, Any], algorithm: str
) -> None:
    kind = HASHES[algorithm[-3:]]
    digest = hashlib.new(kind.name, b"text").digest()
    given = act("sign", keyName="k", algorithm=algorithm, digest=encoded(digest))
    pad = padding.PKCS1v15() if algorithm[0] == "R" else padding.PSS(padding.MGF1(kind), kind.digest_size)
    private(vault).public_key().verify(decoded(given["signature"]), digest, pad, utils.Prehashed(kind))
    checked = {"keyName": "k", "algorithm": algorithm, "digest": encoded(digest)}
    assert act("verify", **checked, signature=given["signature"])["isValid"] is True
    assert act("verify", **checked, signature=encoded(bytes(256)))["isValid"] is False


@pytest.mark.parametrize("algorithm", CURVES)
def test_a_signature_by_a_curve_is_right_for_others_and_for_us(act: Act, vault: Any, algorithm: str) -> None:
    made = act("create_key", keyName="k", keyType="EC", curve=CURVES[algorithm])
    kind = HASHES[algorithm[-3:]]
    digest = hashlib.new(kind.name, b"text").digest()
    given = act("sign", keyName="k", algorithm=algorithm, digest=encoded(digest))
    raw = decoded(given["signature"])
    half = len(raw) // 2
    der = utils.encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))
    private(vault).public_key().verify(der, digest, ec.ECDSA(utils.Prehashed(kind)))
    checked = act("verify", keyName="k", keyVersion=made["version"], algorithm=algorithm, digest=encoded(digest),
                  signature=given["signature"])  # fmt: skip
    assert checked == {"isValid": True, "name": "k", "version": made["version"]}


# --- what the vault says of a key ---


def test_a_key_is_described_with_its_public_half_only(act: Act, vault: Any) -> None:
    made = act("create_key", keyName="k", keyType="RSA", keySize="3072", allowedOperations="sign, verify",
               enabled="true", validityEndTime="2030-01-01T00:00:00Z", tags={"a": "b"})  # fmt: skip
    assert (made["keyType"], made["allowedOperations"], made["tags"]) == ("RSA", ["sign", "verify"], {"a": "b"})
    assert (made["validityEndTime"], made["isEnabled"], made["isManaged"]) == ("2030-01-01T00:00:00Z", True, False)
    assert set(made["publicKey"]) == {"kty", "n", "e"}
    assert int.from_bytes(decoded(made["publicKey"]["n"])) == private(vault).public_key().public_numbers().n
    assert act("get_key_metadata", keyName="K") == made
    assert act("get_key_version_metadata", keyName="k", keyVersion=made["version"]) == made


def test_keys_and_versions_are_listed_over_all_pages(act: Act, vault: Any) -> None:
    for number in range(30):
        act("create_key", keyName=f"k{number:02}", keyType="EC")
    found = act("list_keys")["items"]
    assert [item["name"] for item in found] == [f"k{number:02}" for number in range(30)]
    assert "version" not in found[0]
    assert len(act("list_keys", top=26)["items"]) == 26
    versions = {act("rotate_key", keyName="k00")["version"] for _ in range(30)}
    found = act("list_key_versions", keyName="k00")["items"]
    assert versions < {item["version"] for item in found}
    assert len(found) == 31


# --- their life ---


def test_a_key_is_imported_with_its_private_half_and_never_shown(lab: Lab, act: Act, vault: Any) -> None:
    theirs = rsa.generate_private_key(65537, 2048)
    numbers = theirs.private_numbers()
    wire = {"n": numbers.public_numbers.n, "e": 65537, "d": numbers.d, "p": numbers.p, "q": numbers.q,
            "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}  # fmt: skip
    jwk = {"kty": "RSA", **{name: _number(value) for name, value in wire.items()}}
    made = act("import_key", keyName="k", jsonWebKey=json.dumps(jwk), allowedOperations=["decrypt"])
    assert (made["allowedOperations"], set(made["publicKey"])) == (["decrypt"], {"kty", "n", "e"})
    data = theirs.public_key().encrypt(b"v", PADDINGS["RSA-OAEP"])
    assert act("decrypt", keyName="k", algorithm="RSA-OAEP", encryptedData=encoded(data))["rawData"] == "v"
    lab.sandbox.faults.add(400, host="contoso", method="PUT")
    with pytest.raises(Exception, match="HTTP 400") as refused:
        act("import_key", keyName="k", jsonWebKey=jwk)
    assert jwk["d"] not in str(refused.value)


def test_attributes_of_the_latest_version_are_updated(act: Act, vault: Any, key: dict[str, Any]) -> None:
    changed = act("update_key", keyName="k", allowedOperations="sign", enabled=False)
    assert (changed["allowedOperations"], changed["isEnabled"], changed["version"]) == (["sign"], False, key["version"])
    assert act("update_key", keyName="k", enabled=True)["isEnabled"] is True  # a disabled one is found, too


def test_a_rotation_policy_is_read_and_replaced(act: Act, key: dict[str, Any]) -> None:
    policy = {
        "lifetimeActions": [{"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}}],
        "attributes": {"expiryTime": "P1Y"},
    }
    given = act("set_key_rotation_policy", keyName="k", rotationPolicy=json.dumps(policy))["rotationPolicy"]
    assert given["attributes"]["expiryTime"] == "P1Y"
    assert act("get_key_rotation_policy", keyName="k")["rotationPolicy"] == given


def test_a_key_is_deleted_recovered_purged_backed_up_and_restored(lab: Lab, act: Act, vault: Any) -> None:
    made = act("create_key", keyName="k", keyType="EC")
    backup = act("backup_key", keyName="k")["backup"]
    vault.settle_seconds = 5.0
    assert act("delete_key", keyName="k")["isSettled"] is True
    assert [item["name"] for item in act("list_deleted_keys")["items"]] == ["k"]
    assert act("recover_key", keyName="k")["isSettled"] is True
    assert act("get_key_metadata", keyName="k")["version"] == made["version"]
    act("delete_key", keyName="k")
    assert act("purge_key", keyName="k")["isSettled"] is True
    lab.settle()
    assert act("restore_key", backup=backup)["publicKey"] == made["publicKey"]
    assert acting(lab, "fabrikam")("restore_key", backup=backup)["name"] == "k"


@pytest.mark.parametrize(("action_id", "inputs"), [("create_key", {"keyType": "EC"}), ("rotate_key", {})])
def test_what_makes_a_version_is_not_repeated_when_the_answer_is_lost(
    lab: Lab, act: Act, vault: Any, action_id: str, inputs: dict[str, Any]
) -> None:
    act("create_key", keyName="k", keyType="EC")
    lab.sandbox.faults.add("lost", host="contoso", method="POST")
    with pytest.raises(AnswerLost, match="Look at key k before it is done again"):
        act(action_id, keyName="k", **inputs)
    assert len(vault.keys["k"].versions) == 2


def test_what_changes_nothing_is_asked_again(lab: Lab, act: Act, key: dict[str, Any]) -> None:
    lab.sandbox.faults.add("lost", host="contoso", method="POST", path="/encrypt")
    assert act("encrypt", keyName="k", algorithm="RSA-OAEP", rawData="v")["encryptedData"]


# --- refusals ---


def test_what_a_key_does_not_do_is_told(lab: Lab, act: Act, key: dict[str, Any]) -> None:
    act("update_key", keyName="k", allowedOperations="sign", validityEndTime=int(lab.clock.now()) + 10)
    with pytest.raises(Forbidden, match="does not allow to decrypt") as refused:
        act("decrypt", keyName="k", algorithm="RSA-OAEP", encryptedData=encoded(bytes(256)))
    assert refused.value.code == "operation_forbidden"
    lab.settle()
    with pytest.raises(Forbidden, match="has expired") as refused:
        act("sign", keyName="k", algorithm="RS256", digest=encoded(bytes(32)))
    assert refused.value.code == "key_not_valid"
    act("update_key", keyName="k", enabled=False)
    with pytest.raises(Forbidden, match="is disabled") as refused:
        act("get_key_metadata", keyName="k")
    assert refused.value.code == "key_disabled"


def test_what_is_not_there_and_what_is_deleted_is_told(act: Act, key: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match="nothing is not in"):
        act("get_key_metadata", keyName="nothing")
    with pytest.raises(NotFound, match="k is not in"):
        act("get_key_version_metadata", keyName="k", keyVersion=VERSION)
    act("delete_key", keyName="k")
    with pytest.raises(Conflict, match="recover or purge it"):
        act("create_key", keyName="k", keyType="RSA")


@pytest.mark.parametrize(
    ("action_id", "inputs", "sentence"),
    [
        ("encrypt", {"algorithm": "ROT13", "rawData": "secret-text"}, "algorithm is none of: RSA-OAEP-256, RSA-OAEP"),
        ("encrypt", {"algorithm": "RSA-OAEP"}, "encrypt needs rawData"),
        ("encrypt", {"algorithm": "RSA-OAEP", "rawData": "secret-text!", "rawDataEncoding": "base64url"}, "rawData is not base64url"),
        ("decrypt", {"algorithm": "RSA-OAEP", "encryptedData": "no!"}, "encryptedData is not base64"),
        ("encrypt_with_version", {"algorithm": "RSA-OAEP", "rawData": "x"}, "needs keyVersion"),
        ("sign", {"algorithm": "RS512", "digest": encoded(bytes(32))}, "digest has 32 bytes; RS512 signs digests of 64"),
        ("create_key", {"keyType": "oct"}, "keyType is none of"),
        ("create_key", {"keyType": "RSA", "keySize": 1024}, "keySize is for RSA keys, and 2048"),
        ("create_key", {"keyType": "EC", "keySize": 2048}, "keySize is for RSA keys"),
        ("create_key", {"keyType": "RSA", "curve": "P-256"}, "curve is for EC keys"),
        ("import_key", {"jsonWebKey": {"kty": "RSA", "n": "x"}}, "jsonWebKey is no JSON Web Key with its private"),
        ("import_key", {"jsonWebKey": "[1]"}, "jsonWebKey is no JSON Web Key"),
        ("set_key_rotation_policy", {"rotationPolicy": "[]"}, "rotationPolicy is not a JSON object"),
        ("update_key", {}, "Nothing to update is named"),
    ],
)  # fmt: skip
def test_inputs_are_checked_before_any_call(
    act: Act, vault: Any, action_id: str, inputs: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence) as refused:
        act(action_id, keyName="k", **inputs)
    assert "secret-text" not in str(refused.value)
    assert not vault.calls


@pytest.mark.parametrize(
    ("action_id", "inputs", "word", "role"),
    [
        ("encrypt", {"algorithm": "RSA-OAEP", "rawData": "v"}, "encrypt", "Key Vault Crypto User"),
        ("wrap_key", {"algorithm": "RSA-OAEP", "key": "AAAA"}, "wrapKey", "Key Vault Crypto Service Encryption User"),
        ("sign", {"algorithm": "RS256", "digest": encoded(bytes(32))}, "sign", "Key Vault Crypto User"),
        ("list_key_versions", {}, "list", "Key Vault Reader"),
        ("rotate_key", {}, "rotate", "Key Vault Crypto Officer"),
        ("update_key", {"enabled": True}, "update", "Key Vault Crypto User"),
        ("get_key_rotation_policy", {}, "getrotationpolicy", "Key Vault Reader"),
    ],
)
@pytest.mark.parametrize("rbac", [True, False])
def test_a_missing_right_is_told_with_role_or_permission(
    act: Act, vault: Any, key: dict[str, Any], action_id: str, inputs: dict[str, Any], word: str, role: str, rbac: bool
) -> None:
    vault.deny(f"keys/{word}")
    vault.rbac = rbac
    shown = word[:1].upper() + word[1:]
    with pytest.raises(Forbidden, match=rbac_words("keys", word, role) if rbac else f"add the key permission {shown}"):
        act(action_id, keyName="k", **inputs)


def _number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8))
