"""A stored credential stays with the place it was given for."""

import pytest

from integrator.documents import apply
from integrator.errors import BadDocument

LAB = """
version: 1
clouds:
  - name: lab
    authority: https://127.0.0.1:8443
    arm: https://127.0.0.1:8444
    vaults: ["127.0.0.1:8445"]
    vault_audience: https://vault.azure.net
    arm_audience: https://management.azure.com
iclients:
  - {name: app, provider: entra, cloud: lab, tenant: t, client_id: c, credential: {client_secret: s}}
"""


@pytest.fixture
def applied(store, tmp_path):
    def made(text):
        path = tmp_path / "lab.yaml"
        path.write_text(text)
        return apply(path, store)

    made(LAB)
    return made


def without_credential(text):
    return text.replace(", credential: {client_secret: s}", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [("https://127.0.0.1:8443", "https://evil.test"), ("tenant: t", "tenant: u"), ("client_id: c", "client_id: d")],
)
def test_a_credential_is_asked_for_again_before_it_goes_elsewhere(applied, store, old, new):
    with pytest.raises(BadDocument, match="would send the stored credential of iClient app to another place"):
        applied(without_credential(LAB).replace(old, new))
    assert applied(LAB).is_unchanged
    assert not applied(LAB.replace(old, new)).is_unchanged


def test_a_cloud_alone_cannot_move_it_either(applied):
    clouds = LAB[: LAB.index("iclients:")]
    with pytest.raises(BadDocument, match="clouds would send the stored credential of iClient app"):
        applied(clouds.replace("https://127.0.0.1:8443", "https://evil.test"))


def test_a_document_without_a_credential_keeps_what_is_stored_where_nothing_moves(applied):
    assert applied(without_credential(LAB)).is_unchanged
