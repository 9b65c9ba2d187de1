"""What a view works with: the installation that this application serves."""

from __future__ import annotations

from typing import Final, cast

from flask import current_app

from integrator.bootstrap import Installation

KEY: Final = "integrator"


def installation() -> Installation:
    """The installation that is served."""
    return cast(Installation, current_app.extensions[KEY])
