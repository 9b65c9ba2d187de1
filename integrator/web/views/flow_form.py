"""Making and changing a flow: the form, what is told beside it while it is filled in, its preview, and its end.

Every button also works by a plain post: then the whole page comes back with what was typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, abort, make_response, render_template, request, url_for

from flows.schemas import FlowSchema
from integrator import rehearsal
from integrator.access import CHANGE, may
from integrator.errors import InUse
from integrator.preview import Preview, preview
from integrator.rehearsal import rehearsed
from integrator.store.listing_ends import ends
from integrator.web import unsent
from integrator.web.current import installation, person, reading_pages
from integrator.web.drafts import Sent
from integrator.web.entering import toast
from integrator.web.forms import applying, flow_actions, flow_mapping, flow_options, flow_schedule
from integrator.web.forms import flow as form
from integrator.web.forms.flow_page import FlowPage
from integrator.web.moments import moment, zone
from integrator.web.redirects import see_other

views: Final = Blueprint("form", __name__)
NOUN: Final = "flows"
GO: Final = "go"
PREVIEW: Final = "preview"
REDRAW: Final = "redraw"
RECORDS: Final = 3
"""So many records the preview shows."""
_PARTS: Final = ("source", "actions", "mapping", "destination")
_FIELD_OF: Final = {
    rehearsal.FILTER: form.SOURCE + "where",
    rehearsal.MAPPING: form.RULES,
    rehearsal.DESTINATION: form.TARGET + "resource",
    rehearsal.ACTIONS: "act.0.action",
}


@views.get("/new/flow")
def new() -> Response:
    """An empty form, or, with one to clone, that one's under no name yet."""
    _refuse_readers()
    if clone := request.args.get("clone"):
        typed = form.typed_of(_stored(clone), str(zone()))
        typed[form.NAME] = ""
        return _shown(typed)
    if again := unsent.typed_again():
        return _shown(again)
    typed = form.usual(str(zone()))
    for end in ("source", "target"):
        typed[f"{end}.connection"] = request.args.get(end, "")
    return _shown(typed)


@views.post("/new/flow")
@unsent.kept_over_sign_in(without=(GO,))
def made() -> Response:
    """What one of the form's buttons does."""
    return _done(None)


@views.get("/flows/<name>/edit")
def edited(name: str) -> Response:
    """The form of a flow that there is."""
    _refuse_readers(name)
    return _shown(unsent.typed_again() or form.typed_of(_stored(name), str(zone())), stored=name)


@views.post("/flows/<name>/edit")
@unsent.kept_over_sign_in(without=(GO,))
def changed(name: str) -> Response:
    """What one of the form's buttons does, for a flow that there is."""
    return _done(_stored(name))


@views.post("/new/flow/check")
@unsent.kept_over_sign_in(without=(GO,), is_part=True)
def checked() -> str:
    """What is to be told beside what is typed, as parts that find their places by themselves."""
    return render_template("flow_pieces/checked.html", page=_page(Sent(request.form)))


@views.post("/new/flow/part/<part>")
@unsent.kept_over_sign_in(without=(GO,), is_part=True)
def redrawn(part: str) -> str:
    """One part of the form anew: other choices, or other rows."""
    if part not in _PARTS:
        abort(404)
    typed = Sent(request.form)
    pressed = typed.get(GO, "")
    page = _page(typed, focused=_press(typed, pressed))
    return render_template("flow_pieces/redrawn.html", page=page, part=part)


@views.post("/new/flow/preview")
@views.post("/flows/<name>/preview")
@unsent.kept_over_sign_in(without=(GO,), is_part=True)
def previewed(name: str = "") -> str:
    """What the first records would become."""
    typed = Sent(request.form)
    page = _page(typed, stored=name)
    return render_template("flow_pieces/previewed.html", page=_page(typed, stored=name, found=_previewed(page)))


@views.get("/flows/<name>/delete")
def asked_to_delete(name: str) -> str:
    """What would be gone."""
    _stored(name)
    return _deletion(name)


@views.post("/flows/<name>/delete")
def deleted(name: str) -> Response:
    """Delete it, where its name was typed and no run of it is under way."""
    if request.form.get("name", "").strip() != name:
        return make_response(_deletion(name, "This is another name: type the name of the flow."), 422)
    try:
        with installation().store.writing() as stored:
            stored.flows.delete(name)
    except InUse as error:
        return make_response(_deletion(name, in_use=str(error)), 409)
    toast(f"Flow {name} is deleted.")
    return see_other(url_for("flows.listed"))


def _done(before: Mapping[str, Any] | None) -> Response:
    """Answer the button that was pressed."""
    typed = Sent(request.form)
    stored = str(before["name"]) if before else ""
    if stored:
        typed[form.NAME] = stored
    pressed = typed.get(GO, "")
    if pressed.startswith(flow_mapping.BUTTONS):
        typed["part"] = "mapping"
        return _shown(typed, focused=_press(typed, pressed), stored=stored)
    if pressed.startswith(flow_actions.BUTTONS):
        typed["part"] = "actions"
        return _shown(typed, focused=_press(typed, pressed), stored=stored)
    if pressed == PREVIEW:
        typed["part"] = "mapping"
        return _shown(typed, stored=stored, found=_previewed(_page(typed, stored=stored)))
    if pressed == REDRAW:
        return _shown(typed, stored=stored)
    return _saved(typed, before)


def _press(typed: Sent, pressed: str) -> str:
    """Let rows or steps be as this button wants them; gives where the focus goes."""
    if pressed.startswith(flow_actions.BUTTONS):
        flow_actions.put(typed, flow_actions.pressed(flow_actions.acts_of(typed), pressed))
        return flow_actions.ADD
    lines = flow_mapping.lines_of(typed)
    if pressed == flow_mapping.SAME:
        page = _page(typed)
        source, target = (end.chosen if end else None for end in (page.source, page.target))
        found = _previewed(page).fields if source is None or source.open_fields else source.fields
        lines = flow_mapping.same_fields(lines, found, source, target)
    elif pressed.startswith(flow_mapping.BUTTONS):
        lines = flow_mapping.pressed(lines, pressed)
    flow_mapping.put(typed, lines)
    return flow_mapping.focus_after(pressed, len(lines))


def _saved(typed: Sent, before: Mapping[str, Any] | None) -> Response:
    here, document = installation(), form.document_of(typed, before, _page(typed).target)
    name = document["name"]
    errors = _errors(typed, document)
    if not errors:
        told = applying.applied(here, NOUN, document, form.labels(typed), is_new=before is None)
        lines = flow_mapping.lines_of(typed)
        errors = {form.field_of(path, lines, typed): sentence for path, sentence in told.items()}
    if errors:
        return _shown(typed, errors=errors, stored=name if before else "")
    toast(f"Flow {name} is saved. {_next(name)}")
    return see_other(url_for("flows.shown", name=name))


def _errors(typed: Sent, document: Mapping[str, Any]) -> dict[str, str]:
    page, lines = _page(typed), flow_mapping.lines_of(typed)
    own = form.wrong(typed, page.source, page.target)
    own |= flow_actions.wrong(flow_actions.acts_of(typed), page.rows)
    own |= flow_options.wrong(page.target.chosen if page.target else None, document["steps"][-1].get("import", {}))
    judged = applying.judged(NOUN, document, form.labels(typed))
    told = {form.field_of(path, lines, typed): sentence for path, sentence in judged.items()}
    if any(name.startswith("rule.") for name in own):
        told.pop(form.RULES, None)
    for prefix in (form.SOURCE, form.TARGET):
        if prefix + "connection" in own:
            told.pop(prefix + "resource", None)
    if typed.get(flow_schedule.PRESET) != flow_schedule.OWN:
        told.pop(flow_schedule.CRON, None)
    errors = {**told, **own}
    if not errors and (refusal := rehearsed(installation(), FlowSchema().load(dict(document)))):
        errors = {_FIELD_OF[refusal.part]: refusal.sentence}
    return errors


def _next(name: str) -> str:
    """When it runs."""
    with installation().store.reading() as stored:
        due = stored.flows.next_due().get(name)
        is_paused, has_schedule = name in stored.flows.paused(), stored.flows.get(name).schedule is not None
    if due is not None:
        return f"It runs next on {moment(due)}."
    return "It is paused." if is_paused and has_schedule else "It runs when you start it."


def _previewed(page: FlowPage) -> Preview:
    flow = page.flow()
    if flow is None:
        return Preview(problem="Choose a source first: its first records are shown here.")
    return preview(installation(), flow, RECORDS)


def _page(
    typed: Sent,
    *,
    errors: Mapping[str, str] | None = None,
    stored: str = "",
    found: Preview | None = None,
    focused: str = "",
) -> FlowPage:
    with reading_pages() as db:
        rows = ends(db)
    return FlowPage(typed, rows, installation().clock.now(), errors or {}, stored, found, focused)


def _shown(
    typed: Sent,
    *,
    errors: Mapping[str, str] | None = None,
    stored: str = "",
    found: Preview | None = None,
    focused: str = "",
) -> Response:
    page = _page(typed, errors=errors, stored=stored, found=found, focused=focused)
    text = render_template(
        "flow_form.html",
        page=page,
        schedules=flow_schedule,
    )
    return make_response(text, 422 if errors else 200)


def _deletion(name: str, error: str = "", in_use: str = "") -> str:
    return render_template("flow_delete.html", name=name, error=error, in_use=in_use)


def _stored(name: str) -> dict[str, Any]:
    """Its document. Raises NotFoundHere."""
    with installation().store.reading() as stored:
        return stored.flows.document(stored.flows.get(name))


def _refuse_readers(name: str = "") -> None:
    user = person()
    if user is None or not may(user, CHANGE, NOUN, name):
        abort(403)
