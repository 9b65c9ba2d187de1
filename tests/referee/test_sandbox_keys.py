"""Microsoft's SDK judges the sandbox's keys: their life, and every algorithm of software keys, done here and checked there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.keys import (
    ApiVersion,
    JsonWebKey,
    KeyClient,
    KeyOperation,
    KeyRotationLifetimeAction,
    KeyRotationPolicy,
    KeyRotationPolicyAction,
)
from azure.keyvault.keys.crypto import (
    CryptographyClient,
    EncryptionAlgorithm,
    KeyWrapAlgorithm,
    SignatureAlgorithm,
)
from cryptography.hazmat.primitives.asymmetric import ec, rsa

pytestmark = pytest.mark.referee

HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512, "256K": hashlib.sha256}
RSA_SIGNATURES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"}


@pytest.fixture
def vault(sandbox: Any) -> Any:
    return sandbox.vault("contoso")


@pytest.fixture
def credential(sandbox: Any, at_sandbox: dict[str, Any], opened: Callable[[Any], Any]) -> ClientSecretCredential:
    return opened(ClientSecretCredential(sandbox.tenant, sandbox.client_id, sandbox.client_secret, **at_sandbox))


@pytest.fixture
def options(sandbox: Any) -> dict[str, Any]:
    return {"verify_challenge_resource": False, "connection_verify": str(sandbox.ca_file)}


@pytest.fixture
def keys_of(sandbox: Any, credential: Any, options: Any, opened: Any) -> Callable[..., KeyClient]:
    return lambda name="contoso", **more: opened(KeyClient(sandbox.vault_url(name), credential, **options, **more))


@pytest.fixture
def keys(keys_of: Callable[..., KeyClient]) -> KeyClient:
    return keys_of()


@pytest.fixture
def crypto(credential: Any, options: Any, opened: Any) -> Callable[..., CryptographyClient]:
    return lambda key, **more: opened(CryptographyClient(key, credential, **options, **more))


@pytest.fixture
def remote(vault: Any, crypto: Any) -> Callable[..., CryptographyClient]:
    """A client that may not read the key, so that it asks the vault for every operation."""

    def make(key: Any) -> CryptographyClient:
        vault.deny("keys/get")
        return crypto(key.id)

    return make


def delete(keys: KeyClient, name: str) -> Any:
    poller = keys.begin_delete_key(name, _polling_interval=0.01)
    poller.wait()
    return poller.result()


@pytest.mark.parametrize("size", [2048, 3072, 4096])
def test_an_rsa_key_is_made_of_the_asked_size(keys, size):
    made = keys.create_rsa_key("k", size=size)
    assert made.key_type == "RSA"
    assert int.from_bytes(made.key.n).bit_length() == size
    assert made.key.e == b"\x01\x00\x01"
    assert {str(one) for one in made.key_operations} == {
        "encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"
    }  # fmt: skip
    assert made.key.d is None


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521", "P-256K"])
def test_a_key_is_made_on_each_curve(keys, curve):
    made = keys.create_ec_key("k", curve=curve)
    assert (made.key_type, made.key.crv) == ("EC", curve)
    assert [str(one) for one in made.key_operations] == ["sign", "verify"]


def test_a_key_for_hardware_is_told_apart(keys):
    made = keys.create_rsa_key("k", hardware_protected=True)
    assert (made.key_type, made.properties.hsm_platform) == ("RSA-HSM", "1")
    assert keys.create_ec_key("e", hardware_protected=True).key_type == "EC-HSM"


def test_symmetric_keys_are_refused_in_a_vault(keys):
    with pytest.raises(HttpResponseError, match="managed HSM"):
        keys.create_oct_key("k", size=256)


def test_random_bytes_are_refused_in_a_vault(keys):
    with pytest.raises(HttpResponseError, match="managed HSM"):
        keys.get_random_bytes(16)


def test_properties_are_kept_and_changed(keys):
    until = datetime(2031, 5, 4, tzinfo=UTC)
    made = keys.create_rsa_key(
        "Name", enabled=True, tags={"a": "b"}, expires_on=until, key_operations=[KeyOperation.sign]
    )
    changed = keys.update_key_properties(
        "name", made.properties.version, tags={"c": "d"}, key_operations=[KeyOperation.verify], enabled=False
    )
    assert (changed.properties.tags, changed.properties.enabled) == ({"c": "d"}, False)
    assert [str(one) for one in changed.key_operations] == ["verify"]
    assert changed.properties.expires_on == until
    assert (changed.properties.recoverable_days, changed.properties.recovery_level) == (90, "Recoverable+Purgeable")
    with pytest.raises(HttpResponseError, match="disabled key"):
        keys.get_key("Name")


def test_versions_are_kept_and_listed_without_material(keys):
    first, second = keys.create_rsa_key("k"), keys.create_rsa_key("k")
    assert keys.get_key("k").properties.version == second.properties.version
    assert keys.get_key("k", first.properties.version).key.n == first.key.n
    versions = [*keys.list_properties_of_key_versions("k")]
    assert {one.version for one in versions} == {first.properties.version, second.properties.version}
    assert [one.name for one in keys.list_properties_of_keys()] == ["k"]


def test_sixty_keys_come_in_pages(keys, vault):
    for number in range(60):
        keys.create_ec_key(f"k{number:02}")
    assert [one.name for one in keys.list_properties_of_keys()] == [f"k{number:02}" for number in range(60)]
    assert vault.calls["key_list"] > 2


@pytest.mark.parametrize("settle_seconds", [0.0, 0.05])
def test_a_key_is_deleted_recovered_and_purged(keys, vault, settle_seconds):
    vault.settle_seconds = settle_seconds
    keys.create_ec_key("k")
    gone = delete(keys, "k")
    assert gone.recovery_id.endswith("/deletedkeys/k")
    assert (gone.scheduled_purge_date - gone.deleted_date).days == 90
    assert keys.get_deleted_key("k").name == "k"
    assert [one.name for one in keys.list_deleted_keys()] == ["k"]
    with pytest.raises(ResourceExistsError):
        keys.create_ec_key("k")
    keys.begin_recover_deleted_key("k", _polling_interval=0.01).wait()
    assert keys.get_key("k").name == "k"
    delete(keys, "k")
    keys.purge_deleted_key("k")
    with pytest.raises(ResourceNotFoundError):
        keys.get_deleted_key("k")


def test_purge_protection_holds(keys, vault):
    vault.purge_protection = True
    keys.create_ec_key("k")
    delete(keys, "k")
    with pytest.raises(HttpResponseError, match="purge protection"):
        keys.purge_deleted_key("k")


def test_a_backup_is_restored_elsewhere_with_what_it_can_do(keys, keys_of, crypto):
    made = keys.create_rsa_key("k")
    digest = hashlib.sha256(b"text").digest()
    signature = crypto(made).sign("RS256", digest).signature
    other = keys_of("fabrikam")
    restored = other.restore_key_backup(keys.backup_key("k"))
    assert (restored.name, restored.properties.version, restored.key.n) == ("k", made.properties.version, made.key.n)
    assert crypto(restored).verify("RS256", digest, signature).is_valid
    with pytest.raises(ResourceExistsError):
        other.restore_key_backup(keys.backup_key("k"))


def test_a_secrets_backup_is_no_keys(keys, client):
    client.set_secret("s", "1")
    with pytest.raises(HttpResponseError, match="not that of a key"):
        keys.restore_key_backup(client.backup_secret("s"))
    keys.create_ec_key("k")
    with pytest.raises(HttpResponseError, match="not that of a secret"):
        client.restore_secret_backup(keys.backup_key("k"))


def number(value: int, size: int = 0) -> bytes:
    return value.to_bytes(size or (value.bit_length() + 7) // 8)


def test_an_rsa_key_is_imported(keys, crypto):
    private = rsa.generate_private_key(65537, 2048)
    told = private.private_numbers()
    jwk = JsonWebKey(
        kty="RSA",
        key_ops=["sign", "verify", "decrypt"],
        n=number(told.public_numbers.n),
        e=number(told.public_numbers.e),
        d=number(told.d),
        p=number(told.p),
        q=number(told.q),
        dp=number(told.dmp1),
        dq=number(told.dmq1),
        qi=number(told.iqmp),
    )
    made = keys.import_key("k", jwk, tags={"from": "afar"})
    assert made.key.n == number(told.public_numbers.n)
    assert [str(one) for one in made.key_operations] == ["sign", "verify", "decrypt"]
    assert made.properties.tags == {"from": "afar"}
    digest = hashlib.sha256(b"text").digest()
    assert crypto(made).verify("PS256", digest, crypto(made).sign("PS256", digest).signature).is_valid


@pytest.mark.parametrize(("curve", "made_on"), [("P-256", ec.SECP256R1()), ("P-521", ec.SECP521R1())])
def test_a_key_on_a_curve_is_imported(keys, curve, made_on):
    told = ec.generate_private_key(made_on).private_numbers()
    size = (made_on.key_size + 7) // 8
    point = told.public_numbers
    jwk = JsonWebKey(
        kty="EC", crv=curve, x=number(point.x, size), y=number(point.y, size), d=number(told.private_value, size)
    )
    assert keys.import_key("k", jwk).key.x == number(point.x, size)


def test_half_a_key_is_not_imported(keys):
    with pytest.raises(HttpResponseError, match="Property key has invalid value"):
        keys.import_key("k", JsonWebKey(kty="RSA", n=b"1", e=b"3"))


@pytest.mark.parametrize("algorithm", ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5"])
def test_what_is_encrypted_here_is_decrypted_there_and_the_other_way_round(keys, crypto, remote, algorithm):
    key = keys.create_rsa_key("k")
    here, there = crypto(key), remote(key)
    by_us = here.encrypt(EncryptionAlgorithm(algorithm), b"a text").ciphertext
    by_vault = there.encrypt(EncryptionAlgorithm(algorithm), b"a text")
    assert by_vault.key_id == key.id
    for ciphertext in (by_us, by_vault.ciphertext):
        assert there.decrypt(EncryptionAlgorithm(algorithm), ciphertext).plaintext == b"a text"


@pytest.mark.parametrize("algorithm", ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5"])
def test_a_key_is_wrapped_and_unwrapped(keys, crypto, remote, algorithm):
    key = keys.create_rsa_key("k")
    here, there = crypto(key), remote(key)
    for wrapped in (
        here.wrap_key(KeyWrapAlgorithm(algorithm), b"k" * 32).encrypted_key,
        there.wrap_key(KeyWrapAlgorithm(algorithm), b"k" * 32).encrypted_key,
    ):
        assert there.unwrap_key(KeyWrapAlgorithm(algorithm), wrapped).key == b"k" * 32


@pytest.mark.parametrize("algorithm", RSA_SIGNATURES)
def test_an_rsa_signature_of_the_vault_is_verified_here_and_there(keys, crypto, remote, algorithm):
    key = keys.create_rsa_key("k")
    here, digest = crypto(key), HASHES[algorithm[2:]](b"text").digest()
    signature = here.sign(SignatureAlgorithm(algorithm), digest).signature
    assert here.verify(SignatureAlgorithm(algorithm), digest, signature).is_valid
    there, other = remote(key), HASHES[algorithm[2:]](b"other").digest()
    assert there.verify(SignatureAlgorithm(algorithm), digest, signature).is_valid
    assert not there.verify(SignatureAlgorithm(algorithm), other, signature).is_valid


@pytest.mark.parametrize("algorithm", CURVES)
def test_a_signature_on_a_curve_is_verified_here_and_there(keys, crypto, remote, algorithm):
    key = keys.create_ec_key("k", curve=CURVES[algorithm])
    here, digest = crypto(key), HASHES[algorithm[2:].replace("512", "512")](b"text").digest()
    signature = here.sign(SignatureAlgorithm(algorithm), digest).signature
    assert len(signature) == {"ES256": 64, "ES256K": 64, "ES384": 96, "ES512": 132}[algorithm]
    assert here.verify(SignatureAlgorithm(algorithm), digest, signature).is_valid
    there = remote(key)
    assert there.verify(SignatureAlgorithm(algorithm), digest, signature).is_valid
    assert not there.verify(SignatureAlgorithm(algorithm), digest, signature[:-1] + b"\x00").is_valid
    assert not there.verify(SignatureAlgorithm(algorithm), digest, b"short").is_valid


@pytest.mark.parametrize(
    ("algorithm", "digest"), [("ES256", b"x" * 32), ("RS256", b"x" * 31), ("RS999", b"x" * 32), ("RS384", b"x" * 32)]
)
def test_a_signature_that_does_not_fit_the_key_is_refused(keys, remote, algorithm, digest):
    key = keys.create_rsa_key("k")
    with pytest.raises(HttpResponseError, match="has invalid value"):
        remote(key).sign(algorithm, digest)


def test_what_was_not_encrypted_with_the_key_is_refused(keys, remote):
    key = keys.create_rsa_key("k")
    with pytest.raises(HttpResponseError, match="Property value has invalid value"):
        remote(key).decrypt("RSA-OAEP", b"x" * 256)
    with pytest.raises(HttpResponseError, match="Property value has invalid value"):
        remote(key).encrypt("RSA-OAEP", b"x" * 300)


def test_an_operation_that_the_key_is_not_for_is_refused(keys, crypto, remote):
    key = keys.create_rsa_key("k", key_operations=[KeyOperation.verify])
    with pytest.raises(HttpResponseError, match="Operation sign is not permitted on this key") as refused:
        remote(key).sign("RS256", b"x" * 32)
    assert refused.value.error.innererror["code"] == "KeyOperationForbidden"


def test_an_expired_key_decrypts_and_no_longer_encrypts(keys, remote, sandbox):
    key = keys.create_rsa_key("k", expires_on=datetime.fromtimestamp(sandbox.clock.now() + 60, UTC))
    there = remote(key)
    ciphertext = there.encrypt("RSA-OAEP", b"a text").ciphertext
    sandbox.clock.advance(61)
    assert there.decrypt("RSA-OAEP", ciphertext).plaintext == b"a text"
    with pytest.raises(HttpResponseError, match="expired key"):
        there.encrypt("RSA-OAEP", b"a text")


@pytest.mark.parametrize(
    ("word", "ask"),
    [
        ("create", lambda keys, there: keys.create_ec_key("other")),
        ("list", lambda keys, there: [*keys.list_properties_of_keys()]),
        ("update", lambda keys, there: keys.update_key_properties("k", tags={})),
        ("delete", lambda keys, there: keys.begin_delete_key("k")),
        ("backup", lambda keys, there: keys.backup_key("k")),
        ("sign", lambda keys, there: there.sign("RS256", b"x" * 32)),
        ("wrapKey", lambda keys, there: there.wrap_key("RSA-OAEP", b"x")),
        ("rotate", lambda keys, there: keys.rotate_key("k")),
        ("getrotationpolicy", lambda keys, there: keys.get_key_rotation_policy("k")),
    ],
)
@pytest.mark.parametrize("rbac", [True, False])
def test_a_missing_permission_is_told_by_name(keys, remote, vault, word, ask, rbac):
    there = remote(keys.create_rsa_key("k"))
    vault.rbac = rbac
    vault.deny(f"keys/{word}")
    with pytest.raises(HttpResponseError) as refused:
        ask(keys, there)
    assert refused.value.status_code == 403
    assert refused.value.error.innererror["code"] == ("ForbiddenByRbac" if rbac else "AccessDenied")
    assert ("Microsoft.KeyVault/vaults/key" if rbac else f"keys {word} permission") in str(refused.value)


def test_a_key_is_rotated_by_its_policy(keys, sandbox):
    first = keys.create_rsa_key("k", tags={"a": "b"})
    rotate = KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P90D")
    policy = keys.update_key_rotation_policy("k", KeyRotationPolicy(lifetime_actions=[rotate]), expires_in="P1Y")
    assert (policy.expires_in, policy.lifetime_actions[0].time_after_create) == ("P1Y", "P90D")
    second = keys.rotate_key("k")
    assert second.properties.version != first.properties.version
    assert second.key.n != first.key.n
    assert second.properties.tags == {"a": "b"}
    assert 364 <= (second.properties.expires_on - second.properties.created_on).days <= 366
    assert keys.get_key_rotation_policy("k").updated_on is not None


def test_a_key_has_a_policy_from_the_start(keys):
    keys.create_ec_key("k")
    (action,) = keys.get_key_rotation_policy("k").lifetime_actions
    assert (str(action.action).lower().endswith("notify"), action.time_before_expiry) == (True, "P30D")


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"expires_in": "P20D"}, "expiryTime"),
        ({"expires_in": "a year"}, "expiryTime"),
        ({"lifetime_actions": [KeyRotationLifetimeAction("Rotate", time_after_create="P6D")]}, "timeAfterCreate"),
        ({"lifetime_actions": [KeyRotationLifetimeAction("Explode", time_after_create="P60D")]}, "lifetimeActions"),
        ({"lifetime_actions": [KeyRotationLifetimeAction("Rotate", time_before_expiry="P60D")]}, "timeBeforeExpiry"),
        ({"lifetime_actions": 2 * [KeyRotationLifetimeAction("Rotate", time_after_create="P60D")]}, "lifetimeActions"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(keys, policy, words):
    keys.create_ec_key("k")
    with pytest.raises(HttpResponseError, match=f"Property {words} has invalid value"):
        keys.update_key_rotation_policy("k", KeyRotationPolicy(**policy))


def test_a_missing_key_or_version_is_not_found(keys):
    with pytest.raises(ResourceNotFoundError) as refused:
        keys.get_key("k")
    assert refused.value.error.code == "KeyNotFound"
    keys.create_ec_key("k")
    with pytest.raises(ResourceNotFoundError):
        keys.get_key("k", "0" * 32)


def test_a_key_of_a_certificate_is_not_changed_alone(keys, vault):
    keys.create_rsa_key("k")
    vault.keys["k"].managed = True
    assert keys.get_key("k").properties.managed
    for ask in (
        lambda: keys.create_rsa_key("k"),
        lambda: keys.update_key_properties("k", tags={}),
        lambda: keys.begin_delete_key("k"),
        lambda: keys.rotate_key("k"),
    ):
        with pytest.raises(HttpResponseError) as refused:
            ask()
        assert refused.value.error.innererror["code"] == "KeyManagedByKeyVault"


@pytest.mark.parametrize("version", [*ApiVersion])
def test_every_api_version_of_the_sdk_makes_and_reads_a_key(keys_of, version):
    keys = keys_of(api_version=version)
    keys.create_rsa_key("k")
    assert keys.get_key("k").key_type == "RSA"
