"""What OPC UA servers do to clients while they are connected: forget, refuse, delete, run with a wrong clock."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.ua.status_codes import StatusCodes

from controller.clock import SystemClock
from drivers.errors import ConnectError
from drivers.link import ConnectLimiter, Link
from drivers.opcua.driver import OpcUaDriver
from drivers.reading import Quality
from tests.services.ddc import Box, Ddc, HastyClock, ddc, device, running, small

if TYPE_CHECKING:
    from collections.abc import Callable

ZONE, CO2 = "AHU/01F-W/ZoneTemp", "AHU/01F-W/ReturnCO2"


def quality_of(box: Box, number: int) -> Quality | None:
    last = box.last(number)
    return None if last is None else last[1]


def value_is(box: Box, number: int, wanted: float) -> Callable[[], bool]:
    return lambda: (box.last(number) or (None,))[0] == wanted


def forget_nodes(server: Ddc, *names: str) -> None:
    """Take nodes away without a word to those who watch them, as a DDC does whose program is loaded anew."""
    assert server.server is not None
    for name in names:
        del server.server.iserver.aspace._nodes[server.nodes[name].nodeid]


async def test_a_forgotten_subscription_is_made_anew_by_the_link() -> None:
    """BadSubscriptionIdInvalid: the session lives, the server answers, and nothing would ever be published again."""
    clock = SystemClock()
    async with ddc(small("zone_temp")) as server:
        assert server.server is not None
        box = Box()
        driver = OpcUaDriver([device(small("zone_temp"), server.port)], clock)
        link = Link(driver, box, clock, random.Random(1), limiter=ConnectLimiter(clock, 100))
        task = asyncio.create_task(link.run())
        try:
            await box.until(lambda: box.last(0) is not None)
            service = server.server.iserver.subscription_service
            forgotten = list(service.subscriptions)
            assert len(forgotten) == 1
            await service.delete_subscriptions(forgotten)
            begin = clock.monotonic()
            await box.until(lambda: bool(service.subscriptions))
            await server.nodes[ZONE].write_value(25.25)
            await box.until(value_is(box, 0, 25.25))
            assert clock.monotonic() - begin < 15.0
            assert link.health["ahu"].state == "good"
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_too_many_publish_requests_stop_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with ddc(small("zone_temp")) as server:
        assert server.server is not None
        driver, box = OpcUaDriver([device(small("zone_temp"), server.port)], SystemClock()), Box()
        async with running(driver, box) as task:
            await box.until(lambda: box.last(0) is not None)
            service = server.server.iserver.subscription_service
            publish, refused = service.publish, 0

            def refuse_twice(acks: Any) -> Any:
                nonlocal refused
                if refused < 2:
                    refused += 1
                    raise ServiceError(StatusCodes.BadTooManyPublishRequests)
                return publish(acks)

            monkeypatch.setattr(service, "publish", refuse_twice)
            for value in (22.0, 23.0, 24.0):
                await server.nodes[ZONE].write_value(value)
                await box.until(value_is(box, 0, value))
            assert refused == 2
            assert not task.done()
            assert driver.counts.faults == 0


async def test_a_node_deleted_while_connected_is_bad_alone_and_found_again() -> None:
    profile = small("zone_temp", "return_co2")
    clock = HastyClock()
    async with ddc(profile) as server:
        assert server.server is not None
        driver, box = OpcUaDriver([device(profile, server.port, period_s=0.5)], clock), Box()
        async with running(driver, box) as task:
            await box.until(lambda: box.last(0) is not None and box.last(1) is not None)
            assert driver.trouble(driver.devices[0]) == ""
            forget_nodes(server, ZONE)
            await box.until(lambda: quality_of(box, 0) == Quality.BAD_CONFIG)
            assert ZONE in driver.trouble(driver.devices[0])
            await server.nodes[CO2].write_value(777.0)
            await box.until(value_is(box, 1, 777.0))
            assert quality_of(box, 1) == Quality.GOOD
            parent = server.server.get_node(ua.NodeId(ua.String("AHU/01F-W"), server.nodes[ZONE].nodeid.NamespaceIndex))
            await parent.add_variable(server.nodes[ZONE].nodeid, "zone_temp2", ua.Variant(19.5, ua.VariantType.Double))
            await box.until(value_is(box, 0, 19.5), 30.0)
            assert driver.trouble(driver.devices[0]) == ""
            assert not task.done()


async def test_a_program_loaded_anew_leaves_dead_items_and_the_connection_is_given_up() -> None:
    """All nodes vanish and are back within a second: the old monitored items never speak again."""
    profile = small("zone_temp")
    clock = HastyClock()
    async with ddc(profile) as server:
        assert server.server is not None
        driver, box = OpcUaDriver([device(profile, server.port, period_s=0.5)], clock), Box()
        async with running(driver, box) as task:
            await box.until(lambda: box.last(0) is not None and box.last(1) is not None)
            watchdog = server.nodes["AHU/01F-W/Watchdog"]
            forget_nodes(server, "AHU/01F-W/Watchdog")
            parent = server.server.get_node(ua.NodeId(ua.String("AHU/01F-W"), watchdog.nodeid.NamespaceIndex))
            fresh = await parent.add_variable(watchdog.nodeid, "watchdog2", ua.Variant(5, ua.VariantType.UInt32))
            await fresh.write_value(6, ua.VariantType.UInt32)
            with pytest.raises(ConnectError, match="does not tell"):
                await asyncio.wait_for(task, 30)


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_server_whose_clock_is_an_hour_off_is_read_by_ours(hours: int) -> None:
    profile = small("zone_temp", alive=False)
    clock = SystemClock()
    async with ddc(profile) as server:
        assert server.server is not None
        internal = server.server.iserver
        internal._time_task_stop = True
        assert internal.time_task is not None
        await internal.time_task
        off: Any = lambda: datetime.now(UTC) + timedelta(hours=hours)  # noqa: E731
        await internal.current_time_node.write_value(off())
        driver, box = OpcUaDriver([device(profile, server.port)], clock), Box()
        async with running(driver, box):
            await box.until(lambda: box.last(0) is not None)
            await box.until(lambda: abs(driver.counts.clock_offset_s - 3600 * hours) < 60)
            for value in (30.0, 31.0):
                await server.put(ZONE, ua.DataValue(ua.Variant(value, ua.VariantType.Double), SourceTimestamp=off()))
                await box.until(value_is(box, 0, value))
                time_ns = (box.last(0) or (0, 0, 0))[2]
                assert 0 <= clock.now_ns() - time_ns < 5e9
