"""The ports that the sandbox listens on: all on 127.0.0.1."""

from __future__ import annotations

import socket

from connectors.azure_key_vault.sandbox.errors import PortTaken

ADDRESS = "127.0.0.1"
BACKLOG = 1024


def bound_sockets(port: int, count: int) -> list[socket.socket]:
    """Sockets on consecutive ports, or on any for port 0; PortTaken when one cannot be had."""
    sockets: list[socket.socket] = []
    try:
        for offset in range(count):
            wanted = port + offset if port else 0
            bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sockets.append(bound)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind(bound, wanted)
    except PortTaken:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def _bind(bound: socket.socket, port: int) -> None:
    try:
        bound.bind((ADDRESS, port))
        bound.listen(BACKLOG)
    except (OSError, OverflowError) as problem:
        cause = problem if isinstance(problem, OSError) else OSError(0, str(problem))
        raise PortTaken(port, cause) from problem
