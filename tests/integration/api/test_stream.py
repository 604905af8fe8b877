"""The real server: sockets, the stream, limits, HTTPS, and one deaf client among others."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import ssl
import struct
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from controller.api import guard as guard_module
from controller.api import server as server_module
from controller.api import stream as stream_module
from controller.api.client import CLOSE_ENDED, CLOSE_FLOOD
from controller.api.runtime import ApiSettings
from controller.api.server import HttpSettings, build_server
from controller.clock import SystemClock
from controller.errors import InvalidError, UnavailableError
from controller.identity.certificate import make_certificate
from controller.identity.permission import Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

PASSWORD = "four quiet words here"
HEADER = struct.Struct("<IIdII")


@asynccontextmanager
async def serving(house: Any, http: HttpSettings | None = None) -> AsyncIterator[Any]:
    server = build_server(house.app, http or HttpSettings(port=0), SystemClock())
    task = asyncio.create_task(server.run_until_stopped())
    try:
        await until(lambda: server.started)
        yield server
    finally:
        server.stop()
        async with asyncio.timeout(15):
            await task


async def sign_in(server: Any, name: str, **more: Any) -> tuple[httpx.AsyncClient, dict[str, str]]:
    http = httpx.AsyncClient(base_url=server.url, headers={"Origin": server.url}, trust_env=False, **more)
    reply = await http.post("/api/v1/session", json={"username": name, "password": PASSWORD})
    assert reply.status_code == 200, reply.text
    http.headers["X-CSRF-Token"] = reply.json()["csrf"]
    cookie = "; ".join(f"{key}={value}" for key, value in http.cookies.items())
    return http, {"Cookie": cookie}


def socket_of(server: Any, headers: dict[str, str], **more: Any) -> Any:
    options = {"subprotocols": ["shifu.v1"], "origin": server.url, "additional_headers": headers, "proxy": None, **more}
    return connect(f"ws{server.url.removeprefix('http')}/api/v1/stream", **options)


async def receive(websocket: Any, kind: str | None = None, within: float = 10.0) -> Any:
    """Return the next message, or the next of a kind; `frame` is a value frame."""
    async with asyncio.timeout(within):
        while True:
            message = await websocket.recv()
            if isinstance(message, bytes):
                if kind in {None, "frame"}:
                    return decode(message)
                continue
            parsed = json.loads(message)
            if kind in {None, parsed["type"]}:
                return parsed


async def closing(websocket: Any) -> int:
    """Read to the end and return the code with which the server closed."""
    async with asyncio.timeout(10):
        with suppress(ConnectionClosed):
            while True:
                await websocket.recv()
    return int(websocket.close_code)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, 10 s at most."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event to hang on
            await asyncio.sleep(0.01)


def decode(frame: bytes) -> dict[str, Any]:
    magic, sequence, time, count, flags = HEADER.unpack_from(frame)
    assert magic == 0x31554653
    assert len(frame) == 24 + count * 17
    return {
        "sequence": sequence,
        "time": time,
        "snapshot": bool(flags & 1),
        "topic": flags >> 16,
        "value": np.frombuffer(frame, "<f8", count, 24),
        "number": np.frombuffer(frame, "<u4", count, 24 + count * 8),
        "age": np.frombuffer(frame, "<f4", count, 24 + count * 12),
        "quality": np.frombuffer(frame, "<u1", count, 24 + count * 16),
    }


async def test_snapshot_then_changes(house: Any) -> None:
    await house.user(Role.OPERATOR, name="wang")
    house.put("hall.electrical.tx1.power", 812.5)
    async with serving(house) as server:
        http, headers = await sign_in(server, "wang")
        async with socket_of(server, headers) as websocket:
            hello = await receive(websocket)
            assert (hello["type"], hello["generation"], hello["version"]) == ("hello", 1, "0.1.0")
            await websocket.send(json.dumps({"subscribe": ["system:electrical", "alarms", "devices", "system:none"]}))
            topic = (await receive(websocket, "subscribed"))["id"]
            assert (await receive(websocket, "refused"))["topic"] == "system:none"
            assert (await receive(websocket, "alarms"))["items"] == []
            assert len((await receive(websocket, "devices"))["items"]) == 3
            first = await receive(websocket)
            assert (first["snapshot"], first["topic"], list(first["number"])) == (True, topic, [0, 1])
            assert np.isnan(first["value"][0])
            assert np.isnan(first["age"][0])
            assert first["value"][1] == 812.5
            assert list(first["quality"]) == [128, 0]

            house.clock.move(2.5)
            house.put("hall.electrical.tx1.power", 815.0)
            house.put("hall.hvac.ahu1.zone_temp", 24.0)
            house.clock.move(0.5)
            house.runtime.hub.publish_values(np.array([2, 1], np.int32))
            change = await receive(websocket, "frame")
            assert change["sequence"] == first["sequence"] + 1
            assert (change["snapshot"], list(change["number"]), list(change["value"])) == (False, [1], [815.0])
            assert change["age"][0] == pytest.approx(0.5)

            house.raise_alarm()
            alarm = house.runtime.alarms.active()[0].to_json()
            house.runtime.hub.publish_values(np.array([1], np.int32))
            house.runtime.hub.publish_alarm(alarm)
            assert (await receive(websocket))["type"] == "alarm", "alarms go before values"
            assert (await receive(websocket, "frame"))["sequence"] == change["sequence"] + 1

            await websocket.send(json.dumps({"unsubscribe": ["system:electrical"], "subscribe": ["commands"]}))
            await receive(websocket, "subscribed")
            body = {"point": "hall.hvac.ahu1.zone_temp_sp", "value": 25.0, "reason": "warm"}
            made = (await http.post("/api/v1/commands", json=body)).json()
            house.runtime.hub.publish_values(np.array([1], np.int32))
            house.runtime.hub.publish_command(made)
            assert (await receive(websocket))["item"]["id"] == made["id"]
            house.runtime.hub.beat()
            assert (await receive(websocket, "heartbeat"))["generation"] == 1
        await http.aclose()


async def test_new_configuration_gives_everybody_a_snapshot(house: Any) -> None:
    await house.user(Role.VIEWER, name="wang")
    async with serving(house) as server:
        http, headers = await sign_in(server, "wang")
        async with socket_of(server, headers) as websocket:
            await websocket.send(json.dumps({"subscribe": ["overview"]}))
            assert list((await receive(websocket, "frame"))["number"]) == [1, 6]
            house.site = replace(house.site, generation=2)
            house.runtime.hub.beat()
            again = await receive(websocket, "frame")
            assert again["snapshot"] is True
        await http.aclose()


async def test_person_of_one_area_gets_frames_of_that_area(house: Any) -> None:
    await house.user(Role.VIEWER, name="wang", areas=("plant",))
    async with serving(house) as server:
        http, headers = await sign_in(server, "wang")
        async with socket_of(server, headers) as websocket:
            topics = ["overview", "system:electrical", "point:hall.electrical.tx1.power", "alarms", "devices"]
            await websocket.send(json.dumps({"subscribe": topics}))
            assert (await receive(websocket, "refused"))["topic"] == "system:electrical"
            assert (await receive(websocket, "refused"))["topic"] == "point:hall.electrical.tx1.power"
            assert [d["id"] for d in (await receive(websocket, "devices"))["items"]] == ["dev-ch1"]
            assert list((await receive(websocket, "frame"))["number"]) == [6]
            house.raise_alarm()
            house.runtime.hub.publish_alarm(house.runtime.alarms.active()[0].to_json())
            house.runtime.hub.publish_values(np.array([1, 6], np.int32))
            change = await receive(websocket)
            assert list(change["number"]) == [6], "no alarm of the substation came before it"
        await http.aclose()


@pytest.mark.parametrize(
    ("headers", "options", "status"),
    [
        ({"Cookie": ""}, {}, 401),
        ({"Cookie": "shifu=made-up"}, {}, 401),
        (None, {"origin": "http://evil.example"}, 403),
        (None, {"origin": None}, 403),
        (None, {"subprotocols": ["other"]}, 400),
        ({"Authorization": "Bearer shifu_made-up"}, {}, 401),
    ],
)
async def test_who_may_not_open_a_stream(house: Any, headers: Any, options: Any, status: int) -> None:
    await house.user(Role.VIEWER, name="wang")
    async with serving(house) as server:
        http, cookie = await sign_in(server, "wang")
        with pytest.raises(InvalidStatus) as refused:
            async with socket_of(server, cookie if headers is None else headers, **options):
                pass
        assert refused.value.response.status_code == status
        await http.aclose()
    assert house.runtime.hub.clients == 0


async def test_program_opens_a_stream_with_its_token(house: Any) -> None:
    admin = await house.user(Role.ADMINISTRATOR)
    made = await admin("POST", "/tokens", json={"name": "t", "permissions": [{"action": "view", "area": "*"}]})
    async with serving(house) as server:
        bearer = {"Authorization": f"Bearer {made.json()['secret']}"}
        async with socket_of(server, bearer, origin=None) as websocket:
            assert (await receive(websocket))["type"] == "hello"


@pytest.mark.parametrize("how", ["logout", "role", "password", "expiry"])
async def test_open_stream_ends_with_the_session(house: Any, how: str) -> None:
    await house.user(Role.ENGINEER, name="wang")
    async with serving(house) as server:
        http, headers = await sign_in(server, "wang")
        async with socket_of(server, headers) as websocket:
            await receive(websocket, "hello")
            if how == "logout":
                assert (await http.delete("/api/v1/session")).status_code == 204
            elif how == "role":
                await house.identity.change_user("wang", {"role": Role.VIEWER}, "boss", "")
            elif how == "password":
                body = {"current": PASSWORD, "new": "five other words for now"}
                assert (await http.post("/api/v1/session/password", json=body)).status_code == 200
            elif how == "expiry":
                house.clock.move(30 * 60)
            # The hub's own task looks again within 5 s of the injected clock.
            for _ in range(5):
                await house.clock.advance(1.0)
            assert await closing(websocket) == CLOSE_ENDED
        await http.aclose()


@pytest.mark.parametrize(
    ("message", "code"),
    [("x" * 70_000, 1009), (b"\x00\x01", CLOSE_FLOOD)],
)
async def test_messages_that_close(house: Any, message: Any, code: int) -> None:
    await house.user(Role.VIEWER, name="wang")
    async with serving(house) as server:
        http, headers = await sign_in(server, "wang")
        async with socket_of(server, headers) as websocket:
            await websocket.send(message)
            assert await closing(websocket) == code
        await http.aclose()


@pytest.mark.parametrize(
    "message", ["[]", "null", "{", "[" * 60_000, '{"subscribe": "alarms"}', '{"x": 1}', '{"subscribe": [1]}', "NaN"]
)
async def test_messages_that_are_refused(house: Any, message: str) -> None:
    await house.user(Role.VIEWER, name="wang")
    async with serving(house) as server:
        http, headers = await sign_in(server, "wang")
        async with socket_of(server, headers) as websocket:
            await websocket.send(message)
            assert (await receive(websocket, "refused"))["reason"]
        await http.aclose()


async def test_subscriptions_and_messages_are_limited(house: Any) -> None:
    await house.user(Role.VIEWER, name="wang")
    async with serving(house) as server:
        http, headers = await sign_in(server, "wang")
        async with socket_of(server, headers) as websocket:
            await websocket.send(json.dumps({"subscribe": ["x"] * 65}))
            assert "at most 64" in (await receive(websocket, "refused"))["reason"]
            with suppress(ConnectionClosed):
                for _ in range(200):
                    await websocket.send('{"unsubscribe": []}')
            assert await closing(websocket) == CLOSE_FLOOD
        await http.aclose()


async def test_deaf_client_delays_nobody_and_is_cut(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "SEND_S", 3.0)
    await house.user(Role.VIEWER, name="wang")
    padding = "x" * 300_000
    async with serving(house) as server:
        http, headers = await sign_in(server, "wang")
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(deaf, ("127.0.0.1", server.port))
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /api/v1/stream HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Protocol: shifu.v1",
            f"Origin: {server.url}",
            f"Cookie: {headers['Cookie']}",
        ]
        await loop.sock_sendall(deaf, ("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = await loop.sock_recv(deaf, 4096)
        assert answer.startswith(b"HTTP/1.1 101 ")
        text = json.dumps({"subscribe": ["events"]}).encode()
        masked = bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text
        await loop.sock_sendall(deaf, masked)
        await until(lambda: house.runtime.hub.clients == 1)
        (deaf_client,) = house.runtime.hub._clients
        async with socket_of(server, headers, max_size=None) as healthy:
            await healthy.send(json.dumps({"subscribe": ["events"]}))
            await receive(healthy, "subscribed")
            await until(lambda: sum("events" in client.lists for client in house.runtime.hub._clients) == 2)
            stuck, n = 0, 0
            # How much a kernel keeps for a socket that nobody reads differs (4 MB to 32 MB seen): until it is full.
            async with asyncio.timeout(60):
                while house.runtime.hub.clients > 1:
                    house.runtime.hub.publish_events([{"n": n, "data": {"padding": padding}}], {"": 1})
                    message = await receive(healthy, "events")
                    # Its socket is full: one message is being sent to it and others wait behind.
                    stuck += bool(deaf_client.texts) and house.runtime.hub.clients > 1
                    assert message["items"][0]["n"] == n, "the healthy client gets every message, in order"
                    n += 1
            assert stuck > 1, "others were served while the deaf one's send was waiting"
            house.runtime.hub.beat()
            await receive(healthy, "heartbeat")
        deaf.close()
        await http.aclose()


async def test_plain_http_is_for_loopback_alone(house: Any) -> None:
    with pytest.raises(InvalidError, match="shifu tls init"):
        build_server(house.app, HttpSettings(host="0.0.0.0", port=0), SystemClock())


async def test_taken_address_says_so(house: Any) -> None:
    async with serving(house) as server:
        with pytest.raises(UnavailableError, match="another port"):
            build_server(house.app, HttpSettings(port=server.port), SystemClock())


async def test_https_with_a_certificate_of_ours(tmp_path: Path, opener: Any) -> None:
    open_house, close_house = opener
    house = await open_house(tmp_path, ApiSettings(https=True, requests_per_s=1000, sign_ins_per_min=1000))
    certificate, key = tmp_path / "tls" / "cert.pem", tmp_path / "tls" / "key.pem"
    make_certificate(certificate, key, ["localhost", "127.0.0.1"], SystemClock())
    made, link = await house.identity.create_user("wang", "W", Role.VIEWER, (), "test", "")
    assert made.must_set_password
    _, principal = await house.identity.sign_in_by_link(link, "127.0.0.1")
    await house.identity.set_password(principal, None, PASSWORD, "127.0.0.1")
    async with serving(house, HttpSettings(port=0, certificate=certificate, private_key=key)) as server:
        trust = ssl.create_default_context(cafile=str(certificate))
        http = httpx.AsyncClient(base_url=server.url, headers={"Origin": server.url}, verify=trust, trust_env=False)
        reply = await http.post("/api/v1/session", json={"username": "wang", "password": PASSWORD})
        assert reply.status_code == 200
        cookie = reply.headers["set-cookie"]
        assert cookie.startswith("__Host-shifu=")
        assert "; Secure" in cookie
        assert reply.headers["strict-transport-security"]
        assert "server" not in reply.headers
        headers = {"Cookie": cookie.partition(";")[0]}
        async with socket_of(server, headers, ssl=trust) as websocket:
            assert (await receive(websocket))["type"] == "hello"
        await http.aclose()
    await close_house(house)


async def _raw(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            try:
                await writer.drain()
                return await reader.read(200)
            except ConnectionError:
                return b""
    finally:
        writer.close()


async def test_header_of_a_megabyte_and_a_body_of_thirty(house: Any) -> None:
    async with serving(house) as server:
        host = f"Host: 127.0.0.1:{server.port}\r\n".encode()
        huge = b"GET /healthz HTTP/1.1\r\n" + host + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n"
        assert not (await _raw(server.port, huge)).startswith(b"HTTP/1.1 200")
        post = b"POST /api/v1/session HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\n"
        assert b" 413 " in await _raw(server.port, post + b"Content-Length: 30000000\r\n\r\n")
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        chunked = post + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 2
        answer = await _raw(server.port, chunked)
        assert b" 413 " in answer or answer == b""
        assert (await _raw(server.port, b"\x16\x03\x01 nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400")
        assert (await _raw(server.port, b"GET /healthz HTTP/1.1\r\n" + host + b"\r\n")).startswith(b"HTTP/1.1 200")


async def test_senders_that_never_finish_are_given_up_and_delay_nobody(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "HEADER_S", 0.5)
    monkeypatch.setattr(guard_module, "BODY_S", 0.5)
    async with serving(house) as server:
        host = f"Host: 127.0.0.1:{server.port}\r\n".encode()
        half = b"GET /healthz HTTP/1.1\r\n" + host + b"X: "
        body = (
            b"POST /api/v1/session HTTP/1.1\r\n"
            + host
            + b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
        )
        slow = [asyncio.create_task(_raw(server.port, begun)) for begun in [b"", half, body] * 60]
        await until(lambda: len(server.server_state.connections) >= 120)
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            assert (await http.get("/healthz")).status_code == 200
        answers = await asyncio.gather(*slow)
        assert set(answers[0::3]) | set(answers[1::3]) == {b""}
        assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers[2::3])
        await until(lambda: len(server.server_state.connections) <= 1)


async def test_a_header_that_drips_is_given_up_too(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HEADER_S", 0.5)
    async with serving(house) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(10):
            writer.write(b"GET /healthz HTTP/1.1\r\n")
            with suppress(ConnectionError):
                while not reader.at_eof():
                    writer.write(b"X: y\r\n")
                    await writer.drain()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.05):
                            await reader.read(1)
        writer.close()


async def test_requests_and_sign_ins_are_limited(tmp_path: Path, opener: Any) -> None:
    open_house, close_house = opener
    house = await open_house(tmp_path, ApiSettings(requests_per_s=1.0, sign_ins_per_min=3.0))
    browser = house.browser()
    codes = [(await browser.sign_in(f"u{n}", "wrong wrong wrong")).status_code for n in range(4)]
    assert codes == [401, 401, 401, 429]
    codes = [(await browser("GET", "/session")).status_code for _ in range(20)]
    assert codes[-1] == 429
    limited = await browser("GET", "/session")
    assert int(limited.headers["retry-after"]) >= 1
    assert (await house.browser("10.0.0.9")("GET", "/session")).status_code == 401
    house.clock.move(5)
    assert (await browser("GET", "/session")).status_code == 401
    await close_house(house)
