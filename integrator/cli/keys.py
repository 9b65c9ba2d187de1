"""`integrator keys`: the keys that seal the database."""

from __future__ import annotations

import click

from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_fields, print_json
from integrator.errors import ExitCode


@click.group()
def keys() -> None:
    """The keys that seal credentials in the database."""


@keys.command()
@json_option
def doctor(as_json: bool) -> int:
    """Look at the key file and try every sealed value. Changes nothing; ends 1 where something is wrong."""
    with opened() as installation:
        report = installation.store.keys_doctor()
    document = report.document()
    if as_json:
        print_json(document)
    else:
        print_fields([(name.replace("_", " "), value) for name, value in document.items() if name != "problems"])
        for problem in report.problems:
            click.echo(f"Wrong: {problem}", err=True)
        if not report.problems:
            click.echo("All is well.")
    return ExitCode.FAILED if report.problems else ExitCode.DONE


@keys.command()
@json_option
def rotate(as_json: bool) -> None:
    """Make a new key and seal everything anew with it. Old keys stay in the file, for backups of the database."""
    with opened() as installation:
        key = installation.store.rotate_keys()
    if as_json:
        print_json({"key": key.id})
    else:
        click.echo(f"Everything is sealed with the new key {key.id}: back up the key file.")
