"""The command line: `integrator`. One module a noun; a module is loaded only when its command is called."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

import click

from integrator.cli.ending import ending

_COMMANDS: Final = {
    "demo": ("integrator.cli.demo:demo", "The whole story on this machine, in under a minute."),
    "serve": ("integrator.cli.serve:serve", "Web pages, the schedule, and housekeeping, in one process."),
    "sandbox": ("integrator.cli.sandbox:sandbox", "A local Azure on TLS: Entra and Key Vaults to try things on."),
    "apply": ("integrator.cli.documents:apply_document", "Create or update what a document describes."),
    "dump": ("integrator.cli.documents:dump_document", "The same document back, without secrets."),
    "clouds": ("integrator.cli.nouns:clouds", "Cloud profiles of your own: list, show, delete."),
    "iclients": ("integrator.cli.iclients:iclients", "OAuth 2.0 clients: list, show, delete."),
    "providers": ("integrator.cli.providers:providers", "Authorization servers that are known: list, show."),
    "connections": (
        "integrator.cli.connections:connections",
        "Connections: list, show, test, authorize, preflight, link, revoke, delete.",
    ),
    "action": ("integrator.cli.action:action", "One action on a connection: get a secret, encrypt, create a key, …"),
    "flows": ("integrator.cli.flows:flows", "Flows: list, show, run, next, pause, resume, delete."),
    "runs": ("integrator.cli.runs:runs", "Runs: list, show, errors, resume, cancel."),
    "audit": ("integrator.cli.audit:audit", "Who changed what, and when: list, show."),
    "notices": ("integrator.cli.notices:notices", "What owners must know: list, seen."),
    "users": ("integrator.cli.users:users", "People who sign in: list, add, delete, reset, tokens."),
    "keys": ("integrator.cli.keys:keys", "The keys that seal the database: doctor, rotate."),
    "doctor": ("integrator.cli.doctor:doctor", "What is wrong with this installation, and what to do next."),
}


class _Commands(click.Group):
    """Knows every command by name and one line; loads one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in _COMMANDS.items()])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 usage or bad document, 3 completed with errors or conflicts, "
    "4 needs authorization, 5 refused by a safety limit, 130 interrupted.",
)
@click.version_option(package_name="integrator", message="integrator %(version)s")
def root() -> None:
    """Move secrets between Azure Key Vault and other systems, without losing one.

    Start with `integrator demo`. Then write a document (see examples/), `integrator apply` it, check it with
    `integrator connections test NAME` and run it with `integrator flows run NAME`.

    Everything is kept in INTEGRATOR_HOME (default ~/.local/share/integrator); secrets in it are sealed with the key
    file INTEGRATOR_KEY_FILE.
    """


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives its exit code. Every error is one sentence on standard error, never a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments

    def call() -> Any:
        return root.main(args=arguments, prog_name="integrator", standalone_mode=False)

    is_json_always = arguments[:1] == ["action"]
    return ending(call, as_json=is_json_always or "--json" in arguments)
