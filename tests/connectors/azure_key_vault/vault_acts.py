"""Every action on a vault once, in an order in which each finds what it needs: what the conformance kit carries out."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from connectors.actions import decoded, encoded
from connectors.testing.subject import Act
from iclients.secret import revealed

Given = Mapping[str, Mapping[str, Any]]
PLANTED = "pl4nted-Qx7v9Zr9"
DIGEST = encoded(bytes(range(32)))
KEY = encoded(bytes(range(16)))
SELF = {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=contoso.test"}, "key_props": {"kty": "EC"}}
UNKNOWN = {**SELF, "issuer": {"name": "Unknown"}}


def vault_acts() -> list[Act]:
    """All of the data plane's."""
    return [*_secrets(), *_keys(), *_certificates()]


def _secrets() -> list[Act]:
    named = {"secretName": "kept-secret"}
    version = {"secretVersion": lambda given: given["create_secret"]["version"]}
    return [
        _act("create_secret", named, value=PLANTED, contentType="text/plain", tags='{"a": "b"}'),
        _act("update_secret", named, version, enabled=True),
        _act("get_secret", named),
        _act("get_secret_version", named, version),
        _act("get_secret_metadata", named),
        _act("get_secret_version_metadata", named, version),
        _act("list_secrets"),
        _act("list_secret_versions", named),
        *_life("secret"),
    ]


def _keys() -> list[Act]:
    named = {"keyName": "kept-key"}
    version = {"keyVersion": lambda given: given["create_key"]["version"]}
    oaep = {"algorithm": "RSA-OAEP-256"}
    cipher = {"encryptedData": lambda given: given["encrypt_with_version"]["encryptedData"]}
    signature = {"signature": lambda given: given["sign"]["signature"]}
    rotation = {"lifetimeActions": [{"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}}]}
    return [
        _act("create_key", named, keyType="RSA"),
        _act("update_key", named, version, enabled=True),
        _act("encrypt", named, oaep, rawData=PLANTED),
        _act("encrypt_with_version", named, version, oaep, rawData=PLANTED),
        _act("decrypt", named, oaep, cipher),
        _act("decrypt_with_version", named, version, oaep, cipher),
        _act("wrap_key", named, oaep, key=KEY),
        _act("unwrap_key", named, oaep, {"wrappedKey": lambda given: given["wrap_key"]["wrappedKey"]}),
        _act("sign", named, algorithm="RS256", digest=DIGEST),
        _act("verify", named, signature, algorithm="RS256", digest=DIGEST),
        _act("get_key_metadata", named),
        _act("get_key_version_metadata", named, version),
        _act("list_keys"),
        _act("list_key_versions", named),
        _act("set_key_rotation_policy", named, rotationPolicy=rotation),
        _act("get_key_rotation_policy", named),
        _act("rotate_key", named),
        _act("import_key", keyName="brought", jsonWebKey=_private_jwk()),
        *_life("key"),
    ]


def _certificates() -> list[Act]:
    named, pending = {"certificateName": "kept-certificate"}, {"certificateName": "pending"}
    version = {"certificateVersion": lambda given: given["create_certificate"]["version"]}
    signed = {"signedCertificates": lambda given: _signed(given["get_certificate_operation"]["csr"])}
    issuer = {"issuerName": "authority"}
    return [
        _act("create_certificate", pending, policy=UNKNOWN),
        _act("get_certificate_operation", pending),
        _act("merge_certificate", pending, signed),
        _act("create_certificate", {"certificateName": "cancelled"}, policy=UNKNOWN),
        _act("cancel_certificate_operation", {"certificateName": "cancelled"}),
        _act("import_certificate", {"certificateName": "web"}, certificate=_pem_with_key()),
        _act("create_certificate", named, policy=SELF),
        _act("update_certificate", named, version, enabled=True),
        _act("get_certificate", named),
        _act("get_certificate_version", named, version),
        _act("list_certificates"),
        _act("list_certificate_versions", named),
        _act("get_certificate_policy", named),
        _act("update_certificate_policy", named, policy=SELF),
        _act("download_certificate", named),
        _act("set_certificate_contacts", contacts=[{"email": "grace@contoso.test"}]),
        _act("get_certificate_contacts"),
        _act("delete_certificate_contacts"),
        _act("set_certificate_issuer", issuer, issuerProvider="DigiCert", accountPassword=PLANTED),
        _act("get_certificate_issuer", issuer),
        _act("list_certificate_issuers"),
        _act("delete_certificate_issuer", issuer),
        *_life("certificate"),
    ]


def _life(noun: str) -> list[Act]:
    """Kept for good, deleted and recovered, deleted and purged, and brought back from its backup."""
    named = {f"{noun}Name": f"kept-{noun}"}
    return [
        _act(f"backup_{noun}", named),
        _act(f"delete_{noun}", named),
        _act(f"list_deleted_{noun}s"),
        _act(f"recover_{noun}", named),
        _act(f"delete_{noun}", named),
        _act(f"purge_{noun}", named),
        _act(f"restore_{noun}", {"backup": lambda given: given[f"backup_{noun}"]["backup"]}),
    ]


def _act(action: str, *parts: Mapping[str, Any], **inputs: Any) -> Act:
    """The inputs of an act: what is callable looks at what acts before it gave."""
    together = {name: value for part in (*parts, inputs) for name, value in part.items()}

    def made(given: Given) -> dict[str, Any]:
        return {name: revealed(value(given) if callable(value) else value) for name, value in together.items()}

    return Act(action, made)


def _private_jwk() -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    numbers = {"x": key.public_numbers.x, "y": key.public_numbers.y, "d": key.private_value}
    return {"kty": "EC", "crv": "P-256", **{name: encoded(n.to_bytes(32, "big")) for name, n in numbers.items()}}


def _pem_with_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return pem + _certificate(key.public_key(), key).public_bytes(Encoding.PEM).decode()


def _signed(csr: str) -> str:
    """What an authority makes of a request."""
    request = x509.load_der_x509_csr(decoded(csr))
    der = _certificate(request.public_key(), ec.generate_private_key(ec.SECP256R1())).public_bytes(Encoding.DER)
    return base64.b64encode(der).decode()


def _certificate(public: Any, signer: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "contoso.test")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(public)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now)
    return builder.not_valid_after(now + datetime.timedelta(days=30)).sign(signer, hashes.SHA256())
