"""Modbus endpoints: one listening socket each, one device or a gateway with a line of units behind it.

A gateway serves one request at a time, as its RS-485 line does; a request for a slow unit keeps the others waiting.
`tcp` endpoints speak MBAP and answer exception 0x0B for a silent unit after a while; `rtu+tcp` endpoints pass RTU
frames through and stay silent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from simulators.wire.corruption import spoil
from simulators.wire.frame import FrameError, Request, decode_mbap, decode_rtu, encode_mbap, encode_rtu
from simulators.wire.table import TABLES
from simulators.wire.unit import Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.fault import Board, View

__all__ = ["Line", "lines_of"]

_TARGET_FAILED = 0x0B
_CLIENTS = 16
"""Connections that a gateway takes; many take 1 to 16."""
_WAITING = 64
"""Requests that wait for the line; more are dropped and counted."""


class Line:
    """One endpoint: framing, units and the requests that wait."""

    def __init__(self, endpoint: str, views: Mapping[int, View], board: Board, *, silence_s: float = 0.3) -> None:
        """`views` by unit id. `silence_s`: how long a gateway waits for a dead unit before it answers 0x0B."""
        self.endpoint = endpoint
        self.rtu = endpoint.startswith("rtu+tcp://")
        self.port = 0
        self.dropped = 0
        """Requests that found the line full, and frames that could not be decoded."""
        self.requests = 0
        self._board = board
        self._silence_s = silence_s
        self._units = {number: Unit(view, TABLES[view.device.profile](number)) for number, view in views.items()}
        self._views = dict(views)
        self._server: asyncio.Server | None = None
        self._clients: set[_Client] = set()
        self._waiting: deque[tuple[_Client, Request]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._previous: bytes | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def actual(self) -> str:
        """Where it listens, as an endpoint string."""
        return f"{'rtu+tcp' if self.rtu else 'tcp'}://127.0.0.1:{self.port}"

    @property
    def owned(self) -> bool:
        """True when the endpoint is the device itself and no gateway."""
        return len(self._units) == 1 and not self.rtu

    async def open(self) -> None:
        """Listen on loopback, on a free port the first time and on the same one after that."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop all connections; `open` starts again."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._waiting.clear()
        if self._server:
            self._server.close()
            self._server = None
        for client in tuple(self._clients):
            client.abort()

    def changed(self, view: View) -> None:
        """Close or open the endpoint of a device that was disconnected or came back (a call-back of the board)."""
        if not self.owned or view not in self._views.values():
            return
        before = self._task
        self._task = asyncio.get_running_loop().create_task(self._follow(view, before))

    async def settled(self) -> None:
        """Wait until the last fault command has closed or opened the endpoint."""
        if self._task:
            await self._task

    async def _follow(self, view: View, before: asyncio.Task[None] | None) -> None:
        if before:
            await before
        if view.fault.disconnected and self._server:
            await self.close()
        elif not view.fault.disconnected and not self._server:
            await self.open()

    def joined(self, client: _Client) -> bool:
        """Take a connection, or refuse it where too many are there."""
        if len(self._clients) >= _CLIENTS:
            return False
        self._clients.add(client)
        return True

    def left(self, client: _Client) -> None:
        """Forget a connection."""
        self._clients.discard(client)

    def ask(self, client: _Client, request: Request) -> None:
        """Answer a request, now or when the line is free."""
        self.requests += 1
        if self._timer is None and not self._waiting:
            self._serve(client, request)
        elif len(self._waiting) < _WAITING:
            self._waiting.append((client, request))
        else:
            self.dropped += 1

    def _serve(self, client: _Client, request: Request) -> None:
        unit = self._units.get(request.unit)
        view = self._views.get(request.unit)
        if unit is None or view is None:
            self._silence(client, request)
            return
        fault = view.fault
        if not fault.disturbs:
            self._send(client, request, unit.answer(request.pdu))
        elif fault.disconnected:
            self._silence(client, request)
        elif fault.delay_s > 0:
            self._busy(fault.delay_s, client, request)
        else:
            self._disturbed(client, request, unit, view)

    def _disturbed(self, client: _Client, request: Request, unit: Unit, view: View) -> None:
        fault = view.fault
        answer = bytes((request.pdu[0] | 128, fault.exception)) if fault.exception else unit.answer(request.pdu)
        if fault.mute_writes and request.pdu[0] in (5, 6, 15, 16):
            return
        if not fault.corrupt:
            self._send(client, request, answer)
            return
        pieces = spoil(fault.corrupt, self._board.random, request, answer, rtu=self.rtu, previous=self._previous)
        self._previous = answer
        client.send_pieces(pieces)

    def _silence(self, client: _Client, request: Request) -> None:
        if not self.rtu:
            self._busy(self._silence_s, client, request)

    def _busy(self, seconds: float, client: _Client, request: Request) -> None:
        """Keep the line busy, then give the answer of that moment."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self._late, client, request)

    def _late(self, client: _Client, request: Request) -> None:
        self._timer = None
        unit, view = self._units.get(request.unit), self._views.get(request.unit)
        if unit is None or view is None or view.fault.disconnected:
            if not self.rtu:
                self._send(client, request, bytes((request.pdu[0] | 0x80, _TARGET_FAILED)))
        else:
            self._disturbed(client, request, unit, view)
        while self._waiting and self._timer is None:
            self._serve(*self._waiting.popleft())

    def _send(self, client: _Client, request: Request, pdu: bytes) -> None:
        self._previous = pdu
        frame = encode_rtu(request.unit, pdu) if self.rtu else encode_mbap(request.transaction, request.unit, pdu)
        client.send(frame)


class _Client(asyncio.Protocol):
    """One connection of a master."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._line.joined(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the shape of asyncio.Protocol
        self._transport = None
        self._line.left(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        decode = decode_rtu if self._line.rtu else decode_mbap
        try:
            while (request := decode(self._buffer)) is not None:
                self._line.ask(self, request)
        except FrameError:
            self._line.dropped += 1
            self._buffer.clear()
            if not self._line.rtu:
                self.abort()

    def send(self, frame: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

    def send_pieces(self, pieces: list[bytes]) -> None:
        """Send each piece in a segment of its own: the loop turns between two of them."""
        loop = asyncio.get_running_loop()
        for at, piece in enumerate(pieces):
            loop.call_later(0.002 * at, self.send, piece)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def lines_of(board: Board) -> list[Line]:
    """Return the Modbus endpoints of a fleet.

    Raises:
        ValueError: two devices have one endpoint and unit, or nothing serves a profile.
    """
    endpoints: dict[str, dict[int, View]] = {}
    for view in board.views.values():
        device = view.device
        if not device.endpoint.startswith(("tcp://", "rtu+tcp://")):
            continue
        if device.profile not in TABLES:
            raise ValueError(f'{device.id} profile: got "{device.profile}", wanted one of {", ".join(sorted(TABLES))}')
        units = endpoints.setdefault(device.endpoint, {})
        if device.unit in units:
            raise ValueError(
                f"{device.id}: {device.endpoint} unit {device.unit} already is {units[device.unit].device.id}"
            )
        units[device.unit] = view
    lines = [Line(endpoint, views, board) for endpoint, views in endpoints.items()]
    board.changed.extend(line.changed for line in lines)
    return lines
