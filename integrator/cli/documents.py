"""`integrator apply` and `integrator dump`."""

from __future__ import annotations

from pathlib import Path

import click

from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json, print_table
from integrator.errors import UserError


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def apply_document(file: Path, as_json: bool) -> None:
    """Create or update iClients, connections, flows and clouds from a YAML document.

    All of it or nothing: a document that is refused changes nothing, and says the line. Applying the same document
    twice changes nothing. A credential that the document leaves out stays as it is stored.
    """
    from integrator.documents import apply

    with opened() as installation:
        applied = apply(file, installation.store)
    if as_json:
        print_json(applied.document())
        return
    rows = [
        (noun.removesuffix("s"), name, result)
        for noun, results in applied.document().items()
        for result, names in results.items()
        for name in names
    ]
    print_table(("what", "name", "result"), rows, f"{file} has nothing in it to apply.")


@click.command("dump")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@json_option
def dump_document(file: Path | None, as_json: bool) -> None:
    """Print everything as the document that makes it again, without secrets; or write it to FILE."""
    from integrator.documents import dump, dumped

    with opened() as installation:
        if as_json:
            print_json(dumped(installation.store))
            return
        text = dump(installation.store)
    if file is None:
        click.echo(text, nl=False)
    else:
        try:
            file.write_text(text, "utf-8")
        except OSError as error:
            raise UserError(f"{file} cannot be written ({error.strerror}): name another file.") from error
        click.echo(f"Wrote {file}.", err=True)
