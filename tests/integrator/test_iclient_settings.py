"""Settings that an iClient's provider cannot work with are told where they are written, before anything is saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from integrator import documents
from integrator.errors import BadDocument
from integrator.store.store import Store

DOCUMENT = """\
version: 1
iclients:
  - name: app
    provider: {provider}
    client_id: me
    settings:
      token_endpoint: https://login.test/token
      {setting}
"""


@pytest.mark.parametrize(
    ("provider", "setting", "told"),
    [
        ("generic", "jwks_uri: https://u:p4ssword@login.test/keys", "settings.jwks_uri of iClient app"),
        ("generic", "issuer: https://169.254.169.254/", "settings.issuer of iClient app"),
        ("generic", "token_parameters: {method: GET}", "settings.token_parameters of iClient app has 'method'"),
        ("generic", "authorization_parameters: {state: x}", "settings.authorization_parameters of iClient app"),
        ("generic", "pkce: S512", "settings.pkce of iClient app is S512"),
        ("okta", "domain: evil.test/", "settings.domain"),
    ],
)
def test_a_setting_that_cannot_be_is_told_with_its_line(
    store: Store, tmp_path: Path, provider: str, setting: str, told: str
) -> None:
    path = tmp_path / "document.yaml"
    path.write_text(DOCUMENT.format(provider=provider, setting=setting))
    with pytest.raises(BadDocument) as caught:
        documents.apply(path, store, {})
    assert f"{path}:8: iclients[0]: " in str(caught.value)
    assert told in str(caught.value)
    assert "p4ssword" not in str(caught.value)
    with store.reading() as stored:
        assert stored.iclients.names() == []
