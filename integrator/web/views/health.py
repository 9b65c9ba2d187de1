"""What probes ask, and the proof that the public URL reaches this installation."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, jsonify, request

from integrator.errors import UserError
from integrator.reaching import PATH, proof
from integrator.web.current import installation

views: Final = Blueprint("health", __name__)


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
