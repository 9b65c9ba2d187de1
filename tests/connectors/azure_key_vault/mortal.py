"""A client whose process dies at one of its calls, for tests of what the next process makes of it."""

from __future__ import annotations

from typing import Any

from connectors.rest import Call


class Died(BaseException):
    """The process is gone."""


class Mortal:
    """A client whose process dies at its nth call: before it leaves, or when its answer would have come."""

    def __init__(self, client: Any, dies_at: int, *, answered: bool) -> None:
        self._client = client
        self._left = dies_at
        self._answered = answered

    def json(self, call: Call) -> Any:
        self._left -= 1
        if self._left == 0 and not self._answered:
            raise Died
        try:
            return self._client.json(call)
        finally:
            if self._left == 0:
                raise Died
