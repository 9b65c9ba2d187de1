"""azure-keyvault-certificates judges lists with certificates that are still being made: `includePending` on every page."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.rest import HttpRequest
from azure.identity.aio import ClientSecretCredential
from azure.keyvault.certificates import CertificateClient, CertificatePolicy
from azure.keyvault.certificates.aio import CertificateClient as AsyncCertificateClient

pytestmark = pytest.mark.referee

SIGNED_ELSEWHERE = CertificatePolicy(
    issuer_name="Unknown", subject="CN=contoso.test", key_type="EC", key_curve_name="P-256"
)
BY_ITSELF = CertificatePolicy(issuer_name="Self", subject="CN=contoso.test", key_type="EC", key_curve_name="P-256")


@pytest.fixture
def certificates(sandbox: Any, data: Any) -> Any:
    return data(CertificateClient, sandbox.vault_url("contoso"))


def begin(certificates: Any, *names: str) -> None:
    for name in names:
        certificates.begin_create_certificate(name, SIGNED_ELSEWHERE, _polling_interval=0.01)


def names(found: Any) -> list[str]:
    return [one.name for one in found]


def test_those_that_are_being_made_are_listed_where_they_are_asked_for(certificates):
    begin(certificates, "being-made")
    certificates.begin_create_certificate("made", BY_ITSELF, _polling_interval=0.01).result()
    assert names(certificates.list_properties_of_certificates()) == ["made"]
    assert names(certificates.list_properties_of_certificates(include_pending=False)) == ["made"]
    assert names(certificates.list_properties_of_certificates(include_pending=True)) == ["being-made", "made"]


def test_the_wish_survives_every_page(certificates, sandbox):
    wanted = [f"c{number:02}" for number in range(9)]
    begin(certificates, *wanted)
    found = certificates.list_properties_of_certificates(include_pending=True, max_page_size=2)
    assert names(found) == wanted
    assert sandbox.vault("contoso").calls["cert_list"] == 6  # the fourth page is an empty one


def test_links_repeat_whatever_was_asked_for(certificates):
    begin(certificates, "a", "b", "c")
    query = {"api-version": "7.4", "includePending": "true", "maxresults": "1"}
    page = certificates.send_request(HttpRequest("GET", "/certificates", params=query)).json()
    assert "includePending=true" in page["nextLink"]
    assert "maxresults=1" in page["nextLink"]
    plain = certificates.send_request(HttpRequest("GET", "/certificates", params=query | {"includePending": "false"}))
    assert plain.json() == {"value": [], "nextLink": None}


def test_a_new_version_of_one_that_is_there_adds_no_item(certificates):
    certificates.begin_create_certificate("made", BY_ITSELF, _polling_interval=0.01).result()
    begin(certificates, "made")
    assert names(certificates.list_properties_of_certificates(include_pending=True)) == ["made"]


def test_what_was_deleted_or_cancelled_is_not_listed(certificates):
    begin(certificates, "gone", "stays")
    certificates.delete_certificate_operation("gone")
    assert names(certificates.list_properties_of_certificates(include_pending=True)) == ["stays"]
    assert names(certificates.list_deleted_certificates(include_pending=True)) == []


def test_the_asynchronous_client_sees_the_same(certificates, sandbox):
    begin(certificates, *(f"c{number}" for number in range(5)))

    async def story() -> list[str]:
        trust = {"connection_verify": str(sandbox.ca_file)}
        told = (sandbox.tenant, sandbox.client_id, sandbox.client_secret)
        async with ClientSecretCredential(*told, authority=sandbox.authority, **trust) as credential:
            options = {"verify_challenge_resource": False, **trust}
            async with AsyncCertificateClient(sandbox.vault_url("contoso"), credential, **options) as client:
                found = client.list_properties_of_certificates(include_pending=True, max_page_size=2)
                return [one.name async for one in found]

    assert asyncio.run(story()) == [f"c{number}" for number in range(5)]
