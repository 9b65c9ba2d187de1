from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from connectors.azure_key_vault.sandbox import Sandbox
from iclients import assertions, certificates
from iclients.clock import SystemClock
from iclients.clouds import CloudProfile
from iclients.credentials import Certificate, FederatedAssertion
from iclients.errors import CredentialRefused
from iclients.grants import Grants
from iclients.model import IClient
from iclients.providers.entra import Entra
from iclients.secret import Secret
from iclients.transport import Transport

SCOPES = ("https://vault.azure.net/.default",)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox.start(vaults={}) as running:
        yield running


@pytest.fixture
def grants(sandbox):
    transport = Transport(sandbox.ca_file)
    cloud = CloudProfile("lab", sandbox.authority, sandbox.arm, (), SCOPES[0], "", sandbox.ca_file)

    def made(credential):
        iclient = IClient("app", "entra", sandbox.client_id, "lab", sandbox.tenant, credential)
        return Grants(iclient, Entra(), cloud, transport, SystemClock())

    yield made
    transport.close()


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
@pytest.mark.parametrize("password", ["", "pässwörd"])
def test_entra_lets_a_registered_certificate_in(sandbox, grants, algorithm, password):
    pair = sandbox.certificate(password=password)
    loaded = certificates.load(pair.pfx, Secret(password) if password else None, algorithm)
    assert grants(loaded).client_credentials(SCOPES).access_token


def test_a_certificate_that_entra_does_not_know_is_told_with_the_next_step(sandbox, grants):
    stranger = certificates.load(sandbox.certificate(register=False).pfx)
    with pytest.raises(CredentialRefused, match="does not know the certificate of iClient app: upload it"):
        grants(stranger).client_credentials(SCOPES)


def test_a_pem_file_is_as_good_as_a_pfx(sandbox):
    pair = sandbox.certificate()
    pem = pair.pem if isinstance(pair.pem, bytes) else pair.pem.encode()
    assert certificates.load(pem) == certificates.load(pair.pfx)


def test_a_certificate_tells_when_it_ends(sandbox):
    loaded = certificates.load(sandbox.certificate(days=30).pfx)
    assert abs(
        certificates.expires_at(loaded).replace(tzinfo=UTC) - datetime.now(UTC) - timedelta(days=30)
    ) < timedelta(days=1)


def test_what_is_wrong_with_a_file_is_told(sandbox):
    pair = sandbox.certificate(password="right")
    other = sandbox.certificate()
    with pytest.raises(ValueError, match="its password is another one"):
        certificates.load(pair.pfx, Secret("wrong"))
    with pytest.raises(ValueError, match="no PFX or PEM file"):
        certificates.load(b"nonsense")
    with pytest.raises(ValueError, match="lacks a private key"):
        certificates.load(certificates.load(other.pfx).certificate.encode())
    mixed = certificates.load(other.pfx).private_key.reveal() + certificates.load(pair.pfx, Secret("right")).certificate
    with pytest.raises(ValueError, match="does not belong"):
        certificates.load(mixed.encode())


def test_an_assertion_is_for_one_audience_short_lived_and_never_the_same(sandbox):
    loaded = certificates.load(sandbox.certificate().pfx)
    one, two = (assertions.signed(loaded, "app-id", "https://issuer", 1_000_000) for _ in range(2))
    key = RSAKey.import_key(loaded.private_key.reveal())
    claims = jwt.decode(one.reveal(), key, algorithms=["PS256"]).claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("app-id", "app-id", "https://issuer")
    assert claims["exp"] - claims["iat"] == assertions.LIFETIME_SECONDS
    assert one != two


def test_a_certificate_hides_its_key():
    assert "KEY" not in repr(Certificate(Secret("PRIVATE KEY"), "public"))


def test_a_mounted_assertion_is_read_at_each_use(tmp_path):
    path = tmp_path / "token"
    path.write_text("one\n")
    credential = FederatedAssertion(path)
    assert assertions.mounted(credential, "app") == Secret("one")
    path.write_text("two\n")
    assert assertions.mounted(credential, "app") == Secret("two")
    path.write_text("")
    with pytest.raises(CredentialRefused, match="is empty"):
        assertions.mounted(credential, "app")
    path.unlink()
    with pytest.raises(CredentialRefused, match="check that it is mounted"):
        assertions.mounted(credential, "app")
