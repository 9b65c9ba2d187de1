"""Codecs in the flow's form: chosen beside a row, kept as the document has them, shown by the preview."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from web_house import WebHouse
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from connectors.azure_key_vault.sandbox import Sandbox
from flows.model import MappingRule
from flows.names import CODECS

NEW = "/new/flow"


class NamesHouse(WebHouse):
    """An installation with a file of environment variables beside the vaults."""

    def document(self) -> dict[str, Any]:
        made = self.sandbox.document()
        (self.folder / "in.csv").write_text("key,value\nDB_PASSWORD,one\nMixed_Case,two\n")
        made["connections"].append({"name": "files", "connector": "files", "settings": {"folder": str(self.folder)}})
        return made


@pytest.fixture
def web(sandbox: Sandbox, tmp_path: Path) -> Iterator[NamesHouse]:
    made = NamesHouse(sandbox, tmp_path)
    yield made
    made.close()


def typed(*rows: tuple[str, str, str], go: str = "save") -> dict[str, Any]:
    """The form with these rows: target field, what it takes, and what becomes of that as a name."""
    to, text, name = map(list, zip(*rows, strict=True))
    ends = {"source.connection": "files", "source.resource": "in.csv"}
    ends |= {"target.connection": "fabrikam", "target.resource": "secrets", "target.operation": "upsert"}
    schedule = {"schedule.preset": "none", "schedule.timezone": "UTC", "schedule.missed": "once"}
    columns = {"rule.to": to, "rule.kind": ["from"] * len(to), "rule.text": text, "rule.name": name}
    return {"name": "nightly", "go": go, **ends, **schedule, **columns}


def sent(web: NamesHouse, form: dict[str, Any], path: str = NEW) -> TestResponse:
    browser = web.signed_in()
    return browser.post(path, data=MultiDict({"form": web.proof(browser), **form}))


def rules(web: NamesHouse) -> tuple[MappingRule, ...]:
    with web.installation.store.reading() as there:
        return there.flows.get("nightly").last_rules


def chosen(page: TestResponse) -> list[str]:
    """What each row's select shows."""
    blocks = re.findall(r'<select[^>]*name="rule.name".*?</select>', page.text, re.DOTALL)
    return [next(iter(re.findall(r'value="([^"]*)" selected', block)), "") for block in blocks]


def test_what_is_chosen_is_kept_and_shown_again(web: NamesHouse) -> None:
    answer = sent(
        web, typed(("name", "key", "codec:env"), ("value", "value", ""), ("content_type", "key", "decode:path"))
    )
    assert answer.headers["Location"] == "/flows/nightly"
    assert rules(web) == (
        MappingRule("name", "key", codec="env"),
        MappingRule("value", "value"),
        MappingRule("content_type", "key", decode="path"),
    )
    assert chosen(web.signed_in().get("/flows/nightly/edit")) == ["codec:env", "", "decode:path"]


def test_a_row_that_is_moved_takes_its_codec_along(web: NamesHouse) -> None:
    form = typed(("value", "value", ""), ("name", "key", "codec:env"), go="row-up-1")
    assert chosen(sent(web, form)) == ["codec:env", ""]


def test_every_codec_can_be_chosen_in_both_directions_and_is_explained(web: NamesHouse) -> None:
    page = unescape(sent(web, typed(("name", "key", ""), ("value", "value", ""), go="row-up-1")).text)
    for name, codec in CODECS.items():
        assert f'value="codec:{name}"' in page
        assert f'value="decode:{name}"' in page
        assert codec.help in page


def test_a_codec_that_there_is_not_is_told_beside_its_row(web: NamesHouse) -> None:
    answer = sent(web, typed(("name", "key", "codec:rot13"), ("value", "value", "")))
    assert answer.status_code == 422
    assert "Row 1 cannot work: There is no codec rot13; there are: env, dotnet" in unescape(answer.text)


def test_the_preview_shows_the_name_that_is_made_and_what_cannot_be_made(web: NamesHouse) -> None:
    page = unescape(sent(web, typed(("name", "key", "codec:env"), ("value", "value", ""), go="preview")).text)
    assert "db-password" in page
    assert "'Mixed_Case' makes no name with codec env" in page
