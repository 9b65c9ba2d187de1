"""`integrator demo`: the whole story on this machine."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import click

from integrator.cli.output import json_option, print_json
from integrator.cli.running import run_with_progress, tell

if TYPE_CHECKING:
    from integrator.bootstrap import Installation
    from integrator.store.runs import Run

_NEXT = """
Try next:
  integrator sandbox --vault contoso=500 --vault fabrikam=0 --write lab.yaml
  integrator apply lab.yaml && integrator connections test contoso     (in another terminal)
  integrator flows run --help
"""


@click.command()
@json_option
def demo(as_json: bool) -> None:
    """The whole story on this machine, in under a minute.

    Starts the sandbox with two vaults, exports the secrets of one to a file, imports the file into the other, imports
    it again (nothing is written), and proves over HTTP that every secret arrived. It leaves nothing behind.
    """
    from integrator.demo.story import tell as tell_story

    started = monotonic()

    def say(sentence: str) -> None:
        click.echo(sentence, err=as_json)

    def run_flow(installation: Installation, flow: str) -> Run:
        run = run_with_progress(installation, lambda runner: runner.run(flow))
        if not as_json:
            tell(run)
        return run

    runs = tell_story(say, run_flow)
    if as_json:
        print_json([run.document() for run in runs])
        return
    click.echo(f"\nDone in {monotonic() - started:.1f} s.")
    click.echo(_NEXT)
