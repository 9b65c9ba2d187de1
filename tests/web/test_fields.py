"""Forms: every kind of field, drawn with its label, help and error, and never with a secret in it."""

from __future__ import annotations

import pytest
from flask import render_template_string
from web_house import WebHouse

from integrator.web import fields
from integrator.web.fields import Choice, Field, HowTo, filled, missing, with_errors

PAGE = '{% from "pieces/form.html" import form %}{{ form(fields, "Save", cancel="/connections", sticky=true, more=[("test", "Test")]) }}'
CHOICES = (Choice("data", "Data plane", "Use what is inside."), Choice("control", "Control plane", "Make vaults."))
KINDS = [
    fields.TEXT,
    fields.PASSWORD,
    fields.SECRET,
    fields.SELECT,
    fields.CHECKBOX,
    fields.TEXTAREA,
    fields.CARDS,
]


def drawn(web: WebHouse, *shown: Field) -> str:
    with web.app.test_request_context("/"):
        web.app.preprocess_request()
        return render_template_string(PAGE, fields=shown)


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_has_a_label_a_help_and_an_error_that_a_screen_reader_finds(web: WebHouse, kind: str) -> None:
    one = Field(
        "name", "Name of it", kind, help="Helps.", error="Name of it is missing.", required=True, choices=CHOICES
    )
    page = drawn(web, one)
    assert page.count("Name of it is missing.") == 2, "beside the field, and in the summary"
    assert 'href="#field-name"' in page
    assert 'id="field-name"' in page
    assert 'aria-describedby="field-name-help field-name-error"' in page
    assert 'id="field-name-help"' in page and 'id="field-name-error"' in page
    assert 'aria-invalid="true"' in page
    assert "(required)" in page
    assert "Name of it" in page


@pytest.mark.parametrize("kind", [fields.PASSWORD, fields.SECRET])
def test_what_is_secret_is_never_sent_back(web: WebHouse, kind: str) -> None:
    typed = filled([Field("secret", "Client secret", kind, stored="Set 12 Nov 2026")], {"secret": "s3cr3t"})
    page = drawn(web, *typed)
    assert "s3cr3t" not in page
    assert "Set 12 Nov 2026. Leave this empty to keep it." in page


def test_what_was_typed_is_kept_when_something_else_is_wrong(web: WebHouse) -> None:
    shown = [
        Field("name", "Name"),
        Field("plane", "API type", fields.CARDS, choices=CHOICES),
        Field("cloud", "Cloud", fields.SELECT, choices=CHOICES),
        Field("note", "Note", fields.TEXTAREA),
        Field("global", "Global", fields.CHECKBOX),
    ]
    sent = {"name": 'a"b<c>', "plane": "control", "cloud": "control", "note": "</textarea>x", "global": "yes"}
    page = drawn(web, *with_errors(filled(shown, sent), {"name": "No."}))
    assert 'value="a&#34;b&lt;c&gt;"' in page
    assert 'value="control" checked' in page
    assert '<option value="control" selected>' in page
    assert "&lt;/textarea&gt;x" in page
    assert 'name="global" value="yes" checked' in page


def test_what_is_required_and_empty_is_told_and_a_stored_secret_is_not_empty() -> None:
    shown = [
        Field("name", "Name", required=True),
        Field("secret", "Secret", fields.SECRET, required=True, stored="Set"),
        Field("note", "Note"),
    ]
    assert missing(shown, {"name": "  "}) == {"name": "Name is missing: fill it in."}


def test_help_unfolds_and_leads_to_the_documentation(web: WebHouse) -> None:
    how_to = HowTo("How to retrieve the client ID", ["Open the portal.", "Copy it."], "https://learn.test/x")
    page = drawn(web, Field("id", "Client ID", how_to=how_to, attributes={"hx-get": "/x", "data-a": '"'}))
    assert "<summary>How to retrieve the client ID</summary>" in page
    assert page.count("<li>") == 2
    assert 'rel="noreferrer"' in page
    assert 'hx-get="/x" data-a="&#34;"' in page


def test_a_form_holds_its_proof_and_its_buttons(web: WebHouse) -> None:
    page = drawn(web, Field("a", "A"))
    assert 'name="form" value="' in page
    assert '<button class="button" type="submit" name="test" value="yes">Test</button>' in page
    assert 'href="/connections">Cancel</a>' in page
    assert "is-sticky" in page
    assert "summary" not in page.partition("<form")[2].partition("</form>")[0].replace("<summary", "")
