"""What probes ask, the proof that the public URL reaches this installation, and for people how it does its work."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, jsonify, render_template, request

from connectors import registry as connectors
from iclients import registry as providers
from integrator import doctor
from integrator.errors import SealError, UserError
from integrator.findings import Finding
from integrator.reaching import PATH, proof
from integrator.store.listing_health import answers, database_now, schedule_now, workers_now
from integrator.store.sealed import key_file_mode, read_ring
from integrator.vitals import Vitals, servers
from integrator.web.current import installation, reading_pages

views: Final = Blueprint("health", __name__)

FEW: Final = 10
"""So many things of a kind that are wrong are shown; the command line tells all."""
KINDS: Final = ("keys", "iClient", "connection")


@views.get("/health/live")
def live() -> Response:
    """The process answers."""
    return jsonify(status="live")


@views.get("/health/ready")
def ready() -> tuple[Response, int]:
    """The database answers too; and where this process has a worker, flows that are due begin."""
    try:
        with reading_pages() as db:
            answers(db)
    except UserError:
        return jsonify(status="the database does not answer"), 503
    vitals = _vitals()
    if vitals is not None and vitals.stands_still:
        return jsonify(status=vitals.stands_still), 503
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
    """How it works: what is known at once. Checks that read every row come after the first paint."""
    return _page(None)


@views.get("/health/checks")
def checked() -> str:
    """The checks that read every row: as a part of the page, or, without a script, the page with them."""
    here = installation()
    findings = [*doctor.keys(here), *doctor.nouns(here)]
    if request.headers.get("HX-Request"):
        return render_template("pieces/health_checks.html", **_told(findings))
    return _page(findings)


def _page(findings: list[Finding] | None) -> str:
    here = installation()
    now = here.clock.now()
    with reading_pages() as db:
        known = {"schedule": schedule_now(db, now), "workers": workers_now(db), "database": database_now(db)}
    plugins = [one for one in doctor.plugins() if not one.is_ok]
    quick = [*doctor.folder(here), *doctor.schedule(here), *doctor.left_runs(here)]
    return render_template(
        "health.html",
        **known,
        **_told(findings),
        now=now,
        vitals=_vitals(),
        servers=servers(here.store),
        keys=_keys(),
        plugins={"load": not plugins, "connectors": connectors.names(), "providers": providers.names()},
        problems=[*plugins, *(one for one in quick if not one.is_ok)],
    )


def _told(findings: list[Finding] | None) -> dict[str, object]:
    """What is wrong, so many of them; and how many things are in order. None: nobody has looked yet."""
    if findings is None:
        return {"wrong": None, "more": 0, "fine": 0, "sealed": None}
    wrong = [one for one in findings if not one.is_ok]
    sealed = next((one for one in findings if one.subject == "keys" and one.is_ok), None)
    of_kinds = [[one for one in wrong if one.subject.startswith(kind)] for kind in KINDS]
    shown = [one for kind in of_kinds for one in kind[:FEW]]
    return {"wrong": shown, "more": len(wrong) - len(shown), "fine": len(findings) - len(wrong), "sealed": sealed}


def _keys() -> dict[str, object]:
    """The key file: where it is, who may read it, which keys are in it. Never a key."""
    path = installation().config.key_file
    try:
        ring = read_ring(path)
    except SealError as error:
        return {"place": str(path), "mode": key_file_mode(path), "ring": (), "error": str(error)}
    return {"place": str(path), "mode": key_file_mode(path), "ring": ring.keys if ring else (), "error": ""}


def _vitals() -> Vitals | None:
    found = installation().vitals
    return found() if found else None
