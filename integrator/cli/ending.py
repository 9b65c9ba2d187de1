"""How every command ends: its exit code, and for an error one sentence on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import click

from integrator.cli.output import print_json, printable
from integrator.errors import ExitCode, UserError, defect_sentence


def ending(call: Callable[[], Any], *, as_json: bool) -> int:
    """Call, and give the exit code that follows from what it returned or raised."""
    try:
        result = call()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    except click.ClickException as error:
        return _tell(ExitCode.USAGE, "usage", _with_hint(error), as_json)
    except (click.Abort, KeyboardInterrupt):
        return _tell(ExitCode.INTERRUPTED, "interrupted", "Interrupted.", as_json=False)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001 - the process's boundary: a person reads a sentence, not a traceback
        return _tell(*meaning(error), as_json, _checks(error) if as_json else ())
    return int(result) if isinstance(result, int) else ExitCode.DONE


def meaning(error: Exception) -> tuple[ExitCode, str, str]:
    """Exit code, code and sentence. The lower floors are asked only when something failed: they load slowly."""
    from connectors.errors import RunRefused, SettingsError
    from flows.errors import Fenced, FlowDefinitionError
    from iclients.errors import NotAuthorized, RemoteError

    if isinstance(error, UserError):
        return error.exit_code, type(error).__name__, str(error)
    if isinstance(error, NotAuthorized):
        return ExitCode.NEEDS_AUTHORIZATION, error.code, str(error)
    if isinstance(error, RemoteError):
        return ExitCode.FAILED, error.code, str(error)
    if isinstance(error, RunRefused):
        return ExitCode.REFUSED, "refused", str(error)
    if isinstance(error, SettingsError | FlowDefinitionError):
        return ExitCode.FAILED, "cannot_run", str(error)
    if isinstance(error, Fenced):
        return ExitCode.FAILED, "fenced", f"Another process took {error} over: it goes on there."
    return ExitCode.FAILED, "defect", defect_sentence(error)


def _checks(error: Exception) -> Sequence[dict[str, Any]]:
    """What was looked at before the error, where that travels with it."""
    from connectors.checks import checks_of

    return [asdict(check) for check in checks_of(error)]


def _tell(exit_code: ExitCode, code: str, sentence: str, as_json: bool, checks: Sequence[dict[str, Any]] = ()) -> int:
    click.echo(f"Error: {printable(sentence)}", err=True)
    if as_json:
        with suppress(OSError):  # the error may be that nothing can be printed there
            told: dict[str, Any] = {"error": {"code": code, "message": sentence}}
            print_json({**told, "checks": checks} if checks else told)
    return exit_code


def _with_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" See `{context.command_path} --help`." if context else ""
    return f"{error.format_message().rstrip('.')}.{hint}"
