"""One Modbus connection that reads: request in, checked answer out.

It has no encoder of a write and sends no function but 1 to 4, so that neither a bug nor a call can write over it;
`drivers.modbus.writer` adds that for lines that may. These two are the only modules that know pymodbus.

pymodbus gives the request encoders, the framers and the serial transport. Its client is not used: it repeats writes,
reconnects in its own way, accepts answers of another function, length or transaction, and after a time-out on RTU
framing takes the late answer of one request for the answer of the next. Here every answer is compared with what was
asked before anybody sees it, and a line that may hold a stale answer is closed, or kept silent, before it is used.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU, bit_message, register_message
from pymodbus.transport.serialtransport import create_serial_connection

from drivers.errors import (
    ConnectError,
    DecodeError,
    DeviceRefusedError,
    DeviceTimeoutError,
    NotWritableError,
    ProfileError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EXCEPTIONS", "READS", "Endpoint", "ReadConnection", "parse_endpoint", "read_request"]

EXCEPTIONS = {
    1: "illegal function",
    2: "illegal address",
    3: "illegal value",
    4: "device failure",
    5: "acknowledged, still working",
    6: "busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway: path unavailable",
    11: "gateway: target silent",
}
"""Modbus application protocol V1.1b3, section 7."""

_CONNECT_TIMEOUT_S = 3.0
_DEAF_AFTER = 3
"""Time-outs in a row after which a TCP connection may be half open and is closed."""
_SERIAL_QUIET_S = 0.5
_SILENCE_LIMIT_S = 5.0
"""A line that never becomes silent is closed after so long."""
_SERIAL_GAP_S = 0.005
"""3.5 characters at 9600 Bd are 4 ms; MODBUS over serial line V1.02, section 2.5.1.1."""

_ENCODERS: dict[int, Callable[..., ModbusPDU]] = {
    1: bit_message.ReadCoilsRequest,
    2: bit_message.ReadDiscreteInputsRequest,
    3: register_message.ReadHoldingRegistersRequest,
    4: register_message.ReadInputRegistersRequest,
}
READS = frozenset(_ENCODERS)
"""The functions that read."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a line is and how frames are marked on it."""

    text: str
    kind: str
    """`tcp` (MBAP header), `rtu+tcp` (RTU frames in a TCP stream) or `serial`."""
    host: str = ""
    port: int = 502
    path: str = ""
    baudrate: int = 9600
    parity: str = "N"
    stopbits: int = 1

    @property
    def rtu(self) -> bool:
        """True when frames carry no transaction id."""
        return self.kind != "tcp"


def parse_endpoint(text: str) -> Endpoint:
    """Read `tcp://host:502`, `rtu+tcp://host:4001` or `serial:/dev/ttyUSB0?baudrate=9600&parity=N&stopbits=1`.

    Raises:
        ProfileError: it is none of these.
    """
    wanted = 'wanted "tcp://host:502", "rtu+tcp://host:4001" or "serial:/dev/ttyUSB0?baudrate=9600&parity=N"'
    try:
        parts = urlsplit(text)
        if parts.scheme in ("tcp", "rtu+tcp") and parts.hostname and parts.path in ("", "/") and not parts.query:
            return Endpoint(text, parts.scheme, parts.hostname, parts.port or 502)
        if parts.scheme == "serial" and parts.path:
            query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
            endpoint = Endpoint(
                text,
                "serial",
                path=parts.path,
                baudrate=int(query.pop("baudrate", "9600")),
                parity=query.pop("parity", "N").upper(),
                stopbits=int(query.pop("stopbits", "1")),
            )
            if query or endpoint.parity not in "NEO" or endpoint.stopbits not in (1, 2) or endpoint.baudrate < 300:
                raise ValueError(f"unknown or wrong setting in {parts.query!r}")
            return endpoint
    except ValueError as error:
        raise ProfileError(f'endpoint: got "{text}" ({error}), {wanted}') from error
    raise ProfileError(f'endpoint: got "{text}", {wanted}')


def read_request(function: int, address: int, count: int) -> bytes:
    """Return the PDU of a read (function 1 to 4)."""
    return bytes([function]) + _ENCODERS[function](address=address, count=count).encode()


class _Line(asyncio.Protocol):
    """One opened line. What an old line still says after a new one was opened is not heard."""

    def __init__(self, connection: ReadConnection) -> None:
        self._connection = connection

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.lost(self, exc)

    def data_received(self, data: bytes) -> None:
        self._connection.received(self, data)


class ReadConnection:
    """One line, one outstanding request."""

    functions = READS
    """What may leave; nothing else does, whatever is asked for."""

    def __init__(self, endpoint: Endpoint, *, quiet_s: float | None = None) -> None:
        """Prepare; `connect` opens.

        `quiet_s`: after a time-out on RTU framing keep the line, but silent for so long; None closes it. A serial port
        is always kept, for closing it would not stop a late answer.
        """
        self.endpoint = endpoint
        self.rejected = 0
        """Answers that were not what was asked for, or that nobody waited for."""
        self.watch: Callable[[bool, bytes], None] | None = None
        """Called with (sent, bytes) of everything that goes over the line, for a trial."""
        self._quiet_s = quiet_s if endpoint.kind != "serial" else max(quiet_s or 0.0, _SERIAL_QUIET_S)
        self._rtu = endpoint.rtu
        self._gap_s = _SERIAL_GAP_S if endpoint.kind == "serial" else 0.0
        self._framer: FramerRTU | FramerSocket
        self._framer = FramerRTU(DecodePDU(False)) if self._rtu else FramerSocket(DecodePDU(False))
        self._transport: asyncio.Transport | None = None
        self._line: _Line | None = None
        self._buffer = b""
        self._pending: asyncio.Future[bytes] | None = None
        self._busy = False
        self._unit = 0
        self._transaction = 0
        self._expected = 0
        self._timeouts = 0
        self._silent_until = 0.0

    @property
    def connected(self) -> bool:
        """True while the line can be used."""
        return self._transport is not None

    async def connect(self) -> None:
        """Open the line; does nothing when it is open.

        Raises:
            ConnectError: nobody there, refused, or no answer in 3 s.
        """
        if self._transport is not None:
            return
        loop = asyncio.get_running_loop()
        endpoint = self.endpoint
        line = _Line(self)
        transport: asyncio.Transport
        try:
            if endpoint.kind == "serial":
                transport, _ = await create_serial_connection(
                    loop,
                    lambda: line,
                    endpoint.path,
                    baudrate=endpoint.baudrate,
                    bytesize=8,
                    parity=endpoint.parity,
                    stopbits=endpoint.stopbits,
                    timeout=0,
                )
            else:
                async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                    transport, _ = await loop.create_connection(lambda: line, endpoint.host, endpoint.port)
        except TimeoutError:
            said = f"{endpoint.text}: no answer to the connect in {_CONNECT_TIMEOUT_S:g} s"
            raise ConnectError(said, cause="unreachable") from None
        except (OSError, ValueError) as error:
            raise ConnectError(f"{endpoint.text}: {error}") from error
        self._transport, self._line = transport, line
        self._buffer = b""
        self._timeouts = 0
        self._silent_until = loop.time() + self._gap_s

    def close(self) -> None:
        """Close the line; a request that waits fails with ConnectError."""
        transport, self._transport, self._line = self._transport, None, None
        if transport is not None:
            with contextlib.suppress(OSError):  # a serial port that was pulled out
                transport.abort()
        self._buffer = b""
        self._fail(ConnectError(f"{self.endpoint.text}: closed"))

    async def read(self, unit: int, pdu: bytes, size: int, timeout_s: float) -> bytes:
        """Send a read and return its data, exactly `size` bytes.

        Raises:
            DeviceTimeoutError: no answer in `timeout_s`.
            DeviceRefusedError: an exception answer.
            DecodeError: an answer of another function, unit or length; nothing of it is used.
            ConnectError: not connected, or lost.
        """
        answer = await self._request(unit, pdu, 2 + size, timeout_s)
        if answer[1] != size or len(answer) != 2 + size:
            raise self._doubt(f"{self._who(unit)}: asked for {size} bytes, got {answer[1]} ({len(answer) - 2} there)")
        return answer[2:]

    async def _request(self, unit: int, pdu: bytes, expected: int, timeout_s: float) -> bytes:
        transport = self._transport
        if pdu[0] not in self.functions:
            raise NotWritableError(f"{self._who(unit)}: read only; function {pdu[0]} was not sent")
        if transport is None:
            raise ConnectError(f"{self.endpoint.text}: not connected")
        if self._busy:
            raise RuntimeError(f"{self.endpoint.text}: two requests at once; the link must take turns")
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None
        self._busy = True
        try:
            if self._rtu:
                transport = await self._silence(loop)
                self._expected = expected + 3
            pending: asyncio.Future[bytes] = loop.create_future()
            self._pending = pending
            self._transaction = self._transaction % 65535 + 1
            self._unit = unit
            self._buffer = b""
            timer = loop.call_later(timeout_s, self._expire, pending, timeout_s)
            frame = self._framer.encode(pdu, unit, self._transaction)
            if self.watch is not None:
                self.watch(True, frame)
            transport.write(frame)
            answer = await pending
        except asyncio.CancelledError:
            if self._rtu:
                self._stale()
            raise
        finally:
            self._pending = None
            self._busy = False
            if timer is not None:
                timer.cancel()
        self._timeouts = 0
        if answer[0] == pdu[0]:
            return answer
        if answer[0] == pdu[0] | 0x80 and len(answer) == 2:
            code = answer[1]
            raise DeviceRefusedError(
                f"{self._who(unit)}: exception {code} ({EXCEPTIONS.get(code, 'unknown')}) "
                f"to function {pdu[0]} at {int.from_bytes(pdu[1:3], 'big')}",
                code,
            )
        raise self._doubt(f"{self._who(unit)}: asked with function {pdu[0]}, answered with {answer[0]}")

    async def _silence(self, loop: asyncio.AbstractEventLoop) -> asyncio.Transport:
        """Wait until the line has been silent for as long as it must be; what arrives meanwhile is dropped."""
        give_up = loop.time() + _SILENCE_LIMIT_S
        while (wait := self._silent_until - loop.time()) > 0:
            if loop.time() > give_up:
                self.close()
            if self._transport is None:
                break
            await asyncio.sleep(wait)
        if self._transport is None:
            raise ConnectError(f"{self.endpoint.text}: lost while waiting for silence")
        return self._transport

    def _who(self, unit: int) -> str:
        return f"{self.endpoint.text} unit {unit}"

    def _doubt(self, message: str) -> DecodeError:
        """Count a foreign answer; on RTU framing the line may hold more of them."""
        self.rejected += 1
        if self._rtu:
            self._stale()
        return DecodeError(message)

    def _stale(self) -> None:
        """Make sure that nothing which is still under way can be taken for an answer to the next request."""
        if self._quiet_s is None:
            self.close()
        else:
            self._buffer = b""
            self._silent_until = asyncio.get_running_loop().time() + self._quiet_s

    def _expire(self, pending: asyncio.Future[bytes], timeout_s: float) -> None:
        if pending.done():
            return
        self._timeouts += 1
        rest = len(self._buffer)
        text = f"{self._who(self._unit)}: no answer in {timeout_s:g} s"
        pending.set_exception(DeviceTimeoutError(f"{text}, only {rest} bytes of one" if rest else text))
        if self._rtu:
            self._stale()
        elif rest or self._timeouts >= _DEAF_AFTER:
            self.close()

    def _fail(self, error: Exception) -> None:
        if self._pending is not None and not self._pending.done():
            self._pending.set_exception(error)

    # -- called by the line --------------------------------------------------------------------------------------

    def lost(self, line: _Line, error: Exception | None) -> None:
        """Note that the other side closed, or that the port is gone."""
        if line is self._line:
            self._transport = self._line = None
            self._fail(ConnectError(f"{self.endpoint.text}: lost: {error or 'closed by the other side'}"))

    def received(self, line: _Line, data: bytes) -> None:
        """Take bytes from the line."""
        if line is not self._line:
            return
        if self.watch is not None:
            self.watch(False, data)
        self._buffer = self._buffer + data if self._buffer else data
        if self._rtu:
            self._receive_rtu()
        else:
            self._receive_tcp()

    def _receive_tcp(self) -> None:
        while len(self._buffer) >= 8:
            protocol, length = int.from_bytes(self._buffer[2:4], "big"), int.from_bytes(self._buffer[4:6], "big")
            if protocol != 0 or not 3 <= length <= 254:
                self.rejected += 1
                self._fail(DecodeError(f"{self._who(self._unit)}: no Modbus header in {self._buffer[:8].hex(' ')}"))
                self.close()
                return
            if len(self._buffer) < 6 + length:
                return
            frame, self._buffer = self._buffer[: 6 + length], self._buffer[6 + length :]
            _, unit, transaction, pdu = self._framer.decode(frame)
            pending = self._pending
            if pending is None or pending.done() or transaction != self._transaction:
                self.rejected += 1  # the answer to an earlier request, or to none
            elif unit != self._unit:
                self.rejected += 1
                pending.set_exception(DecodeError(f"{self._who(self._unit)}: answered by unit {unit}"))
            else:
                pending.set_result(pdu)

    def _receive_rtu(self) -> None:
        pending = self._pending
        if pending is None or pending.done() or self._silent_until > asyncio.get_running_loop().time():
            self.rejected += 1
            self._stale()
            return
        buffer = self._buffer
        if len(buffer) < 5:
            return
        size = 5 if buffer[1] & 0x80 else self._expected
        used, unit, _, pdu = self._framer.decode(buffer)
        if not used:
            return
        self._buffer = b""
        if not pdu:
            self._reject(pending, f"{self._who(self._unit)}: check sum wrong in {buffer[:16].hex(' ')}")
        elif unit != self._unit:
            self._reject(pending, f"{self._who(self._unit)}: answered by unit {unit}")
        elif len(buffer) != size:
            self._reject(pending, f"{self._who(self._unit)}: wanted {size} bytes, got {len(buffer)}")
        else:
            if self._gap_s:
                self._silent_until = asyncio.get_running_loop().time() + self._gap_s
            pending.set_result(pdu)

    def _reject(self, pending: asyncio.Future[bytes], message: str) -> None:
        pending.set_exception(DecodeError(message))
        self.rejected += 1
        self._stale()
