"""Cameras on HTTP: one small server for all addresses that the site's files give for snapshots.

A picture is drawn when it is asked for. Faults of the device count: a camera that is disconnected closes the
connection, one that is slow answers late, one that is spoiled sends half a picture.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from simulators.wire.picture import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulators.fault import View

__all__ = ["SnapshotServer", "servers_of"]

_HEAD = 4096
_READ_S = 5.0


class SnapshotServer:
    """All snapshots of one configured server."""

    def __init__(self, place: str, now_ns: Callable[[], int]) -> None:
        """`place` is the configured address, `http://10.20.7.2:8080`."""
        self.place = place
        self.views: dict[str, View] = {}
        """By path."""
        self.served = 0
        self._now_ns = now_ns
        self._server: asyncio.Server | None = None

    @property
    def actual(self) -> str:
        """Where it listens."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def open(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_HEAD)

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_S):
                head = await reader.readuntil(b"\r\n\r\n")
            method, _, rest = head.decode("latin-1").partition(" ")
            view = self.views.get(rest.partition(" ")[0].partition("?")[0])
            if method != "GET" or view is None:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
            elif not view.fault.disconnected:
                if view.fault.delay_s > 0:
                    await asyncio.sleep(view.fault.delay_s)
                await self._answer(view, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that goes away in the middle is no trouble of a camera
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, view: View, writer: asyncio.StreamWriter) -> None:
        state = view.state()
        data = draw(
            str(view.device.options.get("camera", view.device.id)),
            self._now_ns() + round(view.fault.clock_s * 1e9),
            motion=bool(state.get("motion", 0.0)),
            covered=bool(state.get("scene_change", 0.0)),
            lost=bool(state.get("signal_loss", 0.0)),
        )
        if view.fault.corrupt:
            data = data[: len(data) // 2]
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + data)
        await writer.drain()
        self.served += 1


def servers_of(views: Iterable[View], now_ns: Callable[[], int]) -> list[SnapshotServer]:
    """Return a server for each address that devices give for their snapshots."""
    found: dict[str, SnapshotServer] = {}
    for view in views:
        url = view.device.options.get("snapshot")
        if isinstance(url, str) and url.startswith("http://"):
            parts = urlsplit(url)
            place = f"{parts.scheme}://{parts.netloc}"
            found.setdefault(place, SnapshotServer(place, now_ns)).views[parts.path] = view
    return list(found.values())
