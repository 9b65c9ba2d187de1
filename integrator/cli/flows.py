"""`integrator flows`: list, show, run, delete."""

from __future__ import annotations

from typing import Any

import click

from integrator.cli.nouns import add_noun
from integrator.cli.opening import opened
from integrator.cli.output import json_option
from integrator.cli.running import run_and_tell


@click.group()
def flows() -> None:
    """Flows that move records. Make or change one with a document: `integrator apply FILE`."""


def _cells(flow: dict[str, Any]) -> tuple[Any, ...]:
    origins = ", ".join(f"{export['connection']}/{export['resource']}" for export in flow["exports"])
    destinations = ", ".join(f"{step['import']['connection']}/{step['import']['resource']}" for step in flow["steps"])
    schedule = flow.get("schedule")
    return (
        flow["name"],
        origins,
        destinations,
        f"{schedule['cron']} {schedule.get('timezone', 'UTC')}" if schedule else None,
    )


add_noun(flows, "flow", ("name", "from", "to", "schedule"), _cells)


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
        return run_and_tell(installation, lambda runner: runner.run(name), as_json)
