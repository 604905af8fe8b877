"""The writer and the reader against a real InfluxDB 2.7, directly and through a server that misbehaves."""

from __future__ import annotations

import gzip
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest

from controller.clock import SystemClock
from controller.errors import UnavailableError
from controller.history.delivery import Influx
from controller.history.embedded import EmbeddedHistory
from controller.history.flux import InfluxHistory
from controller.history.influx import InfluxWriter
from controller.history.log import FrameLog
from controller.history.store import HOUR_NS
from drivers.reading import Readings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.influxdb import InfluxServer

T0 = 1_767_225_600_000_000_000
S = 10**9
ADDRESSES = {
    0: "cityhall.electrical.tx1.winding_temp_a",
    1: "cityhall.plant.ch1.load",
    2: 'city hall.el,ec.t=x\\1.odd "point" ${1}',
}

Plan = Callable[[int, bytes], str | tuple[int, dict[str, str], str]]


class Proxy:
    """Stands before a real server; `plan(number of the request, lines)` says what goes wrong.

    `pass` forwards, `lose` forwards and cuts the connection instead of answering, `cut` answers half, `hang` does not
    answer until the end; a tuple is the answer (status, headers, body).
    """

    def __init__(self, server: InfluxServer, plan: Plan) -> None:
        self.count = 0
        self.stopped = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                proxy.count += 1
                what = plan(proxy.count, gzip.decompress(body))
                status, text = 204, ""
                headers: dict[str, str] = {}
                if isinstance(what, tuple):
                    status, headers, text = what
                elif what == "hang":
                    proxy.stopped.wait(30)
                    self.close_connection = True
                    return
                else:
                    kept = {
                        key: value
                        for key, value in self.headers.items()
                        if key.lower() in {"authorization", "content-encoding", "content-type"}
                    }
                    answer = httpx.post(server.url + self.path, content=body, headers=kept, timeout=30)
                    status, text = answer.status_code, answer.text
                if what in ("lose", "cut"):
                    if what == "cut":
                        self.wfile.write(b"HTTP/1.1 2")
                    self.close_connection = True
                    return
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class says so
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def bucket(influx_server: InfluxServer) -> str:
    name = f"b{uuid.uuid4().hex}"
    influx_server.make_bucket(name)
    return name


class Rig:
    def __init__(self, folder: Path, influx: Influx) -> None:
        self.writer = InfluxWriter(
            folder / "state", folder / "log", influx, ADDRESSES, SystemClock(), back_off_s=(0.05,)
        )
        self.log = FrameLog(folder / "log", SystemClock(), committed=self.writer.on_committed)
        self.log.start()

    def add(self, number: int, first: int, count: int) -> None:
        times = T0 + (first + np.arange(count)) * S
        values = np.arange(first, first + count, dtype=np.float64) * 0.5
        self.log.append(Readings(np.full(count, number, np.int32), values, times, np.zeros(count, np.uint8)))
        assert self.log.flush()

    def close(self) -> None:
        self.log.close()
        self.writer.close()


def rigged(
    folder: Path,
    server: InfluxServer,
    bucket: str,
    plan: Plan,
    timeout_s: float = 5.0,
) -> Iterator[tuple[Rig, Proxy]]:
    proxy = Proxy(server, plan)
    rig = Rig(folder, Influx(proxy.url, server.org, bucket, server.token, timeout_s))
    try:
        yield rig, proxy
    finally:
        rig.close()
        proxy.close()


NO_SERVER = '{"code":"internal error","message":"engine: is closed"}'
FAULTS: dict[str, Plan] = {
    "204 lost": lambda number, _: "lose" if number % 2 else "pass",
    "answer cut": lambda number, _: "cut" if number % 3 else "pass",
    "401": lambda number, _: (401, {}, '{"code":"unauthorized"}') if number < 4 else "pass",
    "404": lambda number, _: (404, {}, '{"code":"not found"}') if number < 4 else "pass",
    "429": lambda number, _: (429, {"Retry-After": "0"}, "") if number < 4 else "pass",
    "500": lambda number, _: (500, {}, NO_SERVER) if number < 6 else "pass",
    "503 now and then": lambda number, _: (503, {}, NO_SERVER) if number % 2 else "pass",
    "413": lambda _, body: (413, {}, "too large") if body.count(b"\n") > 60 else "pass",
    "hang": lambda number, _: "hang" if number == 1 else "pass",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_reading_is_stored_once_whatever_the_server_does(
    influx_server: InfluxServer, bucket: str, tmp_path: Path, fault: str
) -> None:
    for rig, proxy in rigged(tmp_path, influx_server, bucket, FAULTS[fault], 0.5 if fault == "hang" else 5.0):
        rig.writer.start()
        for step in range(10):
            rig.add(step % 2, step * 100, 100)
        assert rig.writer.wait_until_sent(30)
        status = rig.writer.status()
        assert status.written == 1000
        assert status.quarantined == 0
        assert status.failures > 0 or fault == "413"
        assert proxy.count > 1
        assert influx_server.count(bucket) == 1000
        assert influx_server.count(bucket, "value") == 1000


def test_lines_that_the_real_server_refuses_are_set_aside_and_the_others_stored(
    influx_server: InfluxServer, bucket: str, tmp_path: Path
) -> None:
    # The field has another type in this series already: InfluxDB refuses floats for ever after.
    line = f"electrical,building=cityhall,equipment=tx1,point=winding_temp_a value=1i {T0 - S}"
    url = f"{influx_server.url}/api/v2/write"
    params = {"org": influx_server.org, "bucket": bucket}
    httpx.post(url, params=params, content=line, headers=influx_server.headers).raise_for_status()
    for rig, _ in rigged(tmp_path, influx_server, bucket, lambda _number, _body: "pass"):
        rig.add(0, 0, 20)
        rig.add(1, 0, 30)
        rig.writer.start()
        assert rig.writer.wait_until_sent(30)
        status = rig.writer.status()
        assert (status.written, status.quarantined, status.healthy) == (30, 20, True)
        (side,) = (tmp_path / "state").glob("influx-refused-*.lp")
        assert side.read_text().count("\nelectrical,building=cityhall,equipment=tx1") == 20
        assert "type conflict" in side.read_text()
    rows = influx_server.query(
        f'from(bucket: "{bucket}") |> range(start: 0)'
        ' |> filter(fn: (r) => r.equipment == "ch1" and r._field == "value") |> count()'
    )
    assert [row["_value"] for row in rows] == ["30"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"token": "wrong"}, 401, "token"),
        ({"bucket": "nowhere"}, 404, "bucket"),
        ({"url": "http://127.0.0.1:1"}, 0, "running"),
    ],
)
def test_the_real_server_saying_no_is_told_with_what_to_do_and_nothing_is_lost(
    influx_server: InfluxServer, bucket: str, tmp_path: Path, change: dict[str, str], code: int, words: str
) -> None:
    right = Influx(influx_server.url, influx_server.org, bucket, influx_server.token)
    rig = Rig(
        tmp_path,
        replace(
            right,
            url=change.get("url", right.url),
            bucket=change.get("bucket", bucket),
            token=change.get("token", right.token),
        ),
    )
    rig.add(0, 0, 10)
    rig.writer.start()
    assert not rig.writer.wait_until_sent(0.5)
    status = rig.writer.status()
    assert (status.healthy, status.code) == (False, code)
    assert words in status.reason
    assert "wrong" not in status.reason
    rig.close()
    rig = Rig(tmp_path, right)
    rig.writer.start()
    assert rig.writer.wait_until_sent(10)
    rig.close()
    assert influx_server.count(bucket) == 10


async def test_both_stores_answer_alike(influx_server: InfluxServer, bucket: str, tmp_path: Path) -> None:
    influx = Influx(influx_server.url, influx_server.org, bucket, influx_server.token)
    rig = Rig(tmp_path, influx)
    embedded = EmbeddedHistory(tmp_path / "history.db", tmp_path / "log", SystemClock())
    random = np.random.default_rng(1)
    n = 3000
    value = np.concatenate([random.normal(20, 5, n - 4), [1e300, 5e-324, -0.1, 1.2345e-7]])
    quality = random.choice(np.array([0, 0, 0, 64], np.uint8), n)
    bad = random.random(n) < 0.1
    value[bad], quality[bad] = np.nan, 130
    times = T0 + np.sort(random.choice(20_000, n, replace=False)) * S + 7
    rig.log.append(Readings(np.arange(n, dtype=np.int32) % 3, value, times, quality))
    assert rig.log.flush()
    rig.writer.start()
    embedded.start()
    assert rig.writer.wait_until_sent(20)
    assert embedded.settle()
    remote = InfluxHistory(influx, ADDRESSES)
    start, end = T0 + 1234 * S, T0 + 20_000 * S
    for one, two in zip(
        await remote.raw([0, 1, 2], start, end), await embedded.raw([0, 1, 2], start, end), strict=True
    ):
        np.testing.assert_array_equal(one.time_ns, two.time_ns)
        np.testing.assert_array_equal(one.value, two.value)
        np.testing.assert_array_equal(one.quality, two.quality)
        assert len(one.value) > 900
        np.testing.assert_array_equal(np.array(one.before, float), np.array(two.before, float))
    for first, width in ((start, 600 * S), (T0, HOUR_NS)):
        others = await embedded.aggregate([0, 1, 2], first, end, width)
        for three, four in zip(await remote.aggregate([0, 1, 2], first, end, width), others, strict=True):
            for name in ("start_ns", "count", "minimum", "maximum", "last", "good_share", "mean"):
                np.testing.assert_allclose(getattr(three, name), getattr(four, name), rtol=1e-9, err_msg=name)
    (few,) = await remote.raw([0], T0, end, limit=5)
    assert few.truncated
    assert len(few.value) == 5
    assert (await remote.raw([9], T0, end))[0].before is None
    remote.close()
    embedded.close()
    rig.close()


async def test_query_without_a_server_is_unavailable() -> None:
    remote = InfluxHistory(Influx("http://127.0.0.1:1", "o", "b", "t", 1.0), ADDRESSES)
    with pytest.raises(UnavailableError, match="does not answer"):
        await remote.raw([0], T0, T0 + S)
    remote.close()
