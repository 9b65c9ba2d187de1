"""TLS over an asyncio transport, on `ssl.MemoryBIO`; or no TLS, for the one site that has none.

asyncio's own TLS layer costs more for each record than all the rest of the sandbox, and on 3.11 keeps
connections in the middle of their handshake out of reach, so that they cannot be closed at shutdown.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from typing import cast

READ_BYTES = 65_536


class Channel(asyncio.Protocol):
    """One connection: gives decrypted bytes to `received` and encrypts what `send` is given."""

    def __init__(self, context: ssl.SSLContext | None, open_channels: set[Channel]) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True) if context else None
        self._shaken = False
        self._open_channels = open_channels
        self.transport: asyncio.Transport | None = None
        self.writable = True

    def received(self, data: bytes) -> None:
        """Decrypted bytes have come."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the TCP connection stands."""
        self.transport = cast(asyncio.Transport, transport)
        self._open_channels.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the TCP connection is gone."""
        self.transport = None
        self._open_channels.discard(self)

    def pause_writing(self) -> None:
        """asyncio: the peer reads too slowly."""
        self.writable = False

    def resume_writing(self) -> None:
        """asyncio: the peer has caught up."""
        self.writable = True

    def data_received(self, data: bytes) -> None:
        """asyncio: encrypted bytes have come."""
        if self._tls is None:
            self.received(data)
            return
        self._incoming.write(data)
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            self._flush()
            self._read(self._tls)
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:  # not TLS, or the peer does not trust us
            self._flush()
            self.close()

    def send(self, data: bytes) -> None:
        """Encrypts and writes at once; nothing happens when the connection is gone."""
        if self.transport is None:
            return
        if self._tls is None:
            self.transport.write(data)
            return
        sent = self._tls.write(data)
        while sent < len(data):
            sent += self._tls.write(data[sent:])
        self._flush()

    def close(self, *, politely: bool = True) -> None:
        """Ends the connection after what was sent; impolitely without TLS's goodbye."""
        if self.transport is None:
            return
        if politely and self._shaken and self._tls is not None:
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._flush()
        self.transport.close()

    def reset(self) -> None:
        """Ends the connection with a TCP reset."""
        if self.transport is None:
            return
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _read(self, tls: ssl.SSLObject) -> None:
        while self.transport is not None and not self.transport.is_closing():
            data = tls.read(READ_BYTES)
            if not data:  # the peer said goodbye
                self.close()
                return
            self.received(data)
            if not self._incoming.pending and not tls.pending():
                return

    def _flush(self) -> None:
        if self._outgoing.pending and self.transport is not None:
            self.transport.write(self._outgoing.read())
