"""The HTTP server: uvicorn with limits, HTTPS from files, and plain HTTP on loopback alone.

h11 instead of httptools, because it bounds the header (uvicorn passes the limit to h11 only). No compression on the
stream: it would cost every client a deflate of the same bytes.
"""

from __future__ import annotations

import logging
import socket
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from controller.api.socket import INBOUND
from controller.errors import InvalidError, UnavailableError
from controller.identity.certificate import check_pair
from controller.identity.identity import is_loopback

if TYPE_CHECKING:
    import asyncio
    from asyncio.transports import BaseTransport
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI

    from drivers.driver import Clock

__all__ = ["HttpSettings", "Server", "build_server"]

_log = logging.getLogger(__name__)

HEADER_LIMIT = 32 * 1024
"""Bytes of request line and headers."""
HEADER_S = 15.0
"""A connection that has not sent a whole header by then is closed."""
CONNECTIONS = 2_000


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where to listen, from `[http]` of `server.toml`."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes a free one; see `Server.port`."""
    certificate: Path | None = None
    private_key: Path | None = None

    @property
    def https(self) -> bool:
        """True when a certificate is given."""
        return self.certificate is not None


class _Http(H11Protocol):
    """Closes connections that never finish their header (slowloris)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEADER_S, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None and not self.transport.is_closing() and self in self.connections:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)


class _WebSocket(WebSocketsSansIOProtocol):
    """Gives the application a way to cut a connection whose buffer never drains."""

    def connection_made(self, transport: BaseTransport) -> None:
        self.app_state = {**self.app_state, "abort": cast("asyncio.Transport", transport).abort}
        super().connection_made(transport)


class Server(uvicorn.Server):
    """uvicorn without signal handlers of its own; they are the composition root's."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, *, https: bool) -> None:
        super().__init__(config)
        self._listener = listener
        host, self.port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if https else 'http'}://{shown}:{self.port}"
        """Address for people, without a slash at the end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def run_until_stopped(self) -> None:
        """Serve until `stop` is called; the listener is closed at the end."""
        try:
            await self.serve([self._listener])
        finally:
            self._listener.close()

    def stop(self) -> None:
        """Have `run_until_stopped` return: at most 5 s for requests that run."""
        self.should_exit = True


def build_server(app: FastAPI, http: HttpSettings, clock: Clock) -> Server:
    """Bind the address and return a server that is ready to run.

    Raises:
        InvalidError: plain HTTP beyond loopback, or a certificate that cannot be used; says what to do.
        UnavailableError: the address is taken.
    """
    options: dict[str, Any] = {}
    if http.certificate is not None:
        if http.private_key is None:
            raise InvalidError("[http] has a certificate without private_key; give both files")
        info = check_pair(http.certificate, http.private_key, clock)
        left = info.days_left(clock)
        if left < 30:
            _log.warning("the certificate %s expires in %d days", http.certificate, left)
        options = {"ssl_certfile": str(http.certificate), "ssl_keyfile": str(http.private_key)}
    elif not _loopback_host(http.host):
        raise InvalidError(
            f"[http] host = {http.host!r} without a certificate: plain HTTP is served on 127.0.0.1, ::1 or localhost "
            "alone; make a certificate with `shifu tls init` and name it in [http] certificate and private_key"
        )
    listener = _bind(http.host, http.port)
    config = uvicorn.Config(
        app,
        http=_Http,
        ws=_WebSocket,
        ws_max_size=INBOUND,
        ws_per_message_deflate=False,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        h11_max_incomplete_event_size=HEADER_LIMIT,
        limit_concurrency=CONNECTIONS,
        backlog=512,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        access_log=False,
        log_config=None,
        lifespan="on",
        **options,
    )
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return Server(config, listener, https=http.https)


def _loopback_host(host: str) -> bool:
    return host == "localhost" or is_loopback(host)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InvalidError(f"[http] host {host!r}: {error.strerror}; give an address of this machine") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Listening from now on: who comes before the server runs waits in the queue and is not refused.
        listener.listen(512)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise UnavailableError(
            f"[http] {host}:{port} cannot be bound ({error.strerror}); stop what uses it, or choose another port"
        ) from error
    return listener
