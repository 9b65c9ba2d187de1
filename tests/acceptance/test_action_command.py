"""`integrator action` as people and scripts use it: outputs as JSON, inputs checked, secrets nowhere but with the caller."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from typing import Any

import pytest
from acceptance_house import COMMAND, TIMEOUT_SECONDS, House, Lab
from test_canary import Hunter

pytestmark = pytest.mark.acceptance

CANARY = "CanaryActionQx7v9Zr8"


def done(house: House, *arguments: str, connection: str = "fabrikam") -> Any:
    """The outputs of an action."""
    return house("action", connection, *arguments).json


def refused(house: House, *arguments: str, code: int, connection: str = "fabrikam") -> tuple[str, str]:
    """The code and the sentence of an action that fails: as JSON on standard output, and for a person."""
    ended = house("action", connection, *arguments, code=code)
    assert ended.json["error"]["message"] == ended.sentence
    return ended.json["error"]["code"], ended.sentence


def with_input(house: House, data: bytes, *arguments: str) -> str:
    """What a command prints that reads standard input."""
    ended = subprocess.run(
        [str(COMMAND), *arguments], input=data, capture_output=True, env=house.environment(), cwd=house.files,
        timeout=TIMEOUT_SECONDS, check=True,
    )  # fmt: skip
    return ended.stdout.decode()


def test_a_secret_is_created_read_listed_and_deleted(house: House, lab: Lab) -> None:
    made = done(house, "create_secret", "secretName=db", "value=pa55=word", "contentType=a/b", 'tags={"team": "blue"}')
    assert lab.secret("fabrikam", "db")["value"] == "pa55=word"
    read = done(house, "get_secret", "secretName=db")
    assert read == {"value": "pa55=word", **made}
    assert (read["contentType"], read["tags"]) == ("a/b", {"team": "blue"})
    assert [item["name"] for item in done(house, "list_secrets")["items"]] == ["db"]
    assert len(done(house, "list_secrets", connection="contoso")["items"]) == 60
    assert len(done(house, "list_secrets", "top=3", connection="contoso")["items"]) == 3
    assert done(house, "delete_secret", "secretName=db")["isSettled"] is True
    assert refused(house, "get_secret", "secretName=db", code=1)[0] == "not_found"


def test_what_is_encrypted_is_decrypted_and_what_is_signed_is_verified(house: House, lab: Lab) -> None:
    done(house, "create_key", "keyName=k", "keyType=RSA")
    given = done(house, "encrypt", "keyName=k", "algorithm=RSA-OAEP-256", "rawData=Ünï ☂")
    inputs = ("keyName=k", "algorithm=RSA-OAEP-256", f"encryptedData={given['encryptedData']}")
    assert done(house, "decrypt", *inputs)["rawData"] == "Ünï ☂"
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"text").digest()).decode()
    signed = done(house, "sign", "keyName=k", "algorithm=RS256", f"digest={digest}")
    inputs = ("keyName=k", "algorithm=RS256", f"digest={digest}", f"signature={signed['signature']}")
    assert done(house, "verify", *inputs)["isValid"] is True
    done(house, "delete_key", "keyName=k")
    done(house, "purge_key", "keyName=k")


@pytest.mark.parametrize(
    ("held", "stored"),
    [(b"one line\n", "one line"), (b"one line\r\n", "one line"), (b"two\nlines\n", "two\nlines\n"), (b"bare", "bare"),
     (b"\xff\x00", "/wA=")],
)  # fmt: skip
def test_a_value_comes_from_a_file_or_from_standard_input(house: House, lab: Lab, held: bytes, stored: str) -> None:
    house.file("held", held)
    done(house, "create_secret", "secretName=db", "value=@held")
    assert lab.secret("fabrikam", "db")["value"] == stored
    with_input(house, held, "action", "fabrikam", "create_secret", "secretName=piped", "value=-")
    assert lab.secret("fabrikam", "piped")["value"] == stored


def test_a_value_may_begin_with_what_means_a_file(house: House, lab: Lab) -> None:
    done(house, "create_secret", "secretName=db", "value=@@home")
    assert lab.secret("fabrikam", "db")["value"] == "@home"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("fly",), "Connection fabrikam has no action fly; it has: "),
        (("get_secret",), "Action get_secret needs secretName: "),
        (("get_secret", "secretName=a/b"), "secretName cannot be that: "),
        (("get_secret", "secretName=a", "keyName=b"), "Action get_secret has no parameter keyName; it takes: secretName."),
        (("get_secret", "secretName=a", "secretName=b"), "secretName is given twice."),
        (("get_secret", CANARY), "Argument 1 after the action is not KEY=VALUE."),
        (("create_secret", "secretName=a", f"value={CANARY}", "enabled=maybe"), "enabled is not true or false."),
        (("create_secret", "secretName=a", "value=@nowhere"), "value cannot be read from nowhere: No such file"),
        (("create_secret", "secretName=-", "value=-"), "Standard input can be read for one value only."),
        (("list_secrets", "top=all"), "top is not a whole number."),
        (("encrypt", "keyName=k", "algorithm=ROT13", f"rawData={CANARY}"), "algorithm is none of: RSA-OAEP-256"),
        (("get_secret", "secretName=a", "--bogus"), "No such option '--bogus'."),
    ],
)  # fmt: skip
def test_bad_input_ends_with_2_and_names_the_parameter(
    house: House, lab: Lab, arguments: tuple[str, ...], sentence: str
) -> None:
    _, told = refused(house, *arguments, code=2)
    assert told.startswith(sentence)
    assert CANARY not in told
    assert not lab.calls("fabrikam")


def test_other_failures_end_as_the_contract_says(house: House, lab: Lab) -> None:
    assert refused(house, "list_secrets", code=1, connection="nowhere")[0] == "NotFoundHere"
    lab.deny("fabrikam", "get")
    code, told = refused(house, "get_secret", "secretName=a", code=1)
    assert (code, "give it the role Key Vault Secrets User on the vault" in told) == ("forbidden", True)
    lab.control("POST", "refusals", code=7000222, endpoint="token", times=1)
    assert refused(house, "get_secret", "secretName=a", code=4)[0]


def test_the_actions_of_a_connection_are_listed_and_described_without_a_call(house: House, lab: Lab) -> None:
    listed = house("action", "fabrikam").out.splitlines()
    assert any(line.split() == ["get_secret", "no", "Get", "secret"] for line in listed)
    ids = {one["id"] for one in house("action", "fabrikam", "--json").json}
    assert {"encrypt_with_version", "create_certificate", "purge_secret"} <= ids
    assert len(listed) == len(ids) + 1
    told = house("action", "fabrikam", "get_secret", "--describe").out
    for word in ("secretName", "value", "secrets/get", "Key Vault Secrets User", "It changes nothing."):
        assert word in told
    described = house("action", "fabrikam", "get_secret", "--describe", "--json").json
    assert [one["name"] for one in described["outputs"] if one["secret"]] == ["value"]
    assert "has no action fly" in house("action", "fabrikam", "fly", "--describe", code=2).sentence
    assert house("action", "here").out == "This connection has no actions.\n"
    assert not lab.calls("fabrikam")


def test_what_changes_something_or_gives_a_secret_leaves_one_audit_row_without_a_value(house: House, lab: Lab) -> None:
    done(house, "create_secret", "secretName=db", f"value={CANARY}", f"contentType={CANARY}")
    done(house, "get_secret", "secretName=db")
    refused(house, "create_secret", "secretName=db", "value=", code=2)
    refused(house, "purge_secret", "secretName=nothing", code=1)
    rows = [row for row in house("audit", "list", "--json").json if row["action"] == "acted"]
    assert [(row["noun"], row["name"], row["detail"]) for row in rows] == [
        ("connection", "fabrikam", {"action": "purge_secret", "ended": "not_found", "secretName": "nothing"}),
        ("connection", "fabrikam", {"action": "get_secret", "ended": "done", "secretName": "db"}),
        ("connection", "fabrikam", {"action": "create_secret", "ended": "done", "secretName": "db"}),
    ]
    assert CANARY not in str(rows)


def test_secrets_reach_the_caller_and_nothing_else(house: House, lab: Lab) -> None:
    house.environ = {"LOGLEVEL": "DEBUG", "INTEGRATOR_LOG": "debug"}
    said: list[str] = []

    def ended(*arguments: str, code: int = 0) -> Any:
        found = house("action", "fabrikam", *arguments, code=code)
        said.append(found.err)
        return found.json

    with_input(house, CANARY.encode(), "action", "fabrikam", "create_secret", "secretName=db", "value=-")
    assert ended("get_secret", "secretName=db")["value"] == CANARY
    backup = ended("backup_secret", "secretName=db")["backup"]
    ended("create_key", "keyName=canary-key", "keyType=RSA")
    data = ended("encrypt", "keyName=canary-key", "algorithm=RSA-OAEP", f"rawData={CANARY}")["encryptedData"]
    assert ended("decrypt", "keyName=canary-key", "algorithm=RSA-OAEP", f"encryptedData={data}")["rawData"] == CANARY
    lab.fault(400, host="fabrikam")
    ended("create_secret", "secretName=db", f"value={CANARY}", code=1)
    ended("restore_secret", f"backup={backup}", code=1)
    hunter = Hunter({"value": CANARY, "backup": backup[:40], "client secret": lab.client_secret})
    hunter.look_into(house.home)
    for text in said:
        hunter.look("standard error", text)
    assert hunter.finds == []
    assert hunter.looked_at > 10
    ended("delete_key", "keyName=canary-key")
    ended("purge_key", "keyName=canary-key")
