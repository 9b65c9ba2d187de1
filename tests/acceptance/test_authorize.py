"""Save & authorize from the command line, with people who accept, decline, come late or not at all."""

from __future__ import annotations

import copy
import subprocess
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from acceptance_house import House, Lab, finish

from connectors.azure_key_vault.sandbox.visitor import consent, enter_code

pytestmark = pytest.mark.acceptance

SCOPE = "https://vault.azure.net/user_impersonation"


@pytest.fixture
def person(house: House, lab: Lab) -> House:
    """An installation whose connections need a person's consent."""
    lab.control("POST", "settings", device_interval_seconds=1, refresh_rotation="entra", access_token_seconds=3600)
    house.apply(document(lab, "authorization_code"))
    return house


def document(lab: Lab, auth: str) -> dict[str, Any]:
    made = copy.deepcopy(lab.document)
    made["iclients"][0]["scopes"] = [SCOPE]
    for connection in made["connections"]:
        if "settings" in connection and "vault_url" in connection["settings"]:
            connection["auth"] = auth
    return made


def begun(house: House, *options: str) -> tuple[subprocess.Popen[str], str]:
    process = house.start("connections", "authorize", "contoso", "--json", *options)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("Open: https://"), line
    return process, line.removeprefix("Open: ").strip()


def ended(process: subprocess.Popen[str], code: int) -> Any:
    return finish(process, ("connections", "authorize")).ended(code)


def visit(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_connection_nobody_consented_to_says_what_to_do(person: House) -> None:
    assert "integrator connections authorize contoso" in person("connections", "test", "contoso", code=4).sentence


def test_a_person_accepts_and_the_connection_is_online(person: House, lab: Lab) -> None:
    process, url = begun(person)
    assert visit(consent(url, "ada", "accept", ca_file=lab.cloud["ca_file"])) == 200
    done = ended(process, 0).json
    assert (done["ok"], done["account"].split("@")[0]) == (True, "ada")
    person("connections", "test", "contoso")


def test_wrong_callbacks_are_answered_400_and_the_waiting_goes_on(person: House, lab: Lab) -> None:
    process, url = begun(person)
    callback = consent(url, "ada", "accept", ca_file=lab.cloud["ca_file"])
    bare = callback.partition("?")[0]
    assert [visit(f"{bare}{query}") for query in ("?code=x&state=wrong", "", "?error=access_denied")] == [400] * 3
    assert visit(bare.replace("callback", "other")) == 404
    assert visit(callback) == 200
    ended(process, 0)


def test_a_consent_that_fails_leaves_a_working_token_as_it_was(person: House, lab: Lab) -> None:
    process, url = begun(person)
    visit(consent(url, "ada", "accept", ca_file=lab.cloud["ca_file"]))
    ended(process, 0)
    lab.control("POST", "consent/remove", user="ben")
    process, url = begun(person)
    visit(consent(url, "ben", "cancel", ca_file=lab.cloud["ca_file"]))
    assert "cancelled" in ended(process, 4).err
    process, _ = begun(person, "--timeout", "1")
    assert "Nobody came back" in ended(process, 4).err
    person("connections", "test", "contoso")


def test_a_code_typed_on_any_device_lets_the_connection_in(person: House, lab: Lab) -> None:
    person.apply(document(lab, "device_code"))
    process, url = begun(person)
    assert process.stderr is not None
    code = process.stderr.readline().removeprefix("Code: ").strip()
    enter_code(url, code, "ben", "accept", ca_file=lab.cloud["ca_file"])
    assert ended(process, 0).json["account"].startswith("ben")


def test_many_processes_with_an_ended_token_send_one_refresh(person: House, lab: Lab) -> None:
    lab.control("POST", "settings", refresh_rotation="reuse_revokes", access_token_seconds=1)
    process, url = begun(person)
    visit(consent(url, "ada", "accept", ca_file=lab.cloud["ca_file"]))
    ended(process, 0)
    lab.control("POST", "settings", access_token_seconds=3600)
    lab.control("POST", "calls/reset")
    lab.control("POST", "clock", advance=30)
    with ThreadPoolExecutor(4) as pool:
        tests = [pool.submit(person, "connections", "test", "contoso") for _ in range(4)]
        assert [test.result().code for test in tests] == [0] * 4
    assert lab.calls("entra")["refresh_token"] == 1


def test_a_revoked_consent_needs_authorization_again(person: House, lab: Lab) -> None:
    lab.control("POST", "settings", access_token_seconds=1)
    process, url = begun(person)
    visit(consent(url, "ada", "accept", ca_file=lab.cloud["ca_file"]))
    ended(process, 0)
    lab.control("POST", "users/revoke", user="ada")
    lab.control("POST", "clock", advance=30)
    assert "was revoked" in person("connections", "test", "contoso", code=4).sentence


def test_a_consent_is_nowhere_in_the_clear(person: House, lab: Lab) -> None:
    process, url = begun(person)
    callback = consent(url, "ada", "accept", ca_file=lab.cloud["ca_file"])
    visit(callback)
    printed = ended(process, 0)
    code = callback.partition("code=")[2].partition("&")[0]
    for text in (code, "eyJ"):
        assert text not in printed.out + printed.err
        assert all(text.encode() not in path.read_bytes() for path in person.home.rglob("*") if path.is_file())


def test_what_needs_no_consent_says_so(house: House, lab: Lab) -> None:
    house.apply(lab.document)
    assert "for which nobody consents" in house("connections", "authorize", "contoso", code=1).sentence
