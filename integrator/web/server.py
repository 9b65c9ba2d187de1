"""Serves the application: waitress with some threads, ended in order.

When it is to end, nobody new is let in, and who is being answered still gets their answer: a code that was sent to the
provider must not end in a cut connection.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from waitress import create_server, wasyncore

from integrator.errors import UserError

THREADS: Final = 28
"""Of them `integrator.web.live` holds some for long."""
DRAIN_SECONDS: Final = 20.0
LONGEST_HEADERS_BYTES: Final = 64 * 1024
LONGEST_BODY_BYTES: Final = 512 * 1024 - 1
"""More than any page takes, and no more than is kept in memory: what is longer would be put on the disk on its way."""
QUIET_SECONDS: Final = 30
ARRIVAL_SECONDS: Final = 60.0
"""So long a request may take to come in whole: a byte now and then keeps no connection open."""
MOST_CONNECTIONS: Final = 400
_TICK_SECONDS: Final = 0.1


class Server:
    """Listens from the moment it is made; `run` answers until somebody calls `stop`."""

    def __init__(self, app: Any, host: str, port: int, ending: Callable[[], None] = lambda: None) -> None:
        """`ending` is called when it is to end, so that nobody is answered for long any more.

        Raises UserError where this address cannot be had.
        """
        self._ending = ending
        logging.getLogger("waitress").setLevel(
            logging.CRITICAL
        )  # what it tells names paths, and a path may be a secret
        self._stopping = threading.Event()
        self._now = monotonic
        self._coming: dict[Any, float] = {}
        self._map: dict[int, Any] = {}
        self._listener = _bound(host, port)
        self._server = create_server(
            app,
            map=self._map,
            sockets=[self._listener],
            threads=THREADS,
            ident=None,
            max_request_header_size=LONGEST_HEADERS_BYTES,
            max_request_body_size=LONGEST_BODY_BYTES,
            channel_timeout=QUIET_SECONDS,
            connection_limit=MOST_CONNECTIONS,
            clear_untrusted_proxy_headers=False,  # `integrator.web.addresses` reads one of them, and knows whom to trust
        )
        self.url = _url(host, self._listener.getsockname()[1])

    def stop(self) -> None:
        """Let `run` end soon. May be called from a signal, and from any thread."""
        self._stopping.set()
        self._ending()
        self._server.pull_trigger()

    def run(self) -> None:
        """Answer until `stop` is called, then until everybody who was let in has their answer."""
        while not self._stopping.is_set():
            self._turn(60.0)
        self._server.del_channel()
        self._listener.close()
        ends_at = monotonic() + DRAIN_SECONDS
        while self._is_answering() and monotonic() < ends_at:
            self._turn(_TICK_SECONDS)

    def close(self) -> None:
        """End threads and connections."""
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._map)
        self._listener.close()

    def _turn(self, timeout_seconds: float) -> None:
        wasyncore.loop(timeout=timeout_seconds, use_poll=True, map=self._map, count=1)
        self._drop_the_slow()

    def _drop_the_slow(self) -> None:
        """End the connections whose request has been coming in for too long."""
        now = self._now()
        coming = [(channel.request, channel) for channel in self._server.active_channels.values() if channel.request]
        self._coming = {request: self._coming.get(request, now) for request, _ in coming}
        for request, channel in coming:
            if now - self._coming[request] > ARRIVAL_SECONDS:
                channel.will_close = True

    def _is_answering(self) -> bool:
        return any(channel.requests or channel.total_outbufs_len for channel in self._server.active_channels.values())


def _bound(host: str, port: int) -> socket.socket:
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise UserError(
            f"Integrator cannot listen at {host}:{port} ({error.strerror}): choose another with --host and --port."
        ) from error
    return listener


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
