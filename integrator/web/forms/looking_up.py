"""Looking up what there is for a setting: the system is asked as the connection that was typed, and nothing is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from marshmallow import ValidationError

from connectors.errors import SettingsError
from iclients.errors import RemoteError
from integrator.bootstrap import Installation
from integrator.errors import UserError
from integrator.trial import choices
from integrator.turns import Turns
from integrator.web.forms import connection as form

LOOK_UP: Final = "look-up:"
LOOK_UP_SECONDS: Final = 12.0
TURNS: Final = Turns(4, "look-ups")
_STAYS: Final = "What is typed here stays as it is."


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Values with titles; without any, the sentence that says why, and its tone."""

    found: Sequence[tuple[str, str]] = ()
    tone: str = ""
    sentence: str = ""
    means: str = ""


def looked_up(here: Installation, document: Mapping[str, Any], setting: str) -> LookedUp:
    """What the system shows this connection; a problem is told, and never raised."""
    try:
        connection = form.loaded(document)
        found = TURNS.take(lambda: choices(here, connection, setting), LOOK_UP_SECONDS)
    except ValidationError:
        return LookedUp((), "waits", "Fill in what is above first, then look up what there is.", _STAYS)
    except (RemoteError, SettingsError, UserError) as error:
        is_early = getattr(error, "code", "") == "not_consented"  # nothing is wrong then
        return LookedUp((), "waits" if is_early else "bad", str(error), _STAYS)
    return LookedUp(found) if found else LookedUp((), "waits", "The app sees none.", "Give it the role Reader there.")
