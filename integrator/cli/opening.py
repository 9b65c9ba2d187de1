"""Opening the installation for a command. SQLAlchemy loads here, so that `--help` does not wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from integrator.config import Config

if TYPE_CHECKING:
    from integrator.bootstrap import Installation


@contextmanager
def opened(*, waited_for: bool = False) -> Iterator[Installation]:
    """This installation, closed when the command ends; `waited_for`: it calls a system, and somebody waits."""
    from integrator.bootstrap import Installation

    with Installation(Config.from_environment(), waited_for=waited_for) as installation:
        yield installation
