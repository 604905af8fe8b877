"""Fetching a picture from cameras that are well, slow, huge, lying or hostile: always an answer, always soon."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from drivers.errors import ConnectError, DecodeError, DeviceRefusedError, DeviceTimeoutError, DriverError
from drivers.picture import MAX_BYTES, check_jpeg, fetch_jpeg

JPEG = b"\xff\xd8\xff\xe0" + bytes(1000) + b"\xff\xd9"


@contextlib.asynccontextmanager
async def camera(answer: Callable[[asyncio.StreamWriter], object]) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that writes what `answer` writes; returns its address and the heads of the requests."""
    heads: list[str] = []
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        serving.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            result = answer(writer)
            if asyncio.iscoroutine(result):
                await result
            await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/onvif/cam-1/snapshot.jpg?size=big", heads
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def reply(body: bytes, kind: str = "image/jpeg", status: str = "200 OK", **headers: str) -> bytes:
    lines = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg; q=1\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"%x;x=y\r\n%b\r\n0\r\n\r\n" % (len(JPEG), JPEG)
)
PIECES = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
UNSIZED = b"HTTP/1.0 200 OK\r\ncontent-type: IMAGE/JPEG\r\n\r\n" + JPEG


@pytest.mark.parametrize("answer", [reply(JPEG), CHUNKED, UNSIZED], ids=["sized", "chunked", "until the end"])
async def test_a_picture_comes_whole_by_one_plain_request(answer: bytes) -> None:
    async with camera(lambda writer: writer.write(answer)) as (url, heads):
        assert await fetch_jpeg(url) == JPEG
    (head,) = heads
    assert head.startswith("GET /onvif/cam-1/snapshot.jpg?size=big HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (reply(b"<html>", "text/html"), DecodeError, "content type 'text/html'"),
        (reply(b"<html>not a jpeg"), DecodeError, "begins with 3c68746d"),
        (reply(JPEG[:-2]), DecodeError, "cut off"),
        (reply(b""), DecodeError, "begins with nothing"),
        (reply(JPEG, Content_Length=str(MAX_BYTES + 1)), DecodeError, "length"),
        (reply(JPEG, Content_Length="-5"), DecodeError, "length"),
        (reply(JPEG, Content_Length=str(len(JPEG) + 5)), ConnectError, "expected"),
        (reply(JPEG, Content_Encoding="gzip"), DecodeError, "coding"),
        (reply(b"", status="302 Found", Location="http://127.0.0.1:1/"), DeviceRefusedError, "not followed"),
        (reply(b"", status="401 Unauthorized"), DeviceRefusedError, "401"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", DecodeError, "wanted HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 40_000, DecodeError, "head of the answer"),
        (b"", ConnectError, "expected"),
        (CHUNKED[:90] + b"zz\r\n", ConnectError, "expected"),
        (PIECES + b"zz\r\n", DecodeError, "chunk"),
        (PIECES + b"-5\r\n", DecodeError, "more than"),
        (PIECES + b"ffffffff\r\n", DecodeError, "more than"),
    ],
)  # fmt: skip
async def test_what_is_no_picture_is_refused(answer: bytes, error: type[DriverError], message: str) -> None:
    async with camera(lambda writer: writer.write(answer)) as (url, heads):
        with pytest.raises(error, match=message):
            await fetch_jpeg(url)
        assert len(heads) == 1, "asked once, and nobody else"


async def test_an_endless_picture_ends_at_the_limit() -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff")
        while sent < 64 * MAX_BYTES:
            writer.write(bytes(65536))
            sent += 65536
            await writer.drain()

    async with camera(flood) as (url, _):
        with pytest.raises(DecodeError, match="more than"):
            await fetch_jpeg(url)
    assert sent < 8 * MAX_BYTES


@pytest.mark.parametrize(
    "first", [b"", b"HTTP/1.1 200 OK\r\n", reply(JPEG)[:200]], ids=["silent", "half a head", "half a body"]
)
async def test_a_slow_camera_costs_the_deadline_and_no_more(first: bytes) -> None:
    async def dawdle(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await writer.drain()
        await asyncio.Event().wait()

    async with camera(dawdle) as (url, _):
        with pytest.raises(DeviceTimeoutError, match=r"within 0\.3 s"):
            await fetch_jpeg(url, 0.3)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/a", "http:///a", "http://127.0.0.1:99999/", "http://user:pw@127.0.0.1/",
        "http://127.0.0.1/a b", "http://127.0.0.1/\r\nX: y", "file:///etc/passwd",
    ],
)  # fmt: skip
async def test_an_address_that_cannot_be_used_opens_nothing(url: str) -> None:
    with pytest.raises(DecodeError) as caught:
        await fetch_jpeg(url)
    assert "pw" not in str(caught.value), "a password is not shown"


async def test_nobody_there() -> None:
    with pytest.raises(ConnectError):
        await fetch_jpeg("http://127.0.0.1:1/a.jpg")


def test_a_picture_may_end_in_zeros_and_not_be_larger_than_the_limit() -> None:
    assert check_jpeg(JPEG + b"\x00\x00")
    with pytest.raises(DecodeError, match="at most"):
        check_jpeg(b"\xff\xd8\xff" + bytes(MAX_BYTES) + b"\xff\xd9")
