"""`integrator flows`: list, show, estimate, run, next, pause, resume, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from integrator.cli.nouns import add_delete, document_of
from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json, print_table
from integrator.cli.running import foretell, run_and_tell

if TYPE_CHECKING:
    from integrator.store.store import Transaction


@click.group()
def flows() -> None:
    """Flows that move records. Make or change one with a document: `integrator apply FILE`."""


@flows.command("list")
@json_option
def list_flows(as_json: bool) -> None:
    """Every flow, by name, and when it is due next."""
    with opened() as installation, installation.store.reading() as stored:
        next_due = stored.flows.next_due()
        documents = [_document(stored, name, next_due) for name in stored.flows.names()]
    if as_json:
        print_json(documents)
        return
    heads = ("name", "from", "to", "schedule", "next run")
    print_table(
        heads, list(map(_cells, documents)), "No flow yet: write one into a document and run `integrator apply FILE`."
    )


@flows.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One flow, as a document has it; whether it is paused, and when it is due next."""
    from integrator.documents import text
    from integrator.step_words import cautions, numbered, steps_in_words

    with opened() as installation:
        with installation.store.reading() as stored:
            document, flow = _document(stored, name, stored.flows.next_due()), stored.flows.get(name)
        told = [*numbered(steps_in_words(flow)), *cautions(installation, flow)]
    if as_json:
        print_json(document)
    else:
        click.echo(text(document) + "".join(f"# {line}\n" for line in told), nl=False)


@flows.command()
@click.argument("name")
@json_option
def run(name: str, as_json: bool) -> int:
    """Run a flow now, with progress, and tell what it did.

    Ctrl-C stops after the pages that are complete; the last line then says how to go on. Ends 0 when everything
    went well, 3 when single records failed (`integrator runs errors ID`), 1 when the run failed, 4 when a connection
    needs authorization, 5 when a safety limit refused it.
    """
    with opened() as installation:
        foretold = foretell(installation, name, not as_json)
        return run_and_tell(installation, lambda runner: runner.run(name), as_json, foretold)


@flows.command()
@click.argument("name")
@json_option
def estimate(name: str, as_json: bool) -> None:
    """What a run of a flow would take: calls, by what they do, and time. Nothing is changed, and no value is read.

    Both ends are listed, the first 400 calls of it; a larger one is told as "at least".
    """
    from integrator.estimating import counted

    with opened() as installation:
        found = counted(installation, name)
    if as_json:
        print_json(found.document())
    else:
        click.echo(found.sentence)


@flows.command("next")
@click.argument("name")
@click.option("--count", type=click.IntRange(1, 1000), default=5, help="How many. Default: 5.")
@json_option
def next_runs(name: str, count: int, as_json: bool) -> None:
    """When a flow is due, the next few times, in its own time zone."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from flows.errors import FlowDefinitionError
    from flows.schedule import in_words
    from integrator.errors import UserError
    from integrator.scheduler import next_dues

    with opened() as installation, installation.store.reading() as stored:
        schedule = stored.flows.get(name).schedule
        paused = stored.flows.paused().get(name)
        now = installation.clock.now()
    if schedule is None:
        raise UserError(f"Flow {name} has no schedule: add one to its document, such as {{cron: '0 3 * * *'}}.")
    try:
        dues = next_dues(schedule, now, count)
    except FlowDefinitionError as error:
        raise UserError(
            f"Flow {name} is not started by itself: its schedule {error} on this machine. Install the zone (tzdata), or "
            "apply the flow with another one."
        ) from error
    zone = ZoneInfo(schedule.timezone)
    times = [datetime.fromtimestamp(due, zone).isoformat() for due in dues]
    if as_json:
        print_json({"flow": name, "schedule": in_words(schedule), "paused": paused, "next": times})
        return
    click.echo(f"{name}: {in_words(schedule)}")
    if paused:
        click.echo(f"It is paused ({paused}), so it is not started at these times.", err=True)
    for time in times:
        click.echo(f"  {time}")


@flows.command()
@click.argument("name")
@json_option
def pause(name: str, as_json: bool) -> None:
    """Do not start a flow by itself any more, until it is resumed.

    A run that is under way goes on; one that waits, waits until the flow is resumed, or `runs cancel` ends it.
    """
    from flows.model import RunStatus
    from integrator.store.flows import BY_HAND

    with opened() as installation, installation.store.writing() as stored:
        is_new = stored.flows.pause(name, BY_HAND, installation.clock.now())
        waiting = [run.id for run in stored.runs.unfinished() if (run.flow, run.status) == (name, RunStatus.WAITING)]
    waits = "".join(f" Run {run_id} waits until it is resumed." for run_id in waiting)
    told = f"Flow {name} is paused{'' if is_new else ' already'}.{waits}"
    _tell(name, {"paused": BY_HAND, **({"waiting": waiting} if waiting else {})}, told, as_json)


@flows.command()
@click.argument("name")
@json_option
def resume(name: str, as_json: bool) -> None:
    """Start a flow by itself again. What was due in between is not made up for."""
    with opened() as installation, installation.store.writing() as stored:
        was_paused = stored.flows.resume(name)
    _tell(name, {"paused": None}, f"Flow {name} {'goes on' if was_paused else 'was not paused'}.", as_json)


add_delete(flows, "flow")


def _document(stored: Transaction, name: str, next_due: dict[str, int]) -> dict[str, Any]:
    from integrator.store.moments import iso

    document = document_of(stored, "flows", name)
    if due := next_due.get(name):
        document["next_due"] = iso(due)
    return document


def _cells(flow: dict[str, Any]) -> tuple[Any, ...]:
    origins = ", ".join(f"{export['connection']}/{export['resource']}" for export in flow["exports"])
    destinations = ", ".join(_step_cell(step) for step in flow["steps"])
    schedule = flow.get("schedule")
    told = f"{schedule['cron']} {schedule.get('timezone', 'UTC')}" if schedule else None
    return flow["name"], origins, destinations, told, flow.get("paused") or flow.get("next_due")


def _step_cell(step: dict[str, Any]) -> str:
    if action := step.get("action"):
        return f"action {action['connection']}/{action['action']}"
    return f"{step['import']['connection']}/{step['import']['resource']}"


def _tell(name: str, stands: dict[str, Any], sentence: str, as_json: bool) -> None:
    if as_json:
        print_json({"flow": name, **stands})
    else:
        click.echo(sentence)
