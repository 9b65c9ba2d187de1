"""Makes certificates that an app can prove itself with, in both forms in which people hold them: PFX and PEM."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class ClientCertificate:
    """A certificate with its key. `pem` holds both, the key first and not encrypted; `pfx` needs `password`."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)
    password: str = field(repr=False)

    @property
    def thumbprint(self) -> str:
        """SHA-1 in upper-case hexadecimal digits, as portals show it."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - what a thumbprint is

    @property
    def key_pem(self) -> bytes:
        """The private key alone."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def pem(self) -> bytes:
        """Key and certificate."""
        return self.key_pem + self.certificate_pem

    @property
    def pfx(self) -> bytes:
        """PKCS #12, encrypted with the password if there is one."""
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if self.password:
            encryption = serialization.BestAvailableEncryption(self.password.encode())
        return pkcs12.serialize_key_and_certificates(b"client", self.key, self.certificate, None, encryption)

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Writes `client.pfx` and `client.pem` into a folder and gives their paths."""
        pfx, pem = folder / "client.pfx", folder / "client.pem"
        for path, content in ((pfx, self.pfx), (pem, self.pem)):
            path.touch(mode=0o600)
            path.write_bytes(content)
        return pfx, pem


def make_certificate(name: str, *, now: float, days: float, password: str) -> ClientCertificate:
    """A new RSA key with a self-signed certificate that is valid from a day ago for so many days from now."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    ends = _moment(now + days * SECONDS_PER_DAY)
    begins = min(_moment(now - SECONDS_PER_DAY), ends - datetime.timedelta(days=1))
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
    return ClientCertificate(builder.sign(key, hashes.SHA256()), key, password)


def _moment(epoch: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
