"""What is used is not deleted, and its page says by what without naming thousands."""

from __future__ import annotations

import re

from web_house import WebHouse

from integrator.web.deletion import MOST_USERS


def test_the_first_users_are_named_and_the_others_stand_in_a_list(web: WebHouse) -> None:
    many = MOST_USERS + 7
    export, target = {"connection": "contoso", "resource": "secrets"}, {"connection": "fabrikam", "resource": "secrets"}
    steps = [{"import": {**target, "operation": "upsert"}}]
    flows = [{"name": f"copy-{number:03}", "exports": [export], "steps": steps} for number in range(many)]
    web.apply({"version": 1, "flows": flows})
    browser = web.signed_in()
    page = browser.get("/connections/contoso/delete").text
    assert f"{many} flows need it" in page
    assert len(re.findall(r'href="/flows/copy-\d{3}"', page)) == MOST_USERS
    assert 'href="/flows?q=contoso">and 7 more</a>' in page
    assert "copy-000" in browser.get("/flows?q=contoso").text


def test_where_all_can_be_named_no_list_is_spoken_of(web: WebHouse) -> None:
    page = web.signed_in().get("/iclients/sandbox-app/delete").text
    assert 'href="/connections/contoso"' in page
    assert " more</a>" not in page
