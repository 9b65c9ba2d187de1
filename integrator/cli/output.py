"""What commands print: one JSON document, or text for people. Nothing else goes to standard output."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from integrator.errors import ExitCode
from integrator.findings import Finding

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json`, on every command."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")(command)


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(document, indent=2))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """Rows under heads, or the sentence for when there are none."""
    if not rows:
        click.echo(empty)
        return
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *texts, strict=True)]
    click.echo(click.style(_line(heads, widths), bold=True))
    for row in texts:
        click.echo(_line(row, widths))


def print_fields(fields: Sequence[tuple[str, Any]]) -> None:
    """Names and values, one a line."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        click.echo(f"{name:<{width}}  {_cell(value)}")


def print_findings(findings: Sequence[Finding], *, as_json: bool) -> int:
    """What was found, each with whether it is in order; gives how the command ends."""
    if as_json:
        print_json([finding.document() for finding in findings])
    else:
        for finding in findings:
            mark = click.style("ok   ", fg="green") if finding.is_ok else click.style("wrong", fg="red")
            click.echo(f"{mark}  {printable(f'{finding.subject}: {finding.sentence}')}")
    return ExitCode.DONE if all(finding.is_ok for finding in findings) else ExitCode.FAILED


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value)) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_cell(inner)}" for key, inner in value.items()) or "-"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def printable(text: str) -> str:
    """The text without what could steer a terminal: names and messages come from other systems."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
