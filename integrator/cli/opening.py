"""Opening the installation for a command. SQLAlchemy loads here, so that `--help` does not wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from integrator.config import Config

if TYPE_CHECKING:
    from integrator.bootstrap import Installation


@contextmanager
def opened(config: Config | None = None) -> Iterator[Installation]:
    """This installation, closed when the command ends."""
    from integrator.bootstrap import Installation

    with Installation(config or Config.from_environment()) as installation:
        yield installation
