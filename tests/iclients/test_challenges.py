"""What a 401 demands of the next token: read where it can be read, and nothing where it cannot."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iclients.answers import Answer
from iclients.challenges import MAX_CLAIMS, claims_demanded

CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'
BASE64 = b64encode(CLAIMS.encode()).decode()
ODD = '{"access_token":{"acrs":{"essential":true,"value":"c1?>~\u00fc\u00ff"}}}'


def asked(header: str, status: int = 401) -> str:
    return claims_demanded(Answer(status, {"www-authenticate": header}, b""))


def challenge(claims: str) -> str:
    return f'Bearer realm="", authorization_uri="https://login.test/x", error="insufficient_claims", claims="{claims}"'


def test_a_claims_challenge_gives_its_claims() -> None:
    assert asked(challenge(BASE64)) == CLAIMS


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("padding", ["", "="], ids=["bare", "padded"])
def test_claims_come_in_either_alphabet_with_padding_or_without(encode: object, padding: str) -> None:
    text = encode(ODD.encode()).decode()  # type: ignore[operator]
    assert asked(challenge(text if padding else text.rstrip("="))) == ODD


@pytest.mark.parametrize(
    "header",
    [
        f'Bearer claims="{BASE64}", error="insufficient_claims"',
        f'bearer CLAIMS="{BASE64}",ERROR="insufficient_claims"',
        f'Bearer error=insufficient_claims, claims = "{BASE64}"',
        f'Basic realm="a, b", Bearer realm="say \\"hello\\"", error="insufficient_claims", claims="{BASE64}"',
    ],
)
def test_a_challenge_is_read_in_any_order_case_and_quoting(header: str) -> None:
    assert asked(header) == CLAIMS


@pytest.mark.parametrize("status", [200, 403, 500])
def test_only_a_401_demands(status: int) -> None:
    assert asked(challenge(BASE64), status) == ""


@pytest.mark.parametrize(
    "header",
    [
        "",
        'Bearer authorization="https://login.test/t", resource="https://vault.azure.net"',
        f'Bearer error="invalid_token", claims="{BASE64}"',
        'Bearer error="insufficient_claims"',
        challenge(""),
        challenge("===="),
        challenge("%%%"),
        challenge("A"),
        challenge(b64encode(b"\xff\xfe").decode()),
        challenge(b64encode(b"not json").decode()),
    ],
)
def test_what_demands_nothing_or_cannot_be_read_is_no_demand(header: str) -> None:
    assert asked(header) == ""


@pytest.mark.parametrize(
    "document",
    ["[]", "1", "null", '"text"', '{"access_token": null}', '{"access_token": []}', '{"access_token": {}, "more": 1}'],
)
def test_claims_that_are_no_objects_are_no_demand(document: str) -> None:
    assert asked(challenge(b64encode(document.encode()).decode())) == ""


@pytest.mark.parametrize("depth", [60, 900, 1400])
def test_claims_that_go_on_and_on_are_no_demand(depth: int) -> None:
    deep = '{"access_token":' + '{"a":' * depth + "1" + "}" * depth + "}"
    assert asked(challenge(b64encode(deep.encode()).decode())) == ""


def test_claims_have_a_limit() -> None:
    long = json.dumps({"access_token": {"acrs": {"value": "x" * MAX_CLAIMS}}})
    assert asked(challenge(b64encode(long.encode()).decode())) == ""


@given(st.text(max_size=200), st.binary(max_size=60))
def test_no_header_can_do_harm(text: str, claims: bytes) -> None:
    assert isinstance(asked(text), str)
    found = asked(challenge(b64encode(claims).decode()))
    assert found == "" or isinstance(json.loads(found), dict)
