"""`integrator doctor`: what is wrong with this installation."""

from __future__ import annotations

import click

from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json, printable
from integrator.errors import ExitCode


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Check data folder, database, keys, plug-ins, references and runs; ends 1 where something is wrong.

    It calls no other system: for that, use `integrator connections test NAME`.
    """
    from integrator.doctor import examine

    with opened() as installation:
        findings = examine(installation)
    if as_json:
        print_json([finding.document() for finding in findings])
    else:
        for finding in findings:
            mark = click.style("ok   ", fg="green") if finding.is_ok else click.style("wrong", fg="red")
            click.echo(f"{mark}  {printable(f'{finding.subject}: {finding.sentence}')}")
    return ExitCode.DONE if all(finding.is_ok for finding in findings) else ExitCode.FAILED
