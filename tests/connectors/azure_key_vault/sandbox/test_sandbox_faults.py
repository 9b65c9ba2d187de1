"""Bad days to order, over real sockets."""

import http.client
import json
import time

import pytest


@pytest.fixture
def vault(sandbox):
    vault = sandbox.vault("contoso")
    vault.put("s", "v" * 1000)
    return vault


@pytest.mark.parametrize(
    ("status", "code"), [(429, "Throttled"), (500, "InternalServerError"), (503, "ServiceUnavailable")]
)
def test_a_status_is_answered_in_the_vaults_shape(client, sandbox, vault, status, code):
    sandbox.faults.add(status, host="contoso", retry_after=7)
    reply = client.vault("GET", "/secrets/s")
    assert reply.error == (status, code, None)
    assert reply.headers["Retry-After"] == "7"
    assert client.vault("GET", "/secrets/s").status == 200
    assert vault.calls == {"get": 2, "faulted": 1}


def test_a_429_may_come_without_retry_after_or_with_a_date(client, sandbox, vault):
    sandbox.faults.add("429", host="contoso")
    sandbox.faults.add("429", host="contoso", retry_after="Fri, 31 Dec 2027 23:59:59 GMT")
    assert client.vault("GET", "/secrets/s").headers["Retry-After"] is None
    assert client.vault("GET", "/secrets/s").headers["Retry-After"].endswith("GMT")


def test_entra_and_arm_have_faults_of_their_own_shapes(client, sandbox):
    sandbox.faults.add("503", host="entra", retry_after=1)
    reply = client.ask_token()
    assert (reply.status, reply.json["error"], reply.headers["Retry-After"]) == (
        503,
        "temporarily_unavailable",
        "1",
    )
    token = client.token("https://management.azure.com/.default")
    sandbox.faults.add("429", host="arm")
    headers = {"Authorization": f"Bearer {token}"}
    reply = client.send("GET", f"{sandbox.arm}/subscriptions?api-version=1", headers=headers)
    assert reply.error == (429, "TooManyRequests", None)


def test_a_fault_is_aimed_by_host_method_and_path(client, sandbox, vault):
    client.token()
    sandbox.faults.add("500", host="contoso", method="get", path=r"^/secrets/s\b.*api-version")
    assert client.vault("GET", "/secrets", name="fabrikam").status == 200
    assert client.vault("GET", "/secrets").status == 200
    assert client.vault("DELETE", "/secrets/t").status == 404
    assert client.vault("GET", "/secrets/s").status == 500


def test_a_fault_strikes_n_times_or_every_kth_after_some(client, sandbox, vault):
    client.token()
    sandbox.faults.add("500", host="contoso", times=2, after=1)
    assert [client.vault("GET", "/secrets").status for _ in range(4)] == [200, 500, 500, 200]
    sandbox.faults.clear()
    sandbox.faults.add("503", host="contoso", every=3)
    assert [client.vault("GET", "/secrets").status for _ in range(6)] == [200, 200, 503, 200, 200, 503]
    sandbox.faults.clear()
    assert client.vault("GET", "/secrets").status == 200


def test_a_reset_comes_before_the_request_is_carried_out(client, sandbox, vault):
    client.token()
    sandbox.faults.add("reset", method="PUT")
    with pytest.raises(ConnectionResetError):
        client.vault("PUT", "/secrets/new", {"value": "1"})
    assert "new" not in vault.secrets
    assert vault.calls == {"put": 1, "faulted": 1}


def test_a_lost_answer_belongs_to_a_request_that_was_carried_out(client, sandbox, vault):
    client.token()
    sandbox.faults.add("lost", method="PUT")
    with pytest.raises(ConnectionResetError):
        client.vault("PUT", "/secrets/new", {"value": "1"})
    assert vault.value("new") == "1"


def test_a_truncated_body_is_shorter_than_its_length(client, sandbox, vault):
    client.token()
    sandbox.faults.add("truncated")
    with pytest.raises((http.client.IncompleteRead, OSError)):
        client.vault("GET", "/secrets/s")
    assert client.vault("GET", "/secrets/s").status == 200


def test_broken_json_is_whole_by_its_length(client, sandbox, vault):
    client.token()
    sandbox.faults.add("broken-json")
    reply = client.vault("GET", "/secrets/s")
    assert (reply.status, len(reply.body)) == (200, int(reply.headers["Content-Length"]))
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)


def test_an_html_page_stands_in_for_the_answer(client, sandbox, vault):
    client.token()
    sandbox.faults.add("html", method="PUT")
    reply = client.vault("PUT", "/secrets/new", {"value": "1"})
    assert (reply.status, reply.headers["Content-Type"]) == (502, "text/html")
    assert "new" not in vault.secrets


def test_a_slow_body_drips_and_is_whole_in_the_end(client, sandbox, vault):
    client.token()
    sandbox.faults.add("slow", seconds=0.2)
    started = time.monotonic()
    assert client.vault("GET", "/secrets/s").json["value"] == "v" * 1000
    assert time.monotonic() - started >= 0.19


def test_a_stalled_request_is_carried_out_and_answered_late(client, sandbox, vault):
    client.token()
    sandbox.faults.add("stall", seconds=0.2)
    started = time.monotonic()
    assert client.vault("PUT", "/secrets/new", {"value": "1"}).status == 200
    assert time.monotonic() - started >= 0.19


def test_a_stall_holds_up_nobody_else(client, sandbox, vault):
    client.token()
    sandbox.faults.add("stall", path="/secrets/s", seconds=30)
    connection = http.client.HTTPSConnection(
        sandbox.vault_url("contoso").removeprefix("https://"), context=client.context
    )
    connection.request("GET", "/secrets/s?api-version=7.4")
    assert client.vault("GET", "/secrets").status == 200
    connection.close()


def test_a_claims_challenge_asks_for_a_newer_token(client, sandbox, vault):
    client.token()
    sandbox.faults.add("claims", host="contoso")
    reply = client.vault("GET", "/secrets/s")
    assert reply.status == 401
    assert 'error="insufficient_claims", claims="' in reply.headers["WWW-Authenticate"]


def test_latency_waits_for_every_answer_without_blocking(client, sandbox, vault):
    client.token()
    sandbox.latency_seconds = 0.1
    started = time.monotonic()
    assert client.vault("GET", "/secrets/s").status == 200
    assert time.monotonic() - started >= 0.09


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "explode"},
        {"kind": "200"},
        {"kind": "500", "path": "("},
        {"kind": "500", "every": 0},
        {"kind": "500", "after": -1},
        {"kind": "500", "times": 0},
        {"kind": "429", "retry_after": "1\r\nX: y"},
    ],
)
def test_a_fault_that_makes_no_sense_is_an_error(sandbox, wrong):
    with pytest.raises(ValueError):
        sandbox.faults.add(**wrong)
    assert sandbox.faults.planted == []


# --- the controls ---------------------------------------------------------------------------------


def test_calls_can_be_read_and_reset_from_outside(client, sandbox, vault):
    client.vault("GET", "/secrets/s")
    calls = client.control("GET", "calls").json
    entra = {"token": 1, "client_credentials": 1}
    assert calls == {"entra": entra, "arm": {}, "contoso": {"get": 1}, "fabrikam": {}}
    assert client.control("POST", "calls/reset").status == 200
    assert client.control("GET", "calls").json["contoso"] == {}


def test_the_clock_moves_from_outside(client, sandbox):
    client.token()
    now = client.control("POST", "clock", {"advance": 4000}).json["now"]
    assert abs(now - sandbox.clock.now()) < 5
    assert client.vault("GET", "/secrets").status == 401
    client.control("POST", "clock", {"set": 1_900_000_000})
    assert 0 <= sandbox.clock.now() - 1_900_000_000 < 5


def test_faults_are_planted_and_cleared_from_outside(client, sandbox, vault):
    client.token()
    body = {"kind": "503", "host": "contoso", "method": "GET", "path": "^/secrets", "times": 5, "retry_after": 2}
    assert client.control("POST", "faults", body).status == 200
    assert client.vault("GET", "/secrets").headers["Retry-After"] == "2"
    client.control("DELETE", "faults")
    assert client.vault("GET", "/secrets").status == 200


def test_settings_change_from_outside(client, sandbox):
    body = {"latency_seconds": 0.001, "throttle": True, "retry_after": False, "settle_seconds": 3}
    assert client.control("POST", "settings", body).status == 200
    assert (sandbox.latency_seconds, sandbox.throttle.on, sandbox.throttle.retry_after) == (0.001, True, False)
    assert sandbox.vault("fabrikam").settle_seconds == 3
    client.control("POST", "settings", {"vault": "contoso", "purge_protection": True})
    assert sandbox.vault("contoso").purge_protection
    assert not sandbox.vault("fabrikam").purge_protection


def test_permissions_change_from_outside(client, sandbox, vault):
    reply = client.control("POST", "permissions", {"vault": "contoso", "deny": ["get", "set"]})
    assert reply.json == {"denied": ["get", "set"]}
    assert client.vault("GET", "/secrets/s").status == 403
    client.control("POST", "permissions", {"vault": "contoso", "deny": []})
    assert client.vault("GET", "/secrets/s").status == 200


def test_tokens_are_revoked_from_outside(client, sandbox):
    client.token()
    client.control("POST", "tokens/revoke")
    assert client.vault("GET", "/secrets").status == 401


def test_the_document_can_be_read_from_outside(client, sandbox):
    assert client.control("GET", "document").json == sandbox.document()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {"advance": "soon"}),
        ("clock", {"forward": 1}),
        ("clock", [1]),
        ("faults", {"kind": "explode"}),
        ("faults", {}),
        ("faults", {"kind": "500", "colour": "red"}),
        ("settings", {"speed": 1}),
        ("settings", {"vault": "nobody"}),
        ("permissions", {"vault": "contoso", "deny": ["fly"]}),
        ("permissions", {"vault": "contoso", "deny": 3}),
        ("permissions", {}),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(client, path, body):
    assert client.control("POST", path, body).status == 400


def test_unknown_commands_and_web_pages_are_refused(client):
    assert client.control("GET", "nonsense").status == 404
    assert client.control("POST", "tokens/revoke", None, Origin="https://evil.example").status == 403


def test_faults_and_latency_never_strike_the_controls(client, sandbox):
    sandbox.faults.add("reset", every=1)
    sandbox.latency_seconds = 60
    assert client.control("DELETE", "faults").status == 200
