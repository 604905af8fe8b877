"""Modbus endpoints over real sockets, asked with frames typed by hand and by pymodbus as a second opinion."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerType

from simulators.fault import Board, FaultError, Record
from simulators.site import SimulatedDevice
from simulators.wire.modbus import Line, lines_of

Connect = Callable[[int], Awaitable[Any]]

_GATEWAY = "tcp://10.20.3.11:502"
_LINE = "rtu+tcp://10.20.1.10:4001"
_METER = {"voltage_l1n": 230.2, "power": 1.23456, "energy_import": 1234.567}
_DRIVE = {"run": 0.0, "fault": 0.0, "remote": 1.0, "at_setpoint": 0.0, "speed": 0.0, "frequency": 0.0,
          "run_cmd": 0.0, "speed_cmd": 0.0}  # fmt: skip


@contextlib.asynccontextmanager
async def listening(world: Any, record: Record | None = None) -> AsyncIterator[tuple[Board, list[Line]]]:
    board = Board(world.devices, 7, record)
    lines = lines_of(board)
    for line in lines:
        await line.open()
    try:
        yield board, lines
    finally:
        for line in lines:
            await line.settled()
            await line.close()


def row(identifier: str, profile: str, endpoint: str, unit: int = 1) -> SimulatedDevice:
    return SimulatedDevice(identifier, "x", profile, endpoint, unit)


async def test_gateway_answers_each_unit_by_its_own_table(world_of: Any, master: Connect) -> None:
    world = world_of(
        (row("em001", "eastron-sdm630", _GATEWAY, 1), _METER, ()), (row("em131", "abb-b23", _GATEWAY, 2), _METER, ())
    )
    async with listening(world) as (_, [line]):
        client = await master(line.port)
        assert await client.ask("00 01 00 00 00 06 01 04 00 00 00 02", 13) == "00 01 00 00 00 07 01 04 04 43 66 33 33"
        assert await client.ask("00 02 00 00 00 06 02 03 5B 14 00 02", 13) == "00 02 00 00 00 07 02 03 04 00 01 E2 40"
        assert await client.ask("00 03 00 00 00 06 09 03 00 00 00 01", 9) == "00 03 00 00 00 03 09 83 0B"


async def test_two_requests_in_one_segment_and_one_in_two(world_of: Any, master: Connect) -> None:
    world = world_of((row("em001", "eastron-sdm630", _GATEWAY, 1), _METER, ()))
    async with listening(world) as (_, [line]):
        client = await master(line.port)
        both = "00 01 00 00 00 06 01 04 00 00 00 02 00 02 00 00 00 06 01 04 00 00 00 02"
        answer = await client.ask(both, 26)
        assert answer == "00 01 00 00 00 07 01 04 04 43 66 33 33 00 02 00 00 00 07 01 04 04 43 66 33 33"
        await client.send("00 05 00 00 00")
        assert await client.silent(0.05)
        assert await client.ask("06 01 04 00 00 00 02", 13) == "00 05 00 00 00 07 01 04 04 43 66 33 33"


async def test_rtu_through_a_transparent_gateway_is_silent_for_a_dead_unit(world_of: Any, master: Connect) -> None:
    world = world_of((row("em001", "eastron-sdm630", _LINE, 1), _METER, ()))
    async with listening(world) as (board, [line]):
        client = await master(line.port)
        assert await client.ask("01 04 00 00 00 02 71 CB", 9) == "01 04 04 43 66 33 33 5A FA"
        await client.send("02 04 00 00 00 02 71 F8")
        assert await client.silent(0.1)
        await client.send("01 04 00 00 00 02 71 CC")  # wrong CRC
        assert await client.silent(0.1)
        assert line.dropped == 1
        board.apply("disconnect", "em001")
        await client.send("01 04 00 00 00 02 71 CB")
        assert await client.silent(0.1)
        board.apply("clear", "em001")
        assert await client.ask("01 04 00 00 00 02 71 CB", 9) == "01 04 04 43 66 33 33 5A FA"


async def test_a_write_reaches_the_device_and_the_record(world_of: Any, master: Connect) -> None:
    world = world_of((row("chwp1", "abb-ach580", _LINE, 1), _DRIVE, ("run_cmd", "speed_cmd")))
    written: list[tuple[str, str, float, float | None]] = []
    served: list[str] = []
    record = Record(lambda d, _s: served.append(d.id), lambda d, q, v, e: written.append((d.id, q, v, e)))
    async with listening(world, record) as (board, [line]):
        client = await master(line.port)
        answer = await client.ask("01 10 00 00 00 02 04 04 7F 3E 80 D2 87", 8)
        assert answer.startswith("01 10 00 00 00 02")
        assert world.devices["chwp1"].state["speed_cmd"] == 80.0
        assert written == [("chwp1", "run_cmd", 1.0, 1.0), ("chwp1", "speed_cmd", 80.0, 80.0)]
        board.apply("ignore", "chwp1")
        await client.ask("01 06 00 01 00 00 D8 0A", 8)
        assert world.devices["chwp1"].state["speed_cmd"] == 80.0
        assert written[-1] == ("chwp1", "speed_cmd", 0.0, None)
        assert served == []
        await client.ask("01 03 00 03 00 03 F5 CB", 11)
        await client.ask("01 03 00 03 00 03 F5 CB", 11)
        assert served == ["chwp1"]


async def test_frozen_values_stand_still_and_set_and_bias_change_them(world_of: Any, master: Connect) -> None:
    world = world_of((row("em001", "eastron-sdm630", _GATEWAY, 1), _METER, ()))
    ask = "00 01 00 00 00 06 01 04 00 34 00 02"
    async with listening(world) as (board, [line]):
        client = await master(line.port)
        world.tables["em001"]["power"] = 2.0

        def move() -> None:
            world.step(1.0)
            board.step()

        move()
        assert (await client.ask(ask, 13))[-11:] == "44 FA 00 00"
        board.apply("freeze", "em001")
        world.tables["em001"]["power"] = 4.0
        move()
        assert (await client.ask(ask, 13))[-11:] == "44 FA 00 00"
        board.apply("clear", "em001")
        assert (await client.ask(ask, 13))[-11:] == "45 7A 00 00"
        board.apply("bias", "em001", ["power", "-2"])
        assert (await client.ask(ask, 13))[-11:] == "44 FA 00 00"
        board.apply("set", "em001", ["power", "nan"])
        assert (await client.ask(ask, 13))[-11:] == "00 00 00 00"  # Eastron has no sentinel: a lost input reads 0
        board.apply("set", "em001", ["power", "1"])
        board.apply("swap", "em001")
        assert (await client.ask(ask, 13))[-11:] == "00 00 44 7A"
        assert board.faults()["em001"] == {"bias": {"power": -2.0}, "fixed": {"power": 1.0}, "swapped": True}


async def test_a_device_that_owns_its_endpoint_refuses_and_comes_back_at_its_port(
    world_of: Any, master: Connect
) -> None:
    world = world_of((row("main-meter", "janitza-umg801", "tcp://10.20.1.2:502"), _METER, ()))
    async with listening(world) as (board, [line]):
        port = line.port
        client = await master(port)
        board.apply("disconnect", "main-meter")
        assert await client.rest() == b""
        await line.settled()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        board.apply("clear", "main-meter")
        await line.settled()
        again = await master(port)
        assert (await again.ask("00 01 00 00 00 06 01 03 4A 38 00 02", 13))[-11:] == "43 66 33 33"


async def until(condition: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + 5
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "the condition did not come true in 5 s"
        await asyncio.sleep(0)


async def test_a_slow_unit_keeps_its_line_waiting(world_of: Any, master: Connect) -> None:
    world = world_of(
        (row("em001", "eastron-sdm630", _GATEWAY, 1), _METER, ()),
        (row("em002", "eastron-sdm630", _GATEWAY, 2), _METER, ()),
    )
    async with listening(world) as (board, [line]):
        board.apply("delay", "em001", ["0.2"])
        slow, quick = await master(line.port), await master(line.port)
        order: list[str] = []

        async def ask(client: Any, name: str, unit: str) -> None:
            await client.ask(f"00 01 00 00 00 06 {unit} 04 00 00 00 02", 13)
            order.append(name)

        first = asyncio.create_task(ask(slow, "slow", "01"))
        await until(lambda: line.requests == 1)
        started = asyncio.get_running_loop().time()
        await ask(quick, "quick", "02")
        await first
        assert order == ["slow", "quick"]
        assert asyncio.get_running_loop().time() - started > 0.1


async def test_exceptions_and_muted_writes(world_of: Any, master: Connect) -> None:
    world = world_of((row("chwp1", "abb-ach580", _LINE, 1), _DRIVE, ("run_cmd", "speed_cmd")))
    async with listening(world) as (board, [line]):
        client = await master(line.port)
        board.apply("exception", "chwp1", ["6"])
        assert (await client.ask("01 03 00 03 00 03 F5 CB", 5)).startswith("01 83 06")
        board.apply("clear", "chwp1")
        board.apply("mute", "chwp1")
        await client.send("01 10 00 00 00 02 04 04 7F 3E 80 D2 87")
        assert await client.silent(0.1)
        assert world.devices["chwp1"].state["speed_cmd"] == 80.0


async def test_random_corruption_is_never_a_right_frame(world_of: Any, master: Connect) -> None:
    world = world_of((row("em001", "eastron-sdm630", _GATEWAY, 1), _METER, ()))
    async with listening(world) as (board, [line]):
        board.apply("corrupt", "em001")
        for number in range(1, 60):
            client = await master(line.port)
            await client.send(f"{number:04X} 0000 0006 01 04 0000 0002")
            got = await client.first()
            await client.send("00 00 99 99 00 06 01 04 00 00 00 02")  # another protocol: the server hangs up
            got += await client.rest()
            await client.close()
            assert not got.startswith(bytes.fromhex(f"{number:04X} 0000 0007 01 04 04 43663333")), got.hex(" ")


async def test_split_and_duplicate_answers_are_right_ones(world_of: Any, master: Connect) -> None:
    world = world_of((row("em001", "eastron-sdm630", _GATEWAY, 1), _METER, ()))
    async with listening(world) as (board, [line]):
        client = await master(line.port)
        right = "00 01 00 00 00 07 01 04 04 43 66 33 33"
        board.apply("corrupt", "em001", ["split"])
        assert await client.ask("00 01 00 00 00 06 01 04 00 00 00 02", 13) == right
        board.apply("corrupt", "em001", ["duplicate"])
        assert await client.ask("00 01 00 00 00 06 01 04 00 00 00 02", 26) == f"{right} {right}"
        with pytest.raises(FaultError, match="wanted one of"):
            board.apply("corrupt", "em001", ["sideways"])


async def test_pymodbus_agrees_on_both_framings(world_of: Any) -> None:
    world = world_of(
        (row("tx1-meter", "schneider-pm5560", "tcp://10.20.1.21:502"), _METER, ()),
        (row("chwp1", "abb-ach580", _LINE, 3), _DRIVE, ("run_cmd", "speed_cmd")),
        (row("tx1-cubicle", "site-standard-cubicle", "tcp://10.20.1.31:502"),
         {"breaker_closed": 1.0, "tap_position": 3.0}, ()),
    )  # fmt: skip
    async with listening(world) as (_, [meter, drive, cubicle]):
        async with AsyncModbusTcpClient("127.0.0.1", port=meter.port) as client:
            got = await client.read_holding_registers(0x0C83, count=4, device_id=1)
            assert client.convert_from_registers(got.registers, client.DATATYPE.INT64) == 1_234_567
            assert (await client.read_input_registers(0x0C83, count=4, device_id=1)).exception_code == 1
        async with AsyncModbusTcpClient("127.0.0.1", port=drive.port, framer=FramerType.RTU) as client:
            assert not (await client.write_registers(0, [0x047F, 10000], device_id=3)).isError()
            assert world.devices["chwp1"].state["speed_cmd"] == 50.0
            assert (await client.read_holding_registers(0, count=2, device_id=3)).registers == [0x047F, 10000]
        async with AsyncModbusTcpClient("127.0.0.1", port=cubicle.port) as client:
            bits = (await client.read_discrete_inputs(0, count=16, device_id=1)).bits
            assert [at for at, bit in enumerate(bits) if bit] == [0, 10]


async def test_a_gateway_takes_sixteen_clients(world_of: Any, master: Connect) -> None:
    world = world_of((row("em001", "eastron-sdm630", _GATEWAY, 1), _METER, ()))
    async with listening(world) as (_, [line]):
        clients = [await master(line.port) for _ in range(16)]
        for client in clients:
            await client.ask("00 01 00 00 00 06 01 04 00 00 00 02", 13)
        one_more = await master(line.port)
        with contextlib.suppress(ConnectionResetError):
            assert await one_more.rest() == b""


def test_two_devices_at_one_address_are_refused(world_of: Any) -> None:
    world = world_of((row("a", "abb-b23", _GATEWAY, 1), _METER, ()), (row("b", "abb-b23", _GATEWAY, 1), _METER, ()))
    with pytest.raises(ValueError, match="unit 1 already is a"):
        lines_of(Board(world.devices))
