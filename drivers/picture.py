"""Pictures of cameras: what a picture is, the checks that every one passes, and the fetch from a camera over HTTP.

A camera is a small computer of somebody else's. So nothing of its answer is believed: the address is the configured one
and redirections are not followed, head and body are bounded, everything has one deadline, and what comes must begin and
say that it is a JPEG (ISO/IEC 10918-1, B.1.1.3: SOI FFD8, then a marker FFxx; it ends with EOI FFD9).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import urlsplit

from drivers.errors import ConnectError, DecodeError, DeviceRefusedError, DeviceTimeoutError

if TYPE_CHECKING:
    from drivers.driver import Device

__all__ = ["DEADLINE_S", "MAX_BYTES", "Picture", "PictureDriver", "check_jpeg", "fetch_jpeg"]

MAX_BYTES = 2 * 1024 * 1024
"""Largest picture that is taken."""
DEADLINE_S = 3.0
"""From the first packet to the last byte."""
_MAX_HEAD = 16 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Picture:
    """One JPEG and when it was taken in."""

    data: bytes
    time_ns: int
    """Time of arrival, ns since 1970 UTC; cameras' clocks are not believed."""
    aged: bool = False
    """True for a picture that the broker had kept: nobody knows how old it is."""


@runtime_checkable
class PictureDriver(Protocol):
    """A driver whose devices have pictures."""

    async def picture(self, device: Device) -> Picture:
        """Return the newest picture of a device.

        Raises:
            DriverError: it has none now, or what it gave is no picture.
        """


def check_jpeg(data: bytes) -> bytes:
    """Return what is a whole JPEG of at most `MAX_BYTES`.

    Raises:
        DecodeError: it is not.
    """
    if len(data) > MAX_BYTES:
        raise DecodeError(f"a picture of {len(data)} bytes; at most {MAX_BYTES}")
    if not data.startswith(b"\xff\xd8\xff"):
        raise DecodeError(f"a picture that begins with {data[:4].hex() or 'nothing'}; a JPEG begins with ffd8ff")
    if not data.rstrip(b"\x00").endswith(b"\xff\xd9"):
        raise DecodeError(f"a JPEG of {len(data)} bytes without its end (ffd9): it was cut off")
    return data


async def fetch_jpeg(url: str, deadline_s: float = DEADLINE_S) -> bytes:
    """Fetch one JPEG from a camera by a single GET.

    Raises:
        ConnectError: nobody there, or the connection was cut.
        DeviceTimeoutError: not whole within the deadline.
        DeviceRefusedError: an answer other than 200; redirections are not followed.
        DecodeError: the address cannot be used, or the answer is no JPEG or too large.
    """
    try:
        async with asyncio.timeout(deadline_s):
            return check_jpeg(await _get(url))
    except TimeoutError as error:
        raise DeviceTimeoutError(f"{_shown(url)}: no whole picture within {deadline_s:g} s") from error
    except (OSError, asyncio.IncompleteReadError) as error:
        raise ConnectError(f"{_shown(url)}: {error}") from error


async def _get(url: str) -> bytes:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise DecodeError(f"{_shown(url)}: {error}") from error
    unusable = any(not "!" <= char <= "~" for char in url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or unusable:
        raise DecodeError(
            f"{_shown(url)}: wanted http://host:port/path without user name, spaces or control characters"
        )
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure, limit=_MAX_HEAD)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: image/jpeg\r\nConnection: close\r\n\r\n"
        writer.write(head.encode("ascii"))
        await writer.drain()
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except asyncio.LimitOverrunError as error:
            raise DecodeError(f"{_shown(url)}: the head of the answer is longer than {_MAX_HEAD} bytes") from error
        headers = _headers(lines, url)
        return await _body(reader, headers, url)
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(0.5):
                await writer.wait_closed()


def _headers(lines: list[str], url: str) -> dict[str, str]:
    """Judge status line and headers: 200, `image/jpeg`, no coding, no length beyond what is taken."""
    word, _, rest = lines[0].partition(" ")
    status = rest[:3]
    if not word.startswith("HTTP/1.") or not status.isdigit():
        raise DecodeError(f"{_shown(url)}: answers {lines[0][:60]!r}, wanted HTTP/1.1")
    if status != "200":
        hint = "; a redirection is not followed" if status.startswith("3") else ""
        raise DeviceRefusedError(f"{_shown(url)}: answers {rest[:60]!r}, wanted 200{hint}", int(status))
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip().lower()
    kind = headers.get("content-type", "").partition(";")[0].strip()
    if kind not in ("image/jpeg", "image/jpg"):
        raise DecodeError(f"{_shown(url)}: content type {kind[:60]!r}, wanted image/jpeg")
    if headers.get("content-encoding", "identity") != "identity":
        raise DecodeError(f"{_shown(url)}: content coding {headers['content-encoding'][:60]!r}, wanted none")
    length = headers.get("content-length", "0")
    if not length.isdigit() or len(length) > 12 or int(length) > MAX_BYTES:
        raise DecodeError(f"{_shown(url)}: length {length[:20]!r}; at most {MAX_BYTES} bytes")
    return headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str], url: str) -> bytes:
    if headers.get("transfer-encoding", "identity") == "chunked":
        return await _chunks(reader, url)
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    parts, size = [], 0
    while piece := await reader.read(_PIECE):
        size = _bounded(size + len(piece), url)
        parts.append(piece)
    return b"".join(parts)


async def _chunks(reader: asyncio.StreamReader, url: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        try:
            line = await reader.readuntil(b"\r\n")
            length = int(line.partition(b";")[0].strip()[:16], 16)
        except (ValueError, asyncio.LimitOverrunError) as error:
            raise DecodeError(f"{_shown(url)}: a chunk without a length") from error
        if length == 0:
            return b"".join(parts)
        size = _bounded(size + length, url)
        parts.append(await reader.readexactly(length))
        await reader.readexactly(2)


def _bounded(size: int, url: str) -> int:
    if not 0 <= size <= MAX_BYTES:
        raise DecodeError(f"{_shown(url)}: more than {MAX_BYTES} bytes")
    return size


def _shown(url: str) -> str:
    """Return an address for a message: without what may be a secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
