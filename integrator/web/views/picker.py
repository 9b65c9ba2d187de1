"""Parts of the connection's form that change while it is filled in: its scopes, and what its vault's URL is."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, abort, render_template, request

from connectors import registry as connectors
from integrator.web import unsent
from integrator.web.current import installation
from integrator.web.drafts import Sent
from integrator.web.forms import connection as form
from integrator.web.forms import connection_page
from integrator.web.forms.connection_page import ConnectionPage
from integrator.web.forms.vault_address import SETTING, recognized
from integrator.web.views.connection_form import CONNECTOR, FITTING, GO, LEFT_OUT, fitting

views: Final = Blueprint("picker", __name__)
_PARTS: Final = ("let_in", "tenant")


@views.post("/new/connection/scopes")
@unsent.kept_over_sign_in(without=LEFT_OUT, is_part=True)
def scopes() -> str:
    """The scopes that fit what is chosen now, and the tenant of the chosen iClient."""
    connector = request.form.get(CONNECTOR, "")
    if connector not in connectors.names():
        abort(404)
    typed = Sent(request.form)
    if request.form.get(GO) == FITTING:
        typed = fitting(connector, typed)
    chosen = connection_page.chosen_by(installation(), typed)
    page = ConnectionPage(connection_page.descriptor_of(connector), typed, chosen)
    parts = [render_template(f"pieces/{name}.html", page=page, how_to=page.how_to(), is_part=True) for name in _PARTS]
    return "".join(parts)


@views.get("/new/connection/vault-url")
def vault_url() -> str:
    """Which cloud this address is in, or what is wrong with it."""
    typed = request.args.get(form.SETTING + SETTING, "")[:2000]
    chosen = connection_page.chosen_by(installation(), Sent({"iclient": request.args.get("iclient", "")[:200]}))
    connector = request.args.get(CONNECTOR, "azure-key-vault")
    return render_template("pieces/recognized.html", told=recognized(typed, chosen.clouds, chosen.home, connector))
