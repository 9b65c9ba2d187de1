"""A rehearsal: what a run of a flow would refuse before its first record, asked when the flow is made.

Both ends are opened as a run opens them, and nothing is read or written. An end that cannot be opened now, because its
system is down or its file has yet to come, is no reason to refuse the flow.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from connectors.errors import SettingsError
from flows.acting import performers
from flows.ends import open_last, open_source
from flows.errors import FlowDefinitionError
from flows.model import Flow
from flows.mover import Mover
from iclients.errors import RemoteError
from integrator.bootstrap import Installation
from integrator.errors import UserError

FILTER: Final = "filter"
MAPPING: Final = "mapping"
DESTINATION: Final = "destination"
ACTIONS: Final = "actions"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which part of the flow cannot work, and why, in one sentence."""

    part: str
    sentence: str


def rehearsed(installation: Installation, flow: Flow) -> Refusal | None:
    """What would keep every run of this flow from beginning; None where nothing is known."""
    export = flow.exports[0]
    with ExitStack() as opened:
        try:
            used = {step.connection: installation.connector(step.connection) for step in flow.steps}
        except (RemoteError, SettingsError, UserError):
            return None
        try:
            acts = performers(flow, used.__getitem__)
        except (SettingsError, FlowDefinitionError) as error:
            return Refusal(ACTIONS, str(error))
        try:
            target = open_last(flow, acts, used.__getitem__)
            opened.callback(target.close)
        except SettingsError as error:
            return Refusal(DESTINATION, str(error))
        try:
            source = open_source(export, installation.connector(export.connection), flow.rules)
            opened.callback(source.close)
            Mover(flow, source, target, acts)
        except FlowDefinitionError as error:
            return Refusal(_part(str(error)), str(error))
        except (RemoteError, SettingsError, UserError):
            return None
    return None


def _part(sentence: str) -> str:
    if sentence.startswith("where "):
        return FILTER
    if sentence.startswith("Step "):
        return ACTIONS
    return DESTINATION if sentence.startswith("The flow ") else MAPPING
