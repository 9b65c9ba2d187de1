"""What a vault's refusals mean, in sentences that say the next step."""

from __future__ import annotations

import json

import pytest

from connectors.azure_key_vault.errors import MissingRight, explain, is_disabled
from connectors.errors import BadRequest, Conflict, Forbidden, NotFound, Throttled, Unavailable
from connectors.rest import Call
from iclients.answers import Answer
from iclients.errors import NotAuthorized, Recovery, RemoteError

VAULT = "contoso.vault.azure.net"


def explained(
    status: int, code: str = "", inner: str = "", *, kind: str = "get", body: bytes | None = None
) -> RemoteError:
    document = {"error": {"code": code, "message": "the server's words", "innererror": {"code": inner}}}
    content = json.dumps(document).encode() if body is None else body
    call = Call(kind, "GET", f"https://{VAULT}/secrets/db-password?api-version=7.4")
    return explain(Answer(status, {}, content), call, VAULT)


@pytest.mark.parametrize(
    ("status", "code", "inner", "kind", "error", "sentence"),
    [
        (403, "Forbidden", "ForbiddenByRbac", "get", Forbidden,
         f"The app of this connection may not get secrets in {VAULT}: give it the role Key Vault Secrets User on the vault. "
         "A role that was just given can take ten minutes."),
        (403, "Forbidden", "ForbiddenByRbac", "list", Forbidden,
         f"The app of this connection may not list secrets in {VAULT}: give it the role Key Vault Secrets User on the vault. "
         "A role that was just given can take ten minutes."),
        (403, "Forbidden", "ForbiddenByRbac", "put", Forbidden,
         f"The app of this connection may not set secrets in {VAULT}: give it the role Key Vault Secrets Officer on the "
         "vault. A role that was just given can take ten minutes."),
        (403, "Forbidden", "AccessDenied", "get", Forbidden,
         f"The access policy of {VAULT} does not let the app of this connection get secrets: add the secret permission Get."),
        (403, "Forbidden", "AccessDenied", "patch", Forbidden,
         f"The access policy of {VAULT} does not let the app of this connection set secrets: add the secret permission Set."),
        (403, "Forbidden", "AccessDenied", "versions", Forbidden,
         f"The access policy of {VAULT} does not let the app of this connection list secrets: add the secret permission List."),
        (403, "Forbidden", "AccessDenied", "purge", Forbidden,
         f"The access policy of {VAULT} does not let the app of this connection purge secrets: add the secret permission Purge."),
        (403, "Forbidden", "ForbiddenByFirewall", "get", Forbidden,
         f"The firewall of {VAULT} does not let this machine in: add its address under Networking."),
        (403, "Forbidden", "ForbiddenByConnection", "get", Forbidden,
         f"{VAULT} takes no calls from the public network: use its private endpoint."),
        (403, "Forbidden", "ForbiddenByPolicy", "get", Forbidden,
         f"An Azure Policy forbids this call to {VAULT}: ask the owner of the policy."),
        (403, "Forbidden", "SecretDisabled", "get", Forbidden,
         "db-password is disabled, so its value cannot be read: enable it, or leave it out with where: enabled."),
        (400, "BadParameter", "SecretTooLarge", "put", BadRequest,
         "db-password is larger than the 25 KB that Key Vault takes."),
        (409, "Conflict", "ObjectIsDeletedButRecoverable", "put", Conflict,
         f"db-password was deleted from {VAULT} and still blocks its name: recover or purge it, then run again."),
        (409, "Conflict", "ObjectIsBeingDeleted", "put", Conflict,
         f"db-password is being deleted from {VAULT} at this moment: run again in a minute."),
        (404, "SecretNotFound", "", "get", NotFound, f"db-password is not in {VAULT}."),
    ],
)  # fmt: skip
def test_every_known_refusal_is_a_sentence_with_the_next_step(
    status: int, code: str, inner: str, kind: str, error: type[RemoteError], sentence: str
) -> None:
    told = explained(status, code, inner, kind=kind)
    assert isinstance(told, error)
    assert str(told) == sentence
    assert told.recovery is (
        Recovery.ABORT if inner in ("ForbiddenByFirewall", "ForbiddenByConnection") else Recovery.SKIP
    )


@pytest.mark.parametrize(
    ("inner", "kind", "right", "by_role"),
    [
        ("ForbiddenByRbac", "get", "secrets/get", True),
        ("AccessDenied", "put", "secrets/set", False),
        ("ForbiddenByRbac", "key_list", "keys/list", True),
        ("AccessDenied", "cert_get", "certificates/get", False),
    ],
)
def test_a_missing_right_is_named_and_whether_a_role_or_a_permission_gives_it(
    inner: str, kind: str, right: str, by_role: bool
) -> None:
    told = explained(403, "Forbidden", inner, kind=kind)
    assert isinstance(told, MissingRight)
    assert (told.right, told.by_role, told.code) == (right, by_role, "forbidden")


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("ForbiddenByFirewall", "forbidden_by_firewall"),
        ("ForbiddenByConnection", "forbidden_by_connection"),
        ("ForbiddenByPolicy", "forbidden_by_azure_policy"),
    ],
)
def test_what_keeps_everybody_out_has_a_code_of_its_own(inner: str, code: str) -> None:
    assert explained(403, "Forbidden", inner).code == code


@pytest.mark.parametrize(
    ("inner", "code"),
    [("SecretDisabled", "secret_disabled"), ("ForbiddenByRbac", "forbidden"), ("AccessDenied", "forbidden")],
)
def test_a_disabled_secret_is_told_from_a_missing_right_by_its_code(inner: str, code: str) -> None:
    error = explained(403, "Forbidden", inner)
    assert error.code == code
    assert isinstance(error, Forbidden)
    assert is_disabled(error) is (code == "secret_disabled")


def test_a_blocked_name_has_a_code_of_its_own() -> None:
    assert explained(409, "Conflict", "ObjectIsDeletedButRecoverable").code == "deleted_but_recoverable"
    assert explained(409, "Conflict", "ObjectIsBeingDeleted").code == "being_deleted"


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, BadRequest), (401, NotAuthorized), (403, Forbidden), (404, NotFound), (405, BadRequest), (408, Unavailable),
     (409, Conflict), (410, NotFound), (413, BadRequest), (418, BadRequest), (429, Throttled), (500, Unavailable),
     (502, Unavailable), (503, Unavailable), (504, Unavailable), (302, BadRequest)],
)  # fmt: skip
@pytest.mark.parametrize(
    "body",
    [b"", b"<html><h1>Bad gateway</h1></html>", b"plain words", b"null", b"[]", b'{"error": "words"}', b"{}", b"\xff",
     b'{"error": {"code": null, "message": null, "innererror": null}}', b"[" * 100_000],
    ids=["empty", "html", "plain", "null", "list", "text", "object", "bytes", "nulls", "deep"],
)  # fmt: skip
def test_an_answer_without_a_reason_means_what_its_status_means(
    status: int, error: type[RemoteError], body: bytes
) -> None:
    told = explained(status, body=body)
    assert type(told) is error
    begins = "does not take one of the inputs for db-password (HTTP 400 without a code): check "
    assert str(told).startswith(
        f"{VAULT} {begins}" if status == 400 else f"{VAULT} answered get db-password with HTTP {status}."
    )


def test_an_unknown_refusal_is_told_with_code_and_words_on_one_line() -> None:
    body = json.dumps({"error": {"code": "Forbidden", "message": "purge protection\r\nis on." + "x" * 500}}).encode()
    told = str(explained(403, body=body))
    assert told.startswith(f"{VAULT} answered get db-password with HTTP 403 Forbidden: purge protection is on.")
    assert len(told) < 350
    assert "\n" not in told


def test_what_a_vault_says_of_a_bad_request_is_not_repeated_for_it_may_quote_the_value() -> None:
    body = json.dumps({"error": {"code": "BadParameter", "message": "v4lue is invalid"}}).encode()
    told = str(explained(400, body=body))
    assert told.startswith(f"{VAULT} does not take one of the inputs for db-password (HTTP 400 BadParameter): check ")
    assert "v4lue" not in told


def test_what_a_vault_says_of_a_call_that_carried_a_value_is_not_repeated_either() -> None:
    body = json.dumps({"error": {"code": "Odd", "message": "v4lue is odd"}}).encode()
    call = Call("put", "PUT", f"https://{VAULT}/secrets/db-password", {"value": "v4lue"})
    told = str(explain(Answer(409, {}, body), call, VAULT))
    assert told == f"{VAULT} answered put db-password with HTTP 409 Odd."
