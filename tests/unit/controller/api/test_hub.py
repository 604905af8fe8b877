"""The hub without a server: what waits for whom, and how often it is encoded."""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from controller.api import client as client_module
from controller.api import stream as stream_module
from controller.api.client import FRAMES, TEXTS, Client
from controller.api.frame import encode_frame
from controller.api.guard import Bucket
from controller.api.history import cell
from controller.api.render import parse_time
from controller.api.stream import StreamHub
from controller.clock import VirtualClock
from controller.errors import InvalidError
from controller.identity.identity import Principal, is_loopback
from controller.identity.permission import Role, preset
from controller.point.model import Equipment, Name, Point, Site
from controller.point.table import PointTable
from drivers.reading import Readings


@dataclass
class Bench:
    hub: StreamHub
    clock: VirtualClock
    table: PointTable
    site: Site
    now: dict[str, Any]

    def client(self, role: Role = Role.VIEWER, areas: tuple[str, ...] = ()) -> Client:
        principal = Principal("w", "W", role, preset(role, areas), "key")
        client = self.hub.join(principal)
        assert client is not None
        return client

    async def drain(self, client: Client) -> list[tuple[str, Any]]:
        sent: list[tuple[str, Any]] = []

        async def text(data: bytes) -> None:
            sent.append(("text", json.loads(data)))

        async def frame(data: bytes) -> None:
            magic, sequence, _, count, flags = struct.unpack_from("<IIdII", data)
            assert magic == 0x31554653
            sent.append(("frame", (sequence, bool(flags & 1), list(np.frombuffer(data, "<u4", count, 24 + 8 * count)))))

        task = asyncio.create_task(self.hub.pump(client, text, frame))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        return sent


@pytest.fixture
def bench() -> Bench:
    clock = VirtualClock()
    name = Name("名", "name")
    equipment = {f"h.s.e{n}": Equipment(f"h.s.e{n}", "meter", name, "h", "s", area=f"a{n}") for n in range(2)}
    points = [
        Point(n, f"h.s.e{n % 2}.p{n}", "analog", "kW", name, f"h.s.e{n % 2}", area=f"a{n % 2}") for n in range(10)
    ]
    site = Site("h", name, "Asia/Taipei", 1, {}, {}, equipment, {p.address: p for p in points})
    table = PointTable(site, clock)
    table.apply(Readings.of(list(range(10)), [float(n) for n in range(10)], clock.now_ns()))
    now: dict[str, Any] = {"site": site, "principal": "same", "alarms": [{"id": "x", "area": "a1"}]}
    hub = StreamHub(
        site=lambda: now["site"],
        table=lambda: table,
        clock=clock,
        version="1",
        overview=lambda: ["h.s.e0.p0"],
        alarms=lambda: now["alarms"],
        devices=list,
        again=lambda principal: principal if now["principal"] == "same" else None,
        capacity=100,
    )
    return Bench(hub, clock, table, site, now)


async def test_one_encoding_for_all_who_see_the_same(bench: Bench) -> None:
    clients = [bench.client() for _ in range(50)] + [bench.client(areas=("a1",)) for _ in range(49)]
    for client in clients:
        bench.hub.receive(client, {"subscribe": ["system:s"]})
        await bench.drain(client)
    before = bench.hub.encoded
    bench.hub.publish_values(np.array([1, 2, 3], np.int32))
    assert bench.hub.encoded - before == 2, "once for those who see everything, once for those of one area"
    assert (await bench.drain(clients[0])) == [("frame", (2, False, [1, 2, 3]))]
    assert (await bench.drain(clients[-1])) == [("frame", (2, False, [1, 3]))]


async def test_slow_client_gets_one_snapshot_instead_of_the_backlog(bench: Bench) -> None:
    client = bench.client()
    bench.hub.receive(client, {"subscribe": ["equipment:h.s.e0"]})
    await bench.drain(client)
    for _ in range(1000):
        bench.hub.publish_values(np.array([0], np.int32))
    assert sum(len(waiting) for waiting in client.frames.values()) <= FRAMES
    assert await bench.drain(client) == [("frame", (1001, True, [0, 2, 4, 6, 8]))]
    bench.hub.publish_values(np.array([2], np.int32))
    assert await bench.drain(client) == [("frame", (1002, False, [2]))]
    assert client.dropped > 0


async def test_storm_of_alarms_becomes_the_list(bench: Bench) -> None:
    client = bench.client()
    bench.hub.receive(client, {"subscribe": ["alarms", "point:h.s.e0.p0"]})
    await bench.drain(client)
    for n in range(TEXTS * 3):
        bench.hub.publish_alarm({"id": n, "area": "a1"})
        bench.hub.beat()
    assert len(client.texts) <= TEXTS
    sent = [item for kind, item in await bench.drain(client) if kind == "text" and item["type"] == "alarms"]
    assert sent == [{"type": "alarms", "items": [{"id": "x", "area": "a1"}]}]


async def test_own_answers_are_never_dropped_but_end_a_flood(bench: Bench) -> None:
    client = bench.client()
    for _ in range(TEXTS + 1):
        bench.hub.receive(client, {"x": 1})
    assert client.close_code == 4429


async def test_full_house_takes_nobody_more(bench: Bench) -> None:
    clients = [bench.client() for _ in range(100)]
    assert bench.hub.join(clients[0].principal) is None
    bench.hub.leave(clients[0])
    assert bench.hub.join(clients[0].principal) is not None


async def test_of_a_thousand_clients_ten_deaf_ones_cost_little_and_delay_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "SEND_S", 0.5)
    monkeypatch.setattr(client_module, "TEXTS", texts := 32)
    monkeypatch.setattr(bench.hub, "_capacity", 1000)
    clients = [bench.client() for _ in range(1000)]
    deaf = clients[::100]
    received = dict.fromkeys(range(1000), 0)
    never = asyncio.Event()

    def pump(place: int, client: Client) -> asyncio.Task[int]:
        async def hear(data: bytes) -> None:
            received[place] += 1

        async def hear_nothing(data: bytes) -> None:
            await never.wait()

        call = hear_nothing if client in deaf else hear
        return asyncio.create_task(bench.hub.pump(client, call, call))

    pumps = [pump(place, client) for place, client in enumerate(clients)]
    for client in clients:
        bench.hub.receive(client, {"subscribe": ["system:s", "alarms", "events"]})
    rounds = 3 * texts
    for turn in range(rounds):
        bench.hub.publish_values(np.arange(10, dtype=np.int32))
        bench.hub.publish_events([{"n": turn, "data": {}}], {"": 1})
        await asyncio.sleep(0)
        for client in deaf:
            assert len(client.texts) <= texts
            assert sum(map(len, client.frames.values())) <= FRAMES + 1
    # One encoding a round, and one snapshot for all who joined: nothing is made anew for each of a thousand.
    assert bench.hub.encoded <= rounds + 2
    hearing = [count for place, count in received.items() if clients[place] not in deaf]
    await asyncio.sleep(0)
    assert min(hearing) > rounds
    assert max(received[place] for place, client in enumerate(clients) if client in deaf) == 0
    ended = await asyncio.gather(*(pumps[place] for place in range(0, 1000, 100)), return_exceptions=True)
    assert all(isinstance(error, TimeoutError) for error in ended)
    assert not any(task.done() for place, task in enumerate(pumps) if place % 100)
    for task in pumps:
        task.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)


async def test_topic_without_clients_costs_nothing(bench: Bench) -> None:
    client = bench.client()
    bench.hub.receive(client, {"subscribe": ["overview"]})
    bench.hub.leave(client)
    bench.hub.publish_values(np.array([0], np.int32))
    assert bench.hub.encoded == 0


async def test_ended_session_ends_the_stream_within_five_seconds(bench: Bench) -> None:
    client = bench.client()
    task = asyncio.create_task(bench.hub.run())
    await bench.clock.advance(6)
    assert client.close_code == 0
    bench.now["principal"] = "gone"
    await bench.clock.advance(5)
    assert client.close_code == 4401
    task.cancel()


async def test_topic_that_is_empty_after_a_new_configuration_says_so(bench: Bench) -> None:
    client = bench.client()
    bench.hub.receive(client, {"subscribe": ["point:h.s.e0.p0"]})
    await bench.drain(client)
    points = {address: point for address, point in bench.site.points.items() if address != "h.s.e0.p0"}
    bench.now["site"] = replace(bench.site, generation=2, points=points)
    bench.hub.publish_values(np.array([0], np.int32))
    assert [item["type"] for _, item in await bench.drain(client)] == ["refused"]


def test_frame_is_laid_out_for_typed_arrays() -> None:
    frame = encode_frame(
        np.array([3, 70_000], np.int32),
        np.array([np.inf, 1.5]),
        np.array([130, 0], np.uint8),
        np.array([0, 5_000_000_000], np.int64),
        now_ns=7_500_000_000,
        sequence=9,
        topic=0xABCD,
        snapshot=True,
    )
    assert frame[:24] == struct.pack("<IIdII", 0x31554653, 9, 7500.0, 2, 0xABCD0001)
    value = np.frombuffer(frame, "<f8", 2, 24)
    assert np.isnan(value[0])
    assert value[1] == 1.5
    assert list(np.frombuffer(frame, "<u4", 2, 40)) == [3, 70_000]
    age = np.frombuffer(frame, "<f4", 2, 48)
    assert np.isnan(age[0])
    assert age[1] == 2.5
    assert list(frame[56:]) == [130, 0]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1767225600123", 1_767_225_600_123_000_000),
        ("2026-01-01T08:00:00+08:00", 1_767_225_600_000_000_000),
        ("2026-01-01T08:00:00 08:00", 1_767_225_600_000_000_000),
        ("2026-01-01T00:00:00.654321Z", 1_767_225_600_654_321_000),
    ],
)
def test_times_are_exact(text: str, ns: int) -> None:
    assert parse_time(text, "start") == ns


@pytest.mark.parametrize("text", ["", "now", "2026-01-01", "-5", "1e9", "١٢٣", "99999-01-01T00:00:00Z"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="give ISO 8601"):
        parse_time(text, "start")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_formulas_become_text(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell("TX1 = 5") == "TX1 = 5"


def test_bucket_refills_and_forgets_the_oldest() -> None:
    clock = VirtualClock()
    bucket = Bucket(clock, per_s=2.0, burst=3.0)
    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 1]
    assert bucket.take("b") == 0
    clock.move(0.5)
    assert [bucket.take("a"), bucket.take("a")] == [0, 1]


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_loopback(address: str, own: bool) -> None:
    assert is_loopback(address) is own
