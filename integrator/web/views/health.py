"""What probes ask, the proof that the public URL reaches this installation, and for people the doctor's findings."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, jsonify, render_template, request

from integrator.doctor import examine
from integrator.errors import UserError
from integrator.reaching import PATH, proof
from integrator.web.current import installation

views: Final = Blueprint("health", __name__)

_MANY: Final = ("connection ", "iClient ")


@views.get("/health/live")
def live() -> Response:
    """The process answers."""
    return jsonify(status="live")


@views.get("/health/ready")
def ready() -> tuple[Response, int]:
    """The database answers too."""
    try:
        with installation().store.reading() as stored:
            stored.connections.names()
    except UserError:
        return jsonify(status="the database does not answer"), 503
    return jsonify(status="ready"), 200


@views.get(PATH)
def proven() -> tuple[Response, int]:
    """The proof for a challenge (`integrator.reaching`)."""
    try:
        return jsonify(proof=proof(installation().store, request.args.get("challenge", ""))), 200
    except ValueError as error:
        return jsonify(error=str(error)), 400


@views.get("/health")
def shown() -> str:
    """What the doctor finds, what is wrong first; of connections and iClients only what is wrong, for they are many."""
    findings = sorted(examine(installation()), key=lambda finding: finding.is_ok)
    told = [one for one in findings if not (one.is_ok and one.subject.startswith(_MANY))]
    wrong = sum(not finding.is_ok for finding in findings)
    return render_template("health.html", findings=told, wrong=wrong, untold=len(findings) - len(told))
