"""Faults to order: what a service does on a bad day, for chosen hosts, methods and paths.

429, 500, 503 …  that status in the site's own shape, with `retry_after` if given; nothing is carried out
html             502 with an HTML page; nothing is carried out
claims           401 with a continuous access evaluation challenge; nothing is carried out (vaults)
reset            the connection is reset before the request is carried out
lost             the request is carried out, then the connection is reset: the answer is lost
stall            carried out at once, answered only after `seconds` (default 30)
slow             carried out, the body arrives drop by drop over `seconds` (default 2)
truncated        carried out, half of the promised body is sent, then the connection closes
broken-json      carried out, the body is whole by its length but is cut-off JSON
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

KINDS_NOT_CARRIED_OUT = frozenset({"html", "claims", "reset"})
KINDS_CARRIED_OUT = frozenset({"lost", "stall", "slow", "truncated", "broken-json"})
DEFAULT_SECONDS = {"stall": 30.0, "slow": 2.0}


@dataclass(slots=True)
class Fault:
    """One planted fault and how often it is to strike."""

    kind: str
    host: str | None
    method: str | None
    path: re.Pattern[str] | None
    times: int | None
    every: int
    after: int
    seconds: float
    retry_after: str | None
    seen: int = 0
    struck: int = 0

    @property
    def status(self) -> int | None:
        """The status of a fault that is just an error answer."""
        return int(self.kind) if self.kind.isdigit() else None

    @property
    def carried_out(self) -> bool:
        """Whether the request takes effect all the same."""
        return self.kind in KINDS_CARRIED_OUT

    def matches(self, host: str, method: str, target: str) -> bool:
        """Whether this request is meant."""
        return (
            self.host in (None, host)
            and self.method in (None, method)
            and (self.path is None or self.path.search(target) is not None)
        )

    def strikes(self) -> bool:
        """Counts a request that is meant; true when the fault's turn has come."""
        if self.times is not None and self.struck >= self.times:
            return False
        self.seen += 1
        beyond = self.seen - self.after
        if beyond <= 0 or beyond % self.every:
            return False
        self.struck += 1
        return True


class Faults:
    """The faults that are planted now, in the order they were added; the first that strikes wins."""

    def __init__(self) -> None:
        self.planted: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        kind: str | int,
        *,
        host: str | None = None,
        method: str | None = None,
        path: str | None = None,
        times: int | None = None,
        every: int | None = None,
        after: int = 0,
        seconds: float | None = None,
        retry_after: float | str | None = None,
    ) -> Fault:
        """Plants a fault.

        Args:
            kind: one of the words or statuses at the top of this module.
            host: `entra`, `arm` or a vault's name; None is any.
            method: in any case; None is any.
            path: a regular expression searched for in path and query.
            times: how often it strikes; None is once, or without end when `every` is given.
            every: only every k-th request that matches is struck.
            after: how many matching requests pass first.
            seconds: for stall and slow.
            retry_after: the Retry-After header, verbatim; seconds or an HTTP date.

        Raises:
            ValueError: an unknown kind, a bad pattern or a number out of range.
        """
        name = _kind(kind)
        if (every is not None and every < 1) or after < 0 or (times is not None and times < 1):
            raise ValueError("every and times are at least 1, after at least 0")
        fault = Fault(
            kind=name,
            host=host,
            method=method.upper() if method else None,
            path=_pattern(path),
            times=1 if times is None and every is None else times,
            every=every or 1,
            after=after,
            seconds=DEFAULT_SECONDS.get(name, 0.0) if seconds is None else float(seconds),
            retry_after=_header_value(retry_after),
        )
        with self._lock:
            self.planted.append(fault)
        return fault

    def clear(self) -> None:
        """Takes all faults away."""
        with self._lock:
            self.planted.clear()

    def take(self, host: str, method: str, target: str) -> Fault | None:
        """The fault that strikes this request, if any."""
        with self._lock:
            for fault in self.planted:
                if fault.matches(host, method, target) and fault.strikes():
                    return fault
        return None


def _kind(kind: str | int) -> str:
    name = str(kind).replace("_", "-")
    is_status = name.isascii() and name.isdigit() and 400 <= int(name) <= 599
    if not is_status and name not in KINDS_NOT_CARRIED_OUT | KINDS_CARRIED_OUT:
        raise ValueError(f"no such fault: {kind}")
    return name


def _pattern(path: str | None) -> re.Pattern[str] | None:
    try:
        return None if path is None else re.compile(path)
    except re.error as problem:
        raise ValueError(f"path is not a regular expression: {problem}") from problem


def _header_value(value: float | str | None) -> str | None:
    if value is None:
        return None
    text = str(value)
    if not text.isascii() or not text.isprintable():
        raise ValueError("retry_after must be printable ASCII")
    return text
