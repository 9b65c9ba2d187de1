"""How apps prove themselves without a password, and how a machine does."""

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key, pkcs12

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ISSUER, SUBJECT = "https://token.actions.example", "repo:contoso/app"


def encode(data, *, padded=False):
    text = base64.urlsafe_b64encode(data).decode()
    return text if padded else text.rstrip("=")


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def refusal(reply):
    return reply.status, reply.json["error"], reply.json["error_codes"][0]


def sign(key, header, claims):
    signed = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    scheme = padding.PKCS1v15()
    if header["alg"] == "PS256":
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    return f"{signed}.{encode(key.sign(signed.encode(), scheme, hashes.SHA256()))}"


@pytest.fixture
def made(sandbox):
    return sandbox.certificate()


@pytest.fixture
def assertion(sandbox, made):
    """Makes a good assertion with some header members and claims changed, or left out when None."""

    def new(alg="RS256", *, padded=False, key=None, header=None, **changed):
        certificate = made.certificate
        x5t = encode(certificate.fingerprint(hashes.SHA1()), padded=padded)
        thumb = {"x5t": x5t}
        if alg == "PS256":
            thumb = {"x5t#S256": encode(certificate.fingerprint(hashes.SHA256()), padded=padded)}
        now = sandbox.clock.now()
        claims = {
            "aud": f"{sandbox.authority}/{sandbox.tenant}/oauth2/v2.0/token",
            "iss": sandbox.client_id,
            "sub": sandbox.client_id,
            "jti": "the same each time",
            "iat": now,
            "exp": now + 600,
        } | changed
        given = {name: value for name, value in claims.items() if value is not None}
        return sign(key or made.key, {"typ": "JWT", "alg": alg} | (thumb if header is None else header), given)

    return new


@pytest.fixture
def ask(client):
    def ask(assertion, **fields):
        form = {"client_secret": None, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        return client.ask_token(**(form | fields))

    return ask


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_a_certificate_proves_an_app_in_both_forms(client, ask, assertion, alg, padded):
    text = assertion(alg, padded=padded)
    claims = claims_of(ask(text).json["access_token"])
    assert claims["appidacr"] == "2"
    assert ask(text, client_id=None).status == 200


@pytest.mark.parametrize("place", ["/oauth2/token", "/v2.0", "/oauth2/v2.0/token"])
def test_an_assertion_may_be_made_out_to_either_generation(sandbox, ask, assertion, place):
    for tenant in (sandbox.tenant, "sandbox.example.com"):
        assert ask(assertion(aud=[f"{sandbox.authority}/{tenant}{place}"])).status == 200
    assert ask(assertion(aud=f"https://sts.windows.net/{sandbox.tenant}/")).status == 200


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"exp": None}, 50027),
        ({"exp": "soon"}, 50027),
        ({"exp": True}, 50027),
        ({"exp": float("nan")}, 50027),
        ({"exp": 10**400}, 50027),
        ({"exp": 1}, 700024),
        ({"nbf": 4_000_000_000, "exp": 4_000_000_600}, 700024),
        ({"aud": "https://evil.example/token"}, 700023),
        ({"aud": None}, 700023),
        ({"iss": "somebody"}, 700021),
        ({"sub": "somebody"}, 700021),
        ({"header": {"x5t": "AAAA"}}, 700027),
        ({"header": {}}, 700027),
        ({"header": {"x5t": 3}}, 700027),
        ({"header": {"x5t": "é"}}, 50027),
    ],
)
def test_a_bad_assertion_is_refused(ask, assertion, changed, expected):
    assert refusal(ask(assertion(**changed))) == (401, "invalid_client", expected)


def test_an_assertion_with_another_key_or_algorithm_is_refused(sandbox, ask, assertion, made):
    other = sandbox.certificate(register=False)
    assert refusal(ask(assertion(key=other.key)))[2] == 700027
    header, claims, _ = assertion().split(".")
    unsigned = encode(json.dumps({"alg": "none", "x5t": encode(made.certificate.fingerprint(hashes.SHA1()))}).encode())
    assert refusal(ask(f"{unsigned}.{claims}."))[2] == 700027
    assert refusal(ask(f"{header}.{claims}.AAAA"))[2] == 700027


@pytest.mark.parametrize("text", ["x", "a.b.c", "W10.W10.AAAA", "é.é.é", "." * 40_000])
def test_what_is_no_jwt_is_malformed(ask, made, text):
    assert refusal(ask(text)) == (401, "invalid_client", 50027)


def test_the_type_of_an_assertion_is_required(ask, assertion):
    assert refusal(ask(assertion(), client_assertion_type=None)) == (400, "invalid_request", 900144)
    assert refusal(ask(assertion(), client_assertion_type="saml")) == (400, "invalid_request", 90023)


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_a_certificate_proves_an_app_to_the_first_generation(client, sandbox, ask, assertion, alg):
    made_out = assertion(alg, aud=f"{sandbox.authority}/{sandbox.tenant}/oauth2/token")
    answer = ask(made_out, path="/oauth2/token", scope=None, resource="https://vault.azure.net").json
    assert (answer["resource"], answer["expires_in"]) == ("https://vault.azure.net", "3599")
    assert claims_of(answer["access_token"])["appidacr"] == "2"
    refused = ask(assertion(exp=1), path="/oauth2/token", scope=None, resource="https://vault.azure.net")
    assert refusal(refused) == (401, "invalid_client", 700024)


def test_an_expired_certificate_is_told_from_an_unknown_one(sandbox, ask, assertion, made):
    sandbox.clock.advance(366 * 86_400)
    reply = ask(assertion())
    assert refusal(reply) == (401, "invalid_client", 700027)
    assert "expired" in reply.json["error_description"]
    assert made.thumbprint in reply.json["error_description"]


def test_of_several_certificates_the_one_that_is_named_counts(sandbox, ask, assertion):
    sandbox.certificate()
    assert ask(assertion()).status == 200
    del sandbox.application.certificates[0]
    assert refusal(ask(assertion()))[2] == 700027


def test_a_certificate_comes_as_pfx_and_as_pem(sandbox, tmp_path):
    made = sandbox.certificate(password="open sesame", days=30)
    pfx, pem = made.save(tmp_path)
    assert pem.stat().st_mode & 0o777 == 0o600
    key, certificate, _ = pkcs12.load_key_and_certificates(pfx.read_bytes(), b"open sesame")
    assert certificate == made.certificate == x509.load_pem_x509_certificate(pem.read_bytes())
    assert key.private_numbers() == load_pem_private_key(pem.read_bytes(), None).private_numbers()
    remaining = made.certificate.not_valid_after_utc.timestamp() - time.time()
    assert 29 * 86_400 < remaining <= 30 * 86_400


def test_several_secrets_are_good_at_once_until_each_expires(client, sandbox):
    second = sandbox.application.add_secret("second", expires=sandbox.clock.now() + 60)
    assert client.ask_token(client_secret="second").status == 200
    assert client.ask_token().status == 200
    sandbox.clock.advance(61)
    assert second.expires < sandbox.clock.now()
    assert refusal(client.ask_token(client_secret="second"))[2] == 7000222
    assert client.ask_token().status == 200


def test_credentials_are_registered_from_outside(client, sandbox, ask, assertion, made):
    sandbox.application.certificates.clear()
    pem = made.certificate_pem.decode()
    assert client.control("POST", "certificates", {"pem": pem}).status == 200
    assert ask(assertion()).status == 200
    assert client.control("POST", "secrets", {"value": "third", "expires": 1}).status == 200
    assert refusal(client.ask_token(client_secret="third"))[2] == 7000222
    public_key = made.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    trust = {"issuer": "i", "subject": "s", "audience": "a", "public_key": public_key}
    assert client.control("POST", "trusts", trust).status == 200
    claims = {"iss": "i", "sub": "s", "aud": "a", "exp": sandbox.clock.now() + 60}
    assert ask(sign(made.key, {"alg": "RS256"}, claims)).status == 200
    for command, body in (("certificates", {"pem": "x"}), ("trusts", trust | {"public_key": "x"}), ("secrets", {})):
        assert client.control("POST", command, body).status == 400


# --- federated assertions ---------------------------------------------------------------------------


@pytest.fixture
def federated(sandbox):
    """Makes an assertion of an issuer that the app trusts, with some claims changed."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    sandbox.application.trust(ISSUER, SUBJECT, "api://AzureADTokenExchange", key.public_key())

    def new(signer=None, **changed):
        expires = sandbox.clock.now() + 600
        claims = {"iss": ISSUER, "sub": SUBJECT, "aud": "api://AzureADTokenExchange", "exp": expires} | changed
        return sign(signer or key, {"alg": "RS256", "kid": "1"}, claims)

    return new


def test_an_external_issuer_vouches_for_an_app(ask, federated):
    assert ask(federated()).status == 200


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"iss": "https://evil.example"}, 700211),
        ({"sub": "repo:evil/app"}, 700213),
        ({"aud": "api://other"}, 700212),
        ({"exp": 1}, 700024),
    ],
)
def test_a_federated_assertion_must_match_in_everything(ask, federated, changed, expected):
    assert refusal(ask(federated(**changed))) == (401, "invalid_client", expected)


def test_a_federated_assertion_is_signed_by_its_issuer(ask, federated, made):
    assert refusal(ask(federated(signer=made.key))) == (401, "invalid_client", 700027)


# --- managed identities -----------------------------------------------------------------------------


def get(url, headers=None):
    """Plain HTTP: status and JSON."""
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def machine(sandbox, headers=(("Metadata", "true"),), **parameters):
    query = {"api-version": "2018-02-01", "resource": "https://vault.azure.net"} | parameters
    url = f"{sandbox.identity_host}/metadata/identity/oauth2/token?{urllib.parse.urlencode(query)}"
    return get(url, dict(headers))


def app_service(sandbox, header=None, **parameters):
    query = {"api-version": "2019-08-01", "resource": "https://vault.azure.net"} | parameters
    url = f"{sandbox.identity_endpoint}?{urllib.parse.urlencode(query)}"
    return get(url, {"X-IDENTITY-HEADER": sandbox.identity_header if header is None else header})


@pytest.mark.parametrize("form", [machine, app_service])
def test_a_machine_gets_a_token_with_strings_for_numbers(client, sandbox, form):
    status, answer = form(sandbox)
    assert status == 200
    assert all(isinstance(value, str) for value in answer.values())
    assert int(answer["expires_on"]) > sandbox.clock.now() + 80_000
    assert claims_of(answer["access_token"])["oid"] == sandbox.entra.managed_identity.object_id
    reply = client.vault("GET", "/secrets", headers={"Authorization": f"Bearer {answer['access_token']}"})
    assert reply.status == 200
    assert "managed_identity" in sandbox.calls()


@pytest.mark.parametrize("form", [machine, app_service])
@pytest.mark.parametrize("name", ["client_id", "object_id"])
def test_an_identity_that_was_assigned_is_asked_by_name(sandbox, form, name):
    assigned = sandbox.entra.user_assigned_identity
    status, answer = form(sandbox, **{name: getattr(assigned, name)})
    assert (status, answer["client_id"]) == (200, assigned.client_id)
    assert form(sandbox, **{name: "nobody"})[0] == 400


def test_the_metadata_service_wants_its_header_and_version(sandbox):
    assert machine(sandbox, headers=())[0] == 400
    assert machine(sandbox, headers=(("Metadata", "true"), ("X-Forwarded-For", "10.0.0.1")))[0] == 400
    assert machine(sandbox, **{"api-version": "2000-01-01"})[0] == 400
    assert machine(sandbox, resource="https://nobody.example")[1]["error"] == "invalid_resource"
    assert get(f"{sandbox.identity_host}/metadata/instance")[0] == 404


def test_app_service_wants_its_secret_header(sandbox):
    assert app_service(sandbox, header="wrong")[0] == 401
    assert app_service(sandbox, **{"api-version": "2017-09-01"})[1]["statusCode"] == 400


def test_a_machine_without_an_identity_is_told_so(sandbox):
    sandbox.entra.managed_identity.enabled = False
    assert machine(sandbox) == (400, {"error": "invalid_request", "error_description": "Identity not found"})


def test_the_place_of_managed_identities_is_told_to_other_processes(client, sandbox):
    assert client.control("GET", "identity").json == {
        "identity_host": sandbox.identity_host,
        "identity_endpoint": sandbox.identity_endpoint,
        "identity_header": sandbox.identity_header,
    }


def test_faults_strike_managed_identities_too(sandbox):
    sandbox.faults.add("500", host="managed_identity")
    assert machine(sandbox)[0] == 500
    assert machine(sandbox)[0] == 200
