"""One connection to a broker: paho-mqtt driven by the event loop through its documented socket call-backs.

No thread serves the connection; only name resolution, the TCP connect and the TLS handshake, which paho does blocking,
run for a moment in the loop's executor. Measured (36-byte payloads, 6,000 a second, uvloop): 22 µs of CPU a message,
against 28 µs with paho's own thread. A session lives once: after its end a new one is made, so that nothing which
paho has queued for the old connection is ever sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from drivers.errors import ConnectError, DeviceRefusedError, DeviceTimeoutError, NotTrustedError
from drivers.mqtt.payload import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paho.mqtt.client import SocketLike
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from drivers.driver import Clock

__all__ = ["Login", "Session"]

KEEPALIVE_S = 10
"""A frozen broker is noticed after at most 2 × this (measured 1.8 ×)."""
_CONNECT_S = 5.0
_TOPICS_A_PACKET = 100
_PIECE = 64 * 1024
_KEEP_OF_LARGE = 1024
"""Bytes kept of a message that is too large: enough for its header and topic."""
_DRAIN = 100

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """Where and as whom to connect."""

    endpoint: str
    """`mqtt://host:1883` or `mqtts://host:8883`."""
    client_id: str
    user: str = ""
    password: str = ""
    ca: str = ""
    """File of the authority that signed the broker's certificate; given, the connection is TLS."""
    certificate: str = ""
    private_key: str = ""
    version: int = 4
    """4 is MQTT 3.1.1, 5 is MQTT 5 (the broker then holds back what is larger than we take)."""

    def __repr__(self) -> str:
        return f"Login({self.endpoint}, client_id={self.client_id!r})"

    def address(self) -> tuple[str, int, bool]:
        """Return host, port, and whether it is TLS.

        Raises:
            ConnectError: the endpoint cannot be used.
        """
        try:
            parts = urlsplit(self.endpoint)
            secure = parts.scheme == "mqtts" or bool(self.ca)
            port = parts.port or (8883 if secure else 1883)
        except ValueError as error:
            raise ConnectError(f"{self.endpoint}: {error}") from error
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ConnectError(f"{self.endpoint}: wanted mqtt://host:port or mqtts://host:port")
        return parts.hostname, port, secure


class _ClosingSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails: paho forgets it then, and every new attempt would leave one open."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001 - the signature of the standard library
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class _Client(paho.Client):
    """paho's client with an upper bound on what it collects.

    paho gathers a packet whole before anybody is asked, and MQTT 3.1.1 has no way to tell a broker our limit. So the
    body of a message that is too large is thrown away while it arrives; header and topic stay. `_sock_recv` and
    `_in_packet` are paho's own (the same in 2.1 and 2.2); a test with a message of 64 MiB watches them.
    """

    too_large = False
    """True while such a message is coming in."""

    def _sock_recv(self, bufsize: int) -> bytes:
        if bufsize > _PIECE:
            bufsize = _PIECE
            packet = self._in_packet
            if packet["remaining_length"] > MAX_BYTES + _KEEP_OF_LARGE:
                self.too_large = True
                del packet["packet"][_KEEP_OF_LARGE:]
        return super()._sock_recv(bufsize)


class Session:
    """One connection, from connect to its end."""

    def __init__(
        self, login: Login, receive: Callable[[str, bytes, bool, bool], None], fault: Callable[[], None]
    ) -> None:
        """Prepare. `receive` gets (topic, payload, retained, too large); `fault` is called when it raises."""
        self._login = login
        self._receive = receive
        self._fault = fault
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._granted: dict[int, asyncio.Future[list[ReasonCode]]] = {}
        self._acknowledged: dict[int, asyncio.Future[ReasonCode]] = {}
        self._file: int | None = None
        self._socket: Any = None
        self._attached = False
        self._wants_write = False
        self._client = self._make()

    @property
    def alive(self) -> bool:
        """True from the broker's yes until the connection ends."""
        return self._opened.done() and not self._opened.cancelled() and not self._ended.done()

    # -- connect ---------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect and wait for the broker's answer.

        Raises:
            ConnectError: nobody there, refused, or its certificate is not trusted.
        """
        host, port, secure = self._login.address()
        name = self._login.endpoint
        try:
            if secure:
                self._client.tls_set_context(await asyncio.to_thread(self._tls))
            await asyncio.wait_for(asyncio.to_thread(self._connect, host, port), 2 * _CONNECT_S)
        except ssl.SSLCertVerificationError as error:
            raise NotTrustedError(
                f"{name}: the broker's certificate is not trusted: {error.verify_message}; check the `ca` file"
            ) from error
        except TimeoutError as error:
            raise ConnectError(f"{name}: no answer within {_CONNECT_S:g} s", cause="unreachable") from error
        except (OSError, ValueError) as error:
            raise ConnectError(f"{name}: {error}") from error
        self._attach()
        try:
            await asyncio.wait_for(asyncio.shield(self._opened), _CONNECT_S)
        except TimeoutError as error:
            self.close()
            raise ConnectError(f"{name}: it takes connections but does not answer CONNECT") from error
        except ConnectError:
            self.close()
            raise

    def _connect(self, host: str, port: int) -> None:
        self._client.connect(host, port, KEEPALIVE_S)

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._login.ca or None)
        context.sslsocket_class = _ClosingSocket
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._login.certificate:
            context.load_cert_chain(self._login.certificate, self._login.private_key or None)
        return context

    def _make(self) -> _Client:
        login = self._login
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=login.client_id,
            clean_session=True if login.version == 4 else None,
            protocol=MQTTProtocolVersion(login.version),
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_S
        client.max_queued_messages_set(100)
        client.max_inflight_messages_set(100)
        if login.user:
            client.username_pw_set(login.user, login.password or None)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_register_write
        client.on_socket_unregister_write = self._on_unregister_write
        return client

    # -- use -------------------------------------------------------------------------------------------------------

    async def subscribe(self, topics: Sequence[str]) -> Mapping[str, str]:
        """Subscribe all topics with QoS 1, a hundred a packet.

        Returns:
            Topics that the broker refused, and its reason.

        Raises:
            ConnectError: the connection ended, or the broker did not answer.
        """
        refused: dict[str, str] = {}
        for start in range(0, len(topics), _TOPICS_A_PACKET):
            part = topics[start : start + _TOPICS_A_PACKET]
            code, number = self._client.subscribe([(topic, 1) for topic in part])
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or number is None:
                raise ConnectError(f"{self._login.endpoint}: cannot subscribe: {paho.error_string(code)}")
            answer: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
            self._granted[number] = answer
            codes = await self._answer(answer)
            if codes is None:
                raise ConnectError(f"{self._login.endpoint}: SUBSCRIBE was not answered in {_CONNECT_S:g} s")
            refused.update({topic: str(one) for topic, one in zip(part, codes, strict=False) if one.is_failure})
        return refused

    async def publish(self, topic: str, payload: bytes, timeout_s: float) -> None:
        """Publish once with QoS 1, not retained, and wait for the broker's acknowledgement.

        Raises:
            ConnectError: not connected, or the connection ended before the acknowledgement.
            DeviceTimeoutError: no acknowledgement in time; unknown whether it arrived.
            DeviceRefusedError: the broker refused it (MQTT 5 alone says so).
        """
        if not self.alive:
            raise ConnectError(f"{self._login.endpoint}: not connected")
        info = self._client.publish(topic, payload, qos=1)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise ConnectError(f"{self._login.endpoint}: cannot publish: {paho.error_string(info.rc)}")
        answer: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._acknowledged[info.mid] = answer
        try:
            code = await self._answer(answer, timeout_s)
        finally:
            self._acknowledged.pop(info.mid, None)
        if code is None:
            raise DeviceTimeoutError(
                f"{self._login.endpoint}: {topic}: not acknowledged within {timeout_s:g} s; it may have arrived"
            )
        if code.is_failure:
            raise DeviceRefusedError(f"{self._login.endpoint}: {topic}: the broker says {code}", code.value)

    async def serve(self, clock: Clock) -> None:
        """Let paho keep the connection alive, once a second, until it ends.

        Raises:
            ConnectError: always, with the reason.
        """
        while not self._ended.done():
            self._client.loop_misc()
            pause = asyncio.ensure_future(clock.sleep(1.0))
            try:
                await asyncio.wait((pause, self._ended), return_when=asyncio.FIRST_COMPLETED)
            finally:
                pause.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await pause
        raise ConnectError(f"{self._login.endpoint}: {self._ended.result()}")

    def close(self) -> None:
        """Say goodbye if there is somebody, and close the socket; safe to call twice."""
        self._end("closed by us")
        with contextlib.suppress(OSError, ValueError):
            self._client.disconnect()
            self._client.loop_write()
        # After a DISCONNECT that could not be written at once the socket is still open; reading lets paho close it.
        if self._socket is not None:
            self._detach()
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    async def _answer(self, answer: asyncio.Future[_T], timeout_s: float = _CONNECT_S) -> _T | None:
        """Wait for the broker's answer to one packet; None when it does not come in time."""
        await asyncio.wait((answer, self._ended), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        if self._ended.done():
            raise ConnectError(f"{self._login.endpoint}: {self._ended.result()}; it may have arrived")
        return None

    def _end(self, reason: str, cause: str = "") -> None:
        if not self._opened.done():
            self._opened.set_exception(ConnectError(f"{self._login.endpoint}: {reason}", cause=cause))
            self._opened.exception()  # somebody may have given up waiting
        if not self._ended.done():
            self._ended.set_result(reason)

    # -- paho's call-backs -----------------------------------------------------------------------------------------

    def _on_connect(
        self, _client: paho.Client, _userdata: Any, _flags: Any, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if code.is_failure:
            known = str(code) not in ("Bad user name or password", "Not authorized")
            self._end(f"the broker refused the connection: {code}", "" if known else "sign_in")
        elif not self._opened.done():
            self._opened.set_result(None)

    def _on_disconnect(
        self, _client: paho.Client, _userdata: Any, _flags: Any, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._end(f"the connection ended: {code}")

    def _on_subscribe(
        self, _client: paho.Client, _userdata: Any, mid: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        answer = self._granted.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(codes)

    def _on_publish(
        self, _client: paho.Client, _userdata: Any, mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        answer = self._acknowledged.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(code)

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        large, self._client.too_large = self._client.too_large, False
        try:
            self._receive(message.topic, bytes(message.payload), bool(message.retain), large)
        except Exception:  # noqa: BLE001 - logged and counted
            # An exception here would end paho's reading for good.
            self._fault()
            _log.exception("%s: a message could not be handled", self._login.endpoint)

    # -- the socket ------------------------------------------------------------------------------------------------
    # paho calls these from the thread of `_connect` first, and from the loop after `_attach`.

    def _on_socket_open(self, _client: paho.Client, _userdata: Any, sock: SocketLike) -> None:
        self._socket = sock

    def _on_socket_close(self, _client: paho.Client, _userdata: Any, _sock: SocketLike) -> None:
        self._detach()
        self._socket = None

    def _on_register_write(self, _client: paho.Client, _userdata: Any, _sock: SocketLike) -> None:
        self._wants_write = True
        if self._attached and self._file is not None:
            self._loop.add_writer(self._file, self._writable)

    def _on_unregister_write(self, _client: paho.Client, _userdata: Any, _sock: SocketLike) -> None:
        self._wants_write = False
        if self._attached and self._file is not None:
            self._loop.remove_writer(self._file)

    def _attach(self) -> None:
        if self._socket is None:
            self._end("the connection ended at once")
            return
        self._file = self._socket.fileno()
        self._attached = True
        self._loop.add_reader(self._file, self._readable)
        if self._wants_write:
            self._loop.add_writer(self._file, self._writable)

    def _detach(self) -> None:
        if self._attached and self._file is not None:
            self._attached = False
            self._loop.remove_reader(self._file)
            self._loop.remove_writer(self._file)
        self._file = None

    def _readable(self) -> None:
        for _ in range(_DRAIN):
            try:
                self._client.loop_read()
            except Exception:  # noqa: BLE001 - logged and counted
                # paho fails on some malformed packets (a topic that is no UTF-8 in MQTT 5, a short header).
                self._fault()
                _log.exception("%s: a packet could not be read", self._login.endpoint)
                self._end("a packet could not be read")
                return
            # TLS decrypts whole records: what is left inside wakes no selector.
            if self._socket is None or not isinstance(self._socket, ssl.SSLSocket) or not self._socket.pending():
                return
        self._loop.call_soon(self._readable)

    def _writable(self) -> None:
        try:
            self._client.loop_write()
        except Exception as error:  # noqa: BLE001 - logged and counted
            self._fault()
            _log.exception("%s: cannot write", self._login.endpoint)
            self._end(f"cannot write: {error}")
