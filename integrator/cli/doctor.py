"""`integrator doctor`: what is wrong with this installation."""

from __future__ import annotations

import click

from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_findings


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Check data folder, database, keys, plug-ins, references and runs; ends 1 where something is wrong.

    It calls no other system: for that, use `integrator connections test NAME`.
    """
    from integrator.doctor import examine

    with opened() as installation:
        findings = examine(installation)
    return print_findings(findings, as_json=as_json)
