"""Signing in and consenting: what the pages ask, and how the app hears of it."""

import base64
import json
import urllib.parse

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.visitor import Stopped, Visitor

VAULT = "https://vault.azure.net/user_impersonation"
ARM = "https://management.azure.com/user_impersonation"
CALLBACK = "http://127.0.0.1:7777/callback"


def query_of(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True))


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def number(returned):
    return int(returned["error_description"].removeprefix("AADSTS").partition(":")[0])


@pytest.fixture
def visitor(sandbox):
    return Visitor(sandbox.ca_file)


def page_after_picking(client, url, user):
    """What somebody sees who has picked an account."""
    page = client.send("GET", url).body.decode()
    flow = page.partition('name="flow" value="')[2].partition('"')[0]
    body = urllib.parse.urlencode({"flow": flow, "account": user}).encode()
    return client.send("POST", f"{client.sandbox.authority}/common/login", body).body.decode()


def test_the_app_gets_a_code_its_state_and_who_signed_in(client, sandbox):
    returned = client.returned(client.authorize_url(client_info="1"))
    assert returned.keys() == {"code", "state", "session_state", "client_info"}
    assert returned["state"] == "the state"
    about = json.loads(base64.urlsafe_b64decode(returned["client_info"] + "=="))
    assert about == {"uid": sandbox.entra.user("ada").object_id, "utid": sandbox.tenant}


def test_the_pages_are_forms_without_scripts(client, sandbox):
    page = client.send("GET", client.authorize_url())
    text = page.body.decode()
    assert page.status == 200
    assert "<script" not in text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert [text.index(name) for name in ("ada@sandbox", "ben@sandbox", "gus@other")]


def test_what_an_app_is_called_cannot_break_the_page(client, sandbox):
    sandbox.application.name = "<script>alert('x')</script>"
    assert b"<script" not in client.send("GET", client.authorize_url()).body


def test_cancelling_is_access_denied_with_its_subcode(client):
    returned = client.returned(client.authorize_url(), "ben", "cancel")
    assert (returned["error"], returned["error_subcode"], returned["state"]) == ("access_denied", "cancel", "the state")
    assert number(returned) == 65004


def test_consent_is_remembered_and_asked_in_steps(client, sandbox):
    assert "code" in client.returned(client.authorize_url(), "ben")
    assert "code" in client.returned(client.authorize_url(), "ben", "cancel")
    both = client.authorize_url(scope=f"{VAULT} {ARM} openid profile offline_access")
    page = page_after_picking(client, both, "ben")
    assert "Resource Manager" in page
    assert "Key Vault" not in page
    assert client.returned(both, "ben", "cancel")["error"] == "access_denied"
    assert "code" in client.returned(both, "ben")
    assert client.returned(client.authorize_url(), "gus", "cancel")["error"] == "access_denied"


def test_prompt_consent_always_asks(client):
    client.returned(client.authorize_url())
    assert client.returned(client.authorize_url(prompt="consent"), "ada", "cancel")["error"] == "access_denied"


def test_an_administrator_can_consent_for_everybody(client, sandbox):
    sandbox.consent(client.authorize_url(), "ada", organization=True)
    assert "code" in client.returned(client.authorize_url(), "ben", "cancel")


def test_an_ordinary_user_cannot_consent_for_everybody(client, sandbox):
    page = page_after_picking(client, client.authorize_url(), "ben")
    assert "on behalf of your organization" not in page


@pytest.mark.parametrize("reserved", ["graph", "list", "switch"])
def test_what_needs_an_administrator_leads_back_with_90094(client, sandbox, reserved):
    scope = "Directory.Read.All" if reserved == "graph" else VAULT
    if reserved == "list":
        sandbox.entra.administrators_only.add(VAULT)
    if reserved == "switch":
        assert client.control("POST", "settings", {"user_consent": False}).status == 200
    url = client.authorize_url(scope=scope)
    assert "Need admin approval" in page_after_picking(client, url, "ben")
    returned = client.returned(url, "ben")
    assert (returned["error"], number(returned)) == ("access_denied", 90094)
    assert "code" in client.returned(url, "ada")


# --- who ------------------------------------------------------------------------------------------


def test_a_session_is_kept_in_a_cookie(client, visitor):
    visitor.consent(client.authorize_url(), "ben")
    assert "code" in query_of(visitor.consent(client.authorize_url(prompt="none")))
    assert "code" in query_of(visitor.consent(client.authorize_url(), "nobody"))


def test_without_a_session_prompt_none_is_login_required(client):
    returned = client.returned(client.authorize_url(prompt="none"))
    assert (returned["error"], number(returned)) == ("login_required", 50058)


def test_prompt_none_without_consent_is_consent_required(client, visitor):
    visitor.consent(client.authorize_url(scope="openid"), "ben")
    returned = query_of(visitor.consent(client.authorize_url(prompt="none")))
    assert (returned["error"], number(returned)) == ("consent_required", 65001)


def test_prompt_none_with_two_people_needs_a_hint(client, visitor):
    for name in ("ada", "ben"):
        visitor.consent(client.authorize_url(prompt="login"), name)
    assert query_of(visitor.consent(client.authorize_url(prompt="none")))["error"] == "interaction_required"
    hint = "ben@sandbox.example.com"
    assert "code" in query_of(visitor.consent(client.authorize_url(prompt="none", login_hint=hint)))


@pytest.mark.parametrize("prompt", ["login", "select_account"])
def test_these_prompts_show_the_accounts_in_spite_of_a_session(client, visitor, prompt):
    visitor.consent(client.authorize_url(), "ben")
    with pytest.raises(Stopped, match="no account 'nobody'"):
        visitor.consent(client.authorize_url(prompt=prompt), "nobody")


@pytest.mark.parametrize("prompt", [None, "login"])
@pytest.mark.parametrize("hint", ["ben", "BEN@sandbox.example.com"])
def test_a_login_hint_fills_the_sign_in_page(client, hint, prompt):
    url = client.authorize_url(login_hint=hint, prompt=prompt)
    page = client.send("GET", url).body.decode()
    assert "ben@sandbox" in page
    assert "ada@sandbox" not in page
    code = client.returned(url, "ben")["code"]
    assert claims_of(client.redeem(code).json["access_token"])["given_name"] == "Ben"


def test_whoever_was_not_meant_uses_another_account(client):
    code = client.returned(client.authorize_url(login_hint="ben"), "ada")["code"]
    assert claims_of(client.redeem(code).json["access_token"])["given_name"] == "Ada"


def test_a_login_hint_picks_among_those_who_are_signed_in(client, visitor):
    for name in ("ada", "ben"):
        visitor.consent(client.authorize_url(prompt="login"), name)
    code = query_of(visitor.consent(client.authorize_url(login_hint="ben"), "nobody"))["code"]
    assert claims_of(client.redeem(code).json["access_token"])["given_name"] == "Ben"


def test_select_account_offers_everybody_in_spite_of_a_hint(client):
    page = client.send("GET", client.authorize_url(login_hint="ben", prompt="select_account")).body
    assert b"ada@sandbox" in page


def test_prompt_none_for_somebody_else_is_login_required(client, visitor):
    visitor.consent(client.authorize_url(), "ada")
    returned = query_of(visitor.consent(client.authorize_url(prompt="none", login_hint="ben")))
    assert (returned["error"], number(returned)) == ("login_required", 50058)


def test_a_hint_that_nobody_answers_to_shows_the_accounts(client):
    with pytest.raises(Stopped, match="no account"):
        client.returned(client.authorize_url(login_hint="who@example.com"), "nobody")


def test_a_guest_of_the_tenant_has_no_upn(client):
    claims = claims_of(client.signed_in("gus")["access_token"])
    assert (claims["acct"], claims["unique_name"]) == (1, "gus@other.example.com")
    assert "upn" not in claims


def test_through_common_everybody_comes_home(client, sandbox):
    code = client.returned(client.authorize_url(tenant="common"), "gus")["code"]
    claims = claims_of(client.redeem(code, tenant="organizations").json["access_token"])
    assert (claims["tid"], claims["upn"], claims["acct"]) == (sandbox.other_tenant, "gus@other.example.com", 0)


def test_a_disabled_user_stays_on_the_page(client, sandbox):
    assert client.control("POST", "users/disable", {"user": "ben"}).status == 200
    with pytest.raises(Stopped, match="AADSTS50057"):
        client.returned(client.authorize_url(), "ben")
    assert client.control("POST", "users/enable", {"user": "ben"}).status == 200
    assert "code" in client.returned(client.authorize_url(), "ben")


def test_a_user_who_is_not_assigned_stays_on_the_page(client, sandbox):
    sandbox.application.assigned = {sandbox.entra.user("ada").object_id}
    with pytest.raises(Stopped, match="AADSTS50105"):
        client.returned(client.authorize_url(), "ben")


# --- requests that are refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"client_id": None}, 900144),
        ({"client_id": "99999999-0000-0000-0000-000000000000"}, 700016),
        ({"redirect_uri": None}, 900971),
        ({"redirect_uri": "http://127.0.0.1:7777/callback/"}, 50011),
        ({"redirect_uri": "http://127.0.0.1:7777/Callback"}, 50011),
        ({"redirect_uri": "https://127.0.0.1:7777/callback"}, 50011),
        ({"redirect_uri": "http://127.0.0.1:7777/callback?x=1"}, 50011),
        ({"redirect_uri": "http://127.0.0.1:7777@evil.example/callback"}, 50011),
        ({"redirect_uri": "http://127.0.0.1.evil.example/callback"}, 50011),
        ({"redirect_uri": "http://localhost:x/callback"}, 50011),
        ({"tenant": "nobody.example"}, 90002),
        ({"tenant": "-"}, 900023),
        ({"tenant": "consumers"}, 700016),
    ],
)
def test_what_cannot_be_trusted_ends_on_a_page(client, changed, expected):
    page = client.send("GET", client.authorize_url(**changed))
    assert (page.status, page.headers["Location"]) == (400, None)
    assert f"AADSTS{expected}: " in page.body.decode()


def test_a_disabled_app_ends_on_a_page(client, sandbox):
    sandbox.application.enabled = False
    page = client.send("GET", client.authorize_url())
    assert (page.status, page.headers["Location"]) == (400, None)
    assert b"AADSTS7000112: " in page.body


def test_the_page_of_an_error_says_how_to_find_it_again(client):
    url = client.authorize_url(redirect_uri="https://evil.example/", **{"client-request-id": "<i>here-i-am"})
    page = client.send("GET", url).body.decode()
    assert "Correlation Id: &lt;i&gt;here-i-am" in page
    assert "Request Id: " in page
    assert "Timestamp: " in page


def test_an_error_on_its_way_to_the_app_carries_the_correlation_id(client):
    returned = client.returned(client.authorize_url(scope=None, **{"client-request-id": "here-i-am"}))
    assert "Correlation ID: here-i-am " in returned["error_description"]


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_a_field_that_decides_about_trust_comes_once(client, name):
    assert client.send("GET", client.authorize_url() + f"&{name}=x").status == 400


@pytest.mark.parametrize(
    ("changed", "error", "expected"),
    [
        ({"response_type": None}, "invalid_request", 900144),
        ({"response_type": "token"}, "unsupported_response_type", 700051),
        ({"response_type": "code id_token"}, "unsupported_response_type", 700054),
        ({"response_mode": "carrier_pigeon"}, "invalid_request", 90023),
        ({"prompt": "please"}, "invalid_request", 90023),
        ({"scope": None}, "invalid_request", 900144),
        ({"scope": f"{VAULT} https://vault.azure.net/.default"}, "invalid_scope", 70011),
        ({"scope": 'a"b'}, "invalid_scope", 70011),
        ({"scope": "https://nobody.example/x"}, "invalid_resource", 500011),
        ({"scope": "https://vault.azure.net/nonsense"}, "invalid_client", 650053),
        ({"resource": "https://vault.azure.net"}, "invalid_request", 901002),
        ({"claims": "{"}, "invalid_request", 90013),
        ({"claims": '{"access_token": {"acrs": 3}}'}, "invalid_request", 90013),
        ({"code_challenge": "short"}, "invalid_request", 50147),
        ({"code_challenge": "x" * 44, "code_challenge_method": "S256"}, "invalid_request", 50147),
        ({"code_challenge": "x" * 43, "code_challenge_method": "S512"}, "invalid_request", 50147),
        ({"code_challenge_method": "S256"}, "invalid_request", 50147),
    ],
)
def test_every_other_error_goes_back_to_the_app(client, changed, error, expected):
    returned = client.returned(client.authorize_url(**changed))
    assert (returned["error"], number(returned), returned["state"]) == (error, expected, "the state")


def test_a_parameter_that_comes_twice_goes_back_to_the_app(client):
    assert number(client.returned(client.authorize_url() + "&nonce=1&nonce=2")) == 90013


def test_a_resource_that_was_never_registered_is_refused(client, sandbox):
    del sandbox.application.permissions["https://management.azure.com"]
    assert number(client.returned(client.authorize_url(scope="https://management.azure.com/.default"))) == 650057
    assert "code" in client.returned(client.authorize_url(scope=ARM))


def test_an_app_of_one_tenant_is_unknown_elsewhere(client, sandbox):
    sandbox.application.multi_tenant = False
    assert "AADSTS50194" in client.send("GET", client.authorize_url(tenant="common")).body.decode()
    assert "AADSTS700016" in client.send("GET", client.authorize_url(tenant=sandbox.other_tenant)).body.decode()
    assert "code" in client.returned(client.authorize_url())


def test_an_app_without_redirect_uris_or_with_one(client, sandbox):
    sandbox.application.redirect_uris[:] = []
    assert "AADSTS500113" in client.send("GET", client.authorize_url()).body.decode()
    sandbox.application.redirect_uris[:] = ["https://app.example/"]
    redirect = sandbox.consent(client.authorize_url(redirect_uri=None))
    assert redirect.startswith("https://app.example/?code=")


@pytest.mark.parametrize(
    "uri", ["http://localhost/callback", "http://localhost:1/callback", "http://127.0.0.1/callback"]
)
def test_loopback_redirects_to_any_port(client, uri):
    assert "code" in client.returned(client.authorize_url(redirect_uri=uri))


def test_redirect_uris_are_added_from_outside(client):
    uri = "https://integrator.example/oauth/callback"
    assert client.send("GET", client.authorize_url(redirect_uri=uri)).status == 400
    assert uri in client.control("POST", "redirect_uris", {"add": [uri]}).json["redirect_uris"]
    assert "code" in client.returned(client.authorize_url(redirect_uri=uri))


@pytest.mark.parametrize(("mode", "separator"), [("query", "?"), ("fragment", "#"), ("form_post", "?")])
def test_the_answer_comes_in_the_mode_that_was_asked(client, sandbox, mode, separator):
    redirect = sandbox.consent(client.authorize_url(response_mode=mode))
    assert redirect.startswith(f"{CALLBACK}{separator}code=")


def test_a_form_post_is_a_page_with_hidden_fields(client, visitor):
    visitor.consent(client.authorize_url(), "ben")
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    page = client.send("GET", client.authorize_url(response_mode="form_post"), headers={"Cookie": cookie})
    assert page.status == 200
    assert f'<form method="post" action="{CALLBACK}">'.encode() in page.body


def test_a_planted_refusal_strikes_as_often_as_it_was_told(client, sandbox):
    sandbox.entra.refusals.add(53003, endpoint="authorize")
    returned = client.returned(client.authorize_url())
    assert (returned["error"], number(returned)) == ("access_denied", 53003)
    assert "code" in client.returned(client.authorize_url())


@pytest.mark.parametrize("path", ["login", "proof", "consent"])
@pytest.mark.parametrize("body", [b"", b"flow=unknown&account=ada", b"flow=a&flow=b"])
def test_pages_without_a_sign_in_behind_them_say_so(client, sandbox, path, body):
    assert client.send("POST", f"{sandbox.authority}/common/{path}", body).status == 400
    assert client.send("GET", f"{sandbox.authority}/common/{path}").status == 400


def test_nobody_consents_before_signing_in(client, sandbox):
    page = client.send("GET", client.authorize_url()).body.decode()
    flow = page.partition('name="flow" value="')[2].partition('"')[0]
    body = urllib.parse.urlencode({"flow": flow, "decision": "accept"}).encode()
    assert client.send("POST", f"{sandbox.authority}/common/consent", body).status == 400


# --- administrators and signing out ----------------------------------------------------------------


def admin_url(client, sandbox, version="/v2.0", **changed):
    form = {"client_id": sandbox.client_id, "redirect_uri": CALLBACK, "state": "s", "scope": f"{VAULT} {ARM}"} | changed
    return f"{sandbox.authority}/{sandbox.tenant}{version}/adminconsent?{urllib.parse.urlencode(form)}"


def test_an_administrator_consents_for_the_tenant(client, sandbox):
    returned = client.returned(admin_url(client, sandbox))
    assert returned == {"admin_consent": "True", "tenant": sandbox.tenant, "scope": f"{VAULT} {ARM}", "state": "s"}
    assert "code" in client.returned(client.authorize_url(scope=f"{VAULT} {ARM}"), "ben", "cancel")


def test_the_first_generation_consents_to_all_that_is_registered(client, sandbox):
    returned = client.returned(admin_url(client, sandbox, ""))
    assert returned == {"admin_consent": "True", "tenant": sandbox.tenant, "state": "s"}
    assert "code" in client.returned(client.authorize_url(scope=f"{VAULT} User.Read"), "ben", "cancel")


@pytest.mark.parametrize(("user", "decision", "expected"), [("ben", "accept", 90094), ("ada", "cancel", 65004)])
def test_a_refused_admin_consent_says_why(client, sandbox, user, decision, expected):
    returned = client.returned(admin_url(client, sandbox), user, decision)
    assert (returned["admin_consent"], returned["error"], number(returned)) == ("True", "access_denied", expected)
    assert (returned["tenant"], returned["state"]) == (sandbox.tenant, "s")
    returned = client.returned(admin_url(client, sandbox, ""), user, decision)
    assert (returned["error"], number(returned), returned["state"]) == ("permission_denied", expected, "s")
    assert "admin_consent" not in returned


def test_the_page_of_an_admin_consent_names_the_organization(client, sandbox):
    page = page_after_picking(client, admin_url(client, sandbox), "ada")
    assert "all users in your organization" in page
    assert "Resource Manager" in page
    assert "Need admin approval" in page_after_picking(client, admin_url(client, sandbox), "ben")


@pytest.mark.parametrize("version", ["/v2.0", ""])
def test_admin_consent_by_organization_names_the_tenant_of_the_administrator(client, sandbox, version):
    url = admin_url(client, sandbox, version).replace(sandbox.tenant, "organizations")
    assert client.returned(url, "olga")["tenant"] == sandbox.other_tenant
    assert client.returned(url, "ada")["tenant"] == sandbox.tenant


def test_admin_consent_to_default_names_what_was_granted(client, sandbox):
    returned = client.returned(admin_url(client, sandbox, scope="https://vault.azure.net/.default"))
    assert returned["scope"] == f"{VAULT} https://vault.azure.net/.default"
    assert "code" in client.returned(client.authorize_url(scope=VAULT), "ben", "cancel")


def test_an_admin_consent_that_cannot_begin_says_so_in_its_own_way(client, sandbox):
    returned = client.returned(admin_url(client, sandbox, scope="x y"))
    assert (returned["admin_consent"], returned["error"], returned["tenant"]) == (
        "True",
        "invalid_client",
        sandbox.tenant,
    )
    sandbox.application.permissions["https://vault.azure.net"] = ()
    returned = client.returned(admin_url(client, sandbox, ""))
    assert (returned["error"], number(returned)) == ("permission_denied", 650057)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"client_id": "99999999-0000-0000-0000-000000000000"}, 700016),
        ({"redirect_uri": "https://evil.example/"}, 50011),
        ({"client_id": ""}, 900144),
    ],
)
@pytest.mark.parametrize("version", ["/v2.0", ""])
def test_admin_consent_stays_on_a_page_for_whom_it_cannot_trust(client, sandbox, version, changed, expected):
    page = client.send("GET", admin_url(client, sandbox, version, **changed))
    assert (page.status, page.headers["Location"]) == (400, None)
    assert f"AADSTS{expected}: " in page.body.decode()


def test_admin_consent_checks_the_same_things(client, sandbox):
    assert client.send("GET", admin_url(client, sandbox, redirect_uri="https://evil.example/")).status == 400
    assert client.send("GET", admin_url(client, sandbox).replace(sandbox.tenant, "common")).status == 400
    assert client.returned(admin_url(client, sandbox, scope="https://nobody.example/x"))["error"] == "invalid_resource"


def test_signing_out_ends_the_session_and_goes_where_an_app_is(client, sandbox, visitor):
    visitor.consent(client.authorize_url(), "ben")
    url = f"{sandbox.authority}/{sandbox.tenant}/oauth2/v2.0/logout?"
    out = visitor.consent(url + urllib.parse.urlencode({"post_logout_redirect_uri": CALLBACK, "state": "s"}))
    assert out == f"{CALLBACK}?state=s"
    assert query_of(visitor.consent(client.authorize_url(prompt="none")))["error"] == "login_required"
    with pytest.raises(Stopped, match="signed out"):
        visitor.consent(url + urllib.parse.urlencode({"post_logout_redirect_uri": "https://evil.example/"}))


def test_a_revoked_user_must_sign_in_again(client, sandbox, visitor):
    visitor.consent(client.authorize_url(), "ben")
    sandbox.entra.revoke("ben")
    assert query_of(visitor.consent(client.authorize_url(prompt="none")))["error"] == "login_required"
    assert "code" in query_of(visitor.consent(client.authorize_url(), "ben"))


# --- anything at all ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fuzzed(new_client):
    with Sandbox.start(vaults={"contoso": 0}) as sandbox:
        sandbox.certificate()
        client = new_client(sandbox)
        client.signed_in()
        yield client


PATHS = [
    f"/{tenant}/{rest}"
    for tenant in ("common", "sandbox.example.com", "consumers", "%00", "")
    for rest in (
        "oauth2/v2.0/token",
        "oauth2/token",
        "oauth2/v2.0/authorize",
        "oauth2/authorize",
        "oauth2/v2.0/devicecode",
        "v2.0/adminconsent",
        "oauth2/v2.0/logout",
        "login",
        "proof",
        "consent",
        "v2.0/.well-known/openid-configuration",
        "adminconsent",
        "oauth2/devicecode",
        "discovery/instance",
    )
] + ["/devicelogin"]
WORDS = st.sampled_from(
    [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "device_code",
        "code",
        CALLBACK,
        VAULT,
        "openid .default",
        "://",
        "https://vault.azure.net//.default",
        "none",
        "S256",
        '{"access_token":null}',
        '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}',
        "e30.e30.AAAA",
        "http://[",
        "1",
    ]
) | st.text(max_size=8)
NAMES = st.sampled_from(
    [
        "grant_type",
        "code",
        "scope",
        "resource",
        "client_secret",
        "client_assertion",
        "redirect_uri",
        "refresh_token",
        "response_type",
        "prompt",
        "login_hint",
        "state",
        "nonce",
        "claims",
        "code_challenge",
        "code_verifier",
        "flow",
        "account",
        "decision",
        "user_code",
        "post_logout_redirect_uri",
        "response_mode",
        "authorization_endpoint",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PATHS), st.sampled_from(["GET", "POST"]), st.dictionaries(NAMES, WORDS, max_size=8))
def test_no_request_breaks_entra(fuzzed, capfd, caplog, path, method, form):
    form = {"client_id": fuzzed.sandbox.client_id, "client_secret": fuzzed.sandbox.client_secret} | form
    text = urllib.parse.urlencode(form)
    url = f"{fuzzed.sandbox.authority}{path}"
    reply = fuzzed.send("GET", f"{url}?{text}") if method == "GET" else fuzzed.send("POST", url, text.encode())
    assert reply.status < 500
    assert capfd.readouterr().err == ""
    assert not caplog.records
