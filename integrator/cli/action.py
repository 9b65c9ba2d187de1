"""`integrator action`: one action on a connection, its outputs as JSON; or what actions there are, and what one takes.

A value need not stand on the command line, where others see it: `key=@FILE` reads a file, `key=-` standard input.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json, print_table, printable
from integrator.errors import BadUsage

if TYPE_CHECKING:
    from connectors.actions import Action

_FROM_FILE = "@"
_FROM_STANDARD_INPUT = "-"
_PATIENCE_SECONDS: Final = 2.0


@click.command()
@click.argument("connection")
@click.argument("action", required=False)
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--describe", is_flag=True, help="Say what the action takes, gives and needs; nothing is called.")
@json_option
def action(connection: str, action: str | None, pairs: tuple[str, ...], describe: bool, as_json: bool) -> None:
    """One action on a connection; its outputs are JSON on standard output.

    Without ACTION: the actions that the connection has. VALUE can be @FILE for what a file holds, - for standard input,
    and @@… for a text that begins with @. A file that is no text goes in as base64; the line end of a text of one line
    is left out.
    """
    from integrator.acting import act, actions_of

    inputs = None if action is None or describe else _inputs(pairs)
    with opened() as installation:
        if inputs is None or action is None:
            _tell(actions_of(installation, connection), connection, action, as_json)
            return
        installation.progress = _Late(installation.clock.monotonic)
        outputs = act(installation, connection, action, inputs)
    print_json({name: _revealed(value) for name, value in outputs.items()})


class _Late:
    """Tells on standard error what is waited for, once it takes longer than a person notices."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._began = monotonic()

    def __call__(self, sentence: str) -> None:
        if self._monotonic() - self._began >= _PATIENCE_SECONDS:
            click.echo(printable(sentence), err=True)


def _tell(actions: Sequence[Action], connection: str, action_id: str | None, as_json: bool) -> None:
    from connectors.actions import find
    from connectors.errors import BadInput
    from integrator.action_documents import document

    if action_id is None:
        _list(actions, as_json)
        return
    try:
        found = find(actions, action_id, f"Connection {connection}")
    except BadInput as error:
        raise BadUsage(str(error)) from error
    if as_json:
        print_json(document(found))
    else:
        _describe(found)


def _list(actions: Sequence[Action], as_json: bool) -> None:
    from integrator.action_documents import document

    if as_json:
        print_json([document(one) for one in actions])
    else:
        rows = [[one.id, one.changes, one.title] for one in actions]
        print_table(("action", "changes", "title"), rows, "This connection has no actions.")


def _describe(action: Action) -> None:
    click.echo(f"{click.style(action.id, bold=True)}  {action.title}")
    click.echo(f"{action.summary} {'It changes something.' if action.changes else 'It changes nothing.'}")
    click.echo()
    takes = [[one.name, one.kind, _need(one.required, one.default), _help(one)] for one in action.parameters]
    print_table(("takes", "kind", "needed", "what"), takes, "It takes nothing.")
    click.echo()
    gives = [[one.name, one.kind, one.is_secret, ", ".join(one.fields) or one.title] for one in action.outputs]
    print_table(("gives", "kind", "secret", "what"), gives, "It gives nothing.")
    click.echo()
    if any(one.data_action for one in action.permissions):
        needs = [[one.word, one.data_action, one.role] for one in action.permissions]
        print_table(("access policy", "data action", "smallest role"), needs, "")
    else:
        roles = [[one.action, one.role] for one in action.permissions]
        print_table(("action", "smallest role"), roles, "It needs no permission.")


def _need(required: bool, default: Any) -> str:
    return "yes" if required else "no" if default is None else f"else {default}"


def _help(parameter: Any) -> str:
    choices = f" One of: {', '.join(parameter.choices)}." if parameter.choices else ""
    return f"{parameter.help}{choices}"


def _inputs(pairs: Sequence[str]) -> dict[str, str]:
    """Names and values. Raises BadUsage, which shows no value: the sentence could stand in a log."""
    found: dict[str, str] = {}
    for number, pair in enumerate(pairs, 1):
        name, sign, value = pair.partition("=")
        if not sign or not name.isidentifier():
            raise BadUsage(f"Argument {number} after the action is not KEY=VALUE.")
        if name in found:
            raise BadUsage(f"{name} is given twice.")
        found[name] = _value(name, value)
    if [pair.partition("=")[2] for pair in pairs].count(_FROM_STANDARD_INPUT) > 1:
        raise BadUsage("Standard input can be read for one value only.")
    return found


def _value(name: str, value: str) -> str:
    from integrator.acting import text_of

    if value == _FROM_STANDARD_INPUT:
        return text_of(sys.stdin.buffer.read())
    if not value.startswith(_FROM_FILE):
        return value
    if value.startswith(_FROM_FILE * 2):
        return value.removeprefix(_FROM_FILE)
    path = Path(value.removeprefix(_FROM_FILE))
    try:
        return text_of(path.read_bytes())
    except OSError as error:
        raise BadUsage(f"{name} cannot be read from {printable(str(path))}: {error.strerror}.") from error


def _revealed(value: Any) -> Any:
    """Here the caller is answered: what is secret is shown."""
    from iclients.secret import revealed

    return revealed(value)
