"""Test reads of all three protocols over real sockets, with what the wire said."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from paho.mqtt import publish

from controller.clock import SystemClock
from controller.errors import InvalidError
from controller.settings.build import Endpoints
from controller.trial import Trials
from drivers.profile import Profile, load_profile
from drivers.reading import Quality
from drivers.trial import Trial
from tests.services.ddc import Ddc, free_port, small
from tests.services.modbus import profile, rtu, serving, tcp
from tests.services.mosquitto import Mosquitto

AM319 = load_profile(Path(__file__).parents[3] / "config/profiles/environment/milesight-am319.toml")


async def read(made: Profile, endpoint: str, unit: int = 1, **options: Any) -> Trial:
    trials = Trials(SystemClock(), Endpoints({"tcp://10.0.0.1:502": endpoint}))
    where = "tcp://10.0.0.1:502" if endpoint.startswith("tcp:") else endpoint
    return await trials.read("lin.yc", made, where, unit, options, {})


async def test_modbus_shows_both_frames_of_each_block_and_the_registers_of_each_point() -> None:
    def answer(frame: bytes) -> list[tuple[float, bytes]]:
        register = int.from_bytes(frame[8:10], "big")
        return [(0.0, tcp(frame, "07 03 02 00 63" if register == 20 else "07 83 02"))]

    async with serving(answer) as (_, endpoint):
        found = await read(profile(), endpoint, 7)

    first, second = found.exchanges
    assert (first.what, first.request, first.answer) == (
        "FC03 20–20", "00 01 00 00 00 06 07 03 00 14 00 01", "00 01 00 00 00 05 07 03 02 00 63",
    )  # fmt: skip
    assert "exception 2 (illegal address)" in second.error
    assert second.answer == "00 02 00 00 00 03 07 83 02"
    twenty, thirty = found.points
    assert (twenty.where, twenty.raw, twenty.value, twenty.quality) == ("3:20", "0063", 99.0, Quality.GOOD)
    assert (thirty.raw, thirty.quality) == ("", None)
    assert math.isnan(thirty.value)
    assert found.error == "", "a part was read"


async def test_modbus_rtu_through_a_gateway_with_its_check_sums() -> None:
    async with serving(lambda frame: [(0.0, rtu(f"01 03 02 00 {frame[3]:02x}"))], rtu=True) as (_, endpoint):
        found = await read(profile(), endpoint)

    assert found.exchanges[0].request == "01 03 00 14 00 01 c4 0e"
    assert found.exchanges[0].answer == rtu("01 03 02 00 14").hex(" ")
    assert [point.value for point in found.points] == [20.0, 30.0]


async def test_opcua_tells_each_node_with_its_status() -> None:
    server = Ddc(free_port())
    made = small("supply_air_temp", "return_air_temp", "zone_temp")
    await server.start(made, types={"supply_air_temp": ua.VariantType.String})
    try:
        endpoint = f"opc.tcp://127.0.0.1:{server.port}"
        await server.put(
            "AHU/01F-W/ReturnAirTemp", ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(StatusCodes.BadNotConnected)))
        )
        found = await read(made, endpoint, node_prefix="AHU/01F-W", security="none")
        lost = await read(made, endpoint, node_prefix="AHU/99F-W", security="none")
        with pytest.raises(InvalidError, match="needs the option 'node_prefix'"):
            await read(made, endpoint, security="none")
        refused = await read(made, endpoint, node_prefix="AHU/01F-W")
    finally:
        await server.stop()

    by_tag = {made.points[point.place].tag: point for point in found.points}
    assert by_tag["zone_temp"].raw == "Double 21.5"
    assert (by_tag["zone_temp"].value, by_tag["zone_temp"].status) == (21.5, "Good")
    assert by_tag["zone_temp"].where.endswith("s=AHU/01F-W/ZoneTemp")
    assert by_tag["supply_air_temp"].quality == Quality.BAD_CONFIG, "a text is no temperature"
    assert by_tag["return_air_temp"].status == "BadNotConnected"
    assert {point.status for point in lost.points} == {"BadNodeIdUnknown"}
    assert "none of the nodes is there" in lost.error
    assert refused.error != "", "no certificate, no connection"


async def test_mqtt_listens_and_shows_the_last_message_with_its_fields(tmp_path: Path) -> None:
    data = base64.b64encode(b"\x03\x67" + (235).to_bytes(2, "little")).decode()
    message = {"deviceInfo": {"devEui": "24e124710c000001"}, "fPort": 85, "data": data}
    topic = "application/1/device/24e124710c000001/event/up"
    with Mosquitto(tmp_path) as broker:
        publish.single(topic, json.dumps(message), retain=True, hostname="127.0.0.1", port=broker.port)
        found = await read(AM319, broker.endpoint, application="1", dev_eui="24e124710c000001")

    (exchange,) = found.exchanges
    assert exchange.what == f"{topic} (retained)"
    assert json.loads(exchange.answer) == message
    temperature = next(point for point in found.points if AM319.points[point.place].tag == "temperature")
    assert temperature.value == pytest.approx(23.5)
    assert temperature.quality == Quality.UNCERTAIN_STALE, "nobody knows how old a retained message is"
    assert np.isnan([point.value for point in found.points if point.quality is None]).all()
    gone = await read(AM319, broker.endpoint, application="1", dev_eui="24e124710c000001")
    assert str(broker.port) in gone.error
