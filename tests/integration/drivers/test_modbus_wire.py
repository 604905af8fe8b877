"""The Modbus driver against real sockets and a pseudo-terminal, with servers and frames made by hand."""

from __future__ import annotations

import asyncio
import os
import tty
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.clock import SystemClock
from drivers.errors import (
    ConnectError,
    DecodeError,
    DeviceRefusedError,
    DeviceTimeoutError,
    ProfileError,
)
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.probe import probe, probe_profile
from drivers.reading import Quality
from tests.services.modbus import (
    Keeper,
    connected,
    crc,
    device,
    good,
    linked,
    profile,
    register,
    rtu,
    serving,
    tcp,
)

if TYPE_CHECKING:
    pass


def test_our_check_sum_is_that_of_the_documents() -> None:
    assert crc(bytes.fromhex("01 04 00 00 00 02")) == bytes.fromhex("71 CB")


async def test_each_point_gets_its_own_register() -> None:
    async with serving(lambda frame: [(0, tcp(frame, good(frame)))]) as (server, endpoint):
        target = device(endpoint, unit=7)
        async with connected(target) as driver:
            batch = await driver.poll(target)
            assert batch.point.tolist() == [1, 2]
            assert batch.value.tolist() == [20.0, 30.0]
            assert server.requests[0][2:] == bytes.fromhex("0000 0006 07 03 0014 0001")


async def test_a_late_answer_on_rtu_framing_is_never_taken_for_the_next() -> None:
    """Without a transaction id the answer to register 20, 0.1 s late, looks like the answer to register 30."""
    slow = {20}

    def answer(frame: bytes) -> list[tuple[float, bytes]]:
        return [(0.25 if register(frame) in slow else 0.0, rtu(good(frame)))]

    async with serving(answer, rtu=True) as (server, endpoint):
        target = device(endpoint, made=profile(0.15))
        async with connected(target) as driver:
            wrong = []
            for turn in range(12):
                if not driver.connected:
                    await driver.connect()
                try:
                    value = await driver.read(target, "twenty" if turn % 3 == 0 else "thirty")
                except DeviceTimeoutError:
                    assert not driver.connected
                    continue
                if value != (20.0 if turn % 3 == 0 else 30.0):
                    wrong.append((turn, value))
            assert wrong == []
            assert server.connects >= 4


async def test_a_late_answer_to_a_gateway_that_must_not_be_closed_is_waited_out() -> None:
    slow = {20}

    def answer(frame: bytes) -> list[tuple[float, bytes]]:
        return [(0.2 if register(frame) in slow else 0.0, rtu(good(frame)))]

    async with serving(answer, rtu=True) as (server, endpoint):
        target = device(endpoint, made=profile(0.1, quiet_s=0.3))
        async with connected(target) as driver:
            for _ in range(3):
                with pytest.raises(DeviceTimeoutError):
                    await driver.read(target, "twenty")
                assert await driver.read(target, "thirty") == 30.0
            assert server.connects == 1
            assert driver.rejected == 3


async def test_late_answers_on_tcp_are_known_by_their_transaction() -> None:
    def answer(frame: bytes) -> list[tuple[float, bytes]]:
        return [(0.15 if register(frame) == 20 else 0.0, tcp(frame, good(frame)))]

    async with serving(answer) as (server, endpoint):
        target = device(endpoint, made=profile(0.1))
        async with connected(target) as driver:
            for _ in range(4):
                with pytest.raises(DeviceTimeoutError):
                    await driver.read(target, "twenty")
                assert await driver.read(target, "thirty") == 30.0
            assert server.connects == 1


WRONG = {
    "short": "01 03 01 00",
    "long": "01 03 04 0014 0014",
    "byte count says more than there is": "01 03 04 0014",
    "byte count says less than there is": "01 03 02 0014 0014",
    "foreign function": "01 04 02 0014",
    "foreign unit": "02 03 02 0014",
    "exception of another function": "01 84 02",
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
async def test_an_answer_of_another_shape_is_rejected_whole(body: str) -> None:
    async with serving(lambda frame: [(0, tcp(frame, body if register(frame) == 20 else good(frame)))]) as (
        _,
        endpoint,
    ):
        target = device(endpoint)
        async with connected(target) as driver:
            batch = await driver.poll(target)
            assert batch.quality.tolist() == [Quality.BAD_CONFIG, Quality.GOOD]
            assert np.isnan(batch.value[0])
            assert driver.rejected == 1
            with pytest.raises(DecodeError):
                await driver.read(target, "twenty")


@pytest.mark.parametrize(
    "body",
    ["01 03 01 00", "01 03 04 0014 0014", "01 04 02 0014", "02 03 02 0014", "00 01 03 02 0014"],
    ids=["short", "long", "function", "unit", "noise byte before"],
)
async def test_a_foreign_frame_on_rtu_framing_is_rejected_and_the_line_closed(body: str) -> None:
    data = bytes.fromhex(body)
    frame_ = b"\x00" + rtu("01 03 02 0014") if body.startswith("00") else data + crc(data)
    async with serving(lambda frame: [(0, frame_)], rtu=True) as (_, endpoint):
        target = device(endpoint, made=profile(0.15))
        async with connected(target) as driver:
            with pytest.raises((DecodeError, DeviceTimeoutError)):
                await driver.read(target, "twenty")
            assert not driver.connected


async def test_a_wrong_check_sum_gives_no_value() -> None:
    async with serving(lambda frame: [(0, rtu("01 03 02 0014")[:-1] + b"\x00")], rtu=True) as (_, endpoint):
        target = device(endpoint)
        async with connected(target) as driver:
            with pytest.raises(DecodeError, match="check sum"):
                await driver.read(target, "twenty")


@pytest.mark.parametrize("transaction", [b"\0\0", b"\xff\xfe"], ids=["zero", "another"])
async def test_an_answer_of_another_transaction_is_not_for_us(transaction: bytes) -> None:
    async with serving(lambda frame: [(0, transaction + tcp(frame, good(frame))[2:])]) as (_, endpoint):
        target = device(endpoint, made=profile(0.1))
        async with connected(target) as driver:
            with pytest.raises(DeviceTimeoutError):
                await driver.read(target, "twenty")
            assert driver.rejected == 1


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n", b"\0\1\0\0\xff\xff\1\3" + bytes(50), b"\0\1\0"])
async def test_garbage_gives_no_value_and_the_line_is_closed(garbage: bytes) -> None:
    async with serving(lambda frame: [(0, garbage)]) as (_, endpoint):
        target = device(endpoint, made=profile(0.1))
        async with connected(target) as driver:
            with pytest.raises((DecodeError, DeviceTimeoutError)):
                await driver.read(target, "twenty")
            assert not driver.connected


async def test_frames_may_be_split_joined_and_doubled() -> None:
    def answer(frame: bytes) -> list[tuple[float, bytes]]:
        data = tcp(frame, good(frame))
        if register(frame) == 20:
            return [(0.02 * place, bytes([byte])) for place, byte in enumerate(data)]
        return [(0, data + data)]

    async with serving(answer) as (_, endpoint):
        target = device(endpoint, made=profile(1.0))
        async with connected(target) as driver:
            for _ in range(2):
                assert (await driver.poll(target)).value.tolist() == [20.0, 30.0]


@pytest.mark.parametrize(
    ("code", "quality"),
    [(1, Quality.BAD_CONFIG), (2, Quality.BAD_CONFIG), (3, Quality.BAD_CONFIG), (4, Quality.BAD_DEVICE),
     (8, Quality.BAD_DEVICE)],
)  # fmt: skip
async def test_an_exception_makes_its_block_bad_alone(code: int, quality: Quality) -> None:
    def answer(frame: bytes) -> list[tuple[float, bytes]]:
        return [(0, tcp(frame, f"01 83 {code:02x}" if register(frame) == 20 else good(frame)))]

    async with serving(answer) as (_, endpoint):
        target = device(endpoint)
        async with connected(target) as driver:
            batch = await driver.poll(target)
            assert batch.quality.tolist() == [quality, Quality.GOOD]
            with pytest.raises(DeviceRefusedError) as caught:
                await driver.read(target, "twenty")
            assert caught.value.code == code


@pytest.mark.parametrize("code", [10, 11])
async def test_a_silent_unit_behind_a_gateway_is_asked_once_a_poll(code: int) -> None:
    async with serving(lambda frame: [(0, tcp(frame, f"01 83 {code:02x}"))]) as (server, endpoint):
        target = device(endpoint)
        async with connected(target) as driver:
            batch = await driver.poll(target)
            assert batch.quality.tolist() == [Quality.BAD_DEVICE, Quality.BAD_DEVICE]
            assert len(server.requests) == 1
            assert driver.connected
            with pytest.raises(DeviceTimeoutError):
                await driver.probe(target, 0.1)


@pytest.mark.parametrize("code", [5, 6])
async def test_a_busy_device_keeps_its_last_values(code: int) -> None:
    def answer(frame: bytes) -> list[tuple[float, bytes]]:
        return [(0, tcp(frame, f"01 83 {code:02x}" if register(frame) == 20 else good(frame)))]

    async with serving(answer) as (_, endpoint):
        target = device(endpoint)
        async with connected(target) as driver:
            batch = await driver.poll(target)
            assert (batch.point.tolist(), batch.value.tolist()) == ([2], [30.0])
    async with serving(lambda frame: [(0, tcp(frame, f"01 83 {code:02x}"))]) as (_, endpoint):
        target = device(endpoint)
        async with connected(target) as driver:
            with pytest.raises(DeviceRefusedError):
                await driver.poll(target)


async def test_a_block_that_times_out_does_not_hide_the_others() -> None:
    def answer(frame: bytes) -> list[tuple[float, bytes]]:
        return [] if register(frame) == 20 else [(0, tcp(frame, good(frame)))]

    async with serving(answer) as (_, endpoint):
        target = device(endpoint, made=profile(0.05))
        async with connected(target) as driver:
            with pytest.raises(DeviceTimeoutError):
                await driver.poll(target)
            batch = await driver.poll(target)
            assert (batch.point.tolist(), batch.value.tolist()) == ([2], [30.0])


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
async def test_a_device_that_executes_and_does_not_answer_sees_one_copy(framing: str) -> None:
    async with serving(lambda frame: [], rtu=framing == "rtu") as (server, endpoint):
        target = device(endpoint, made=profile(0.1))
        async with connected(target) as driver:
            with pytest.raises(DeviceTimeoutError):
                await driver.write(target, "forty", 55.0)
            await asyncio.sleep(0.3)  # three time-outs in which a repeated write would arrive
            assert len(server.requests) == 1
            assert server.requests[0].endswith(bytes.fromhex("10 0028 0001 02 0037"))
            assert driver.connected == (framing == "tcp")


async def test_a_write_is_checked_by_its_echo() -> None:
    echo = {"body": "01 10 0028 0001"}
    async with serving(lambda frame: [(0, tcp(frame, echo["body"]))]) as (server, endpoint):
        target = device(endpoint)
        async with connected(target) as driver:
            await driver.write(target, "forty", 55.0)
            echo["body"] = "01 10 0029 0001"
            with pytest.raises(DeviceTimeoutError, match="unknown whether"):
                await driver.write(target, "forty", 55.0)
            echo["body"] = "01 90 03"
            with pytest.raises(DeviceRefusedError):
                await driver.write(target, "forty", 55.0)
            assert len(server.requests) == 3


async def test_a_cancelled_request_leaves_nothing_behind_on_rtu_framing() -> None:
    async with serving(lambda frame: [(0.1, rtu(good(frame)))], rtu=True) as (_, endpoint):
        target = device(endpoint, made=profile(1.0))
        async with connected(target) as driver:
            task = asyncio.create_task(driver.read(target, "twenty"))
            await asyncio.sleep(0)
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not driver.connected
            await driver.connect()
            assert await driver.read(target, "thirty") == 30.0


async def test_a_half_open_connection_is_given_up_after_three_time_outs() -> None:
    async with serving(lambda frame: []) as (_, endpoint):
        target = device(endpoint, made=profile(0.05))
        async with connected(target) as driver:
            states = []
            for _ in range(3):
                with pytest.raises(DeviceTimeoutError):
                    await driver.read(target, "twenty")
                states.append(driver.connected)
            assert states == [True, True, False]


async def test_nobody_there() -> None:
    async with serving(lambda frame: []) as (_, endpoint):
        pass
    driver = ModbusDriver([device(endpoint)], SystemClock())
    with pytest.raises(ConnectError):
        await driver.connect()
    with pytest.raises(ConnectError):
        await driver.poll(driver.devices[0])
    await driver.close()
    await driver.close()


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
async def test_a_dead_unit_costs_its_seven_mates_less_than_a_tenth(framing: str) -> None:
    dead = 5

    def answer(frame: bytes) -> list[tuple[float, bytes]]:
        if frame[6 if framing == "tcp" else 0] == dead:
            return []
        return [(0.002, tcp(frame, good(frame)) if framing == "tcp" else rtu(good(frame)))]

    sink = Keeper()
    async with serving(answer, rtu=framing == "rtu") as (_, endpoint):
        made = profile(0.15)
        async with linked([device(endpoint, unit, made) for unit in range(1, 9)], sink) as link:
            await sink.until(lambda: link.health[f"unit{dead}"].state == "lost" and sink.count("unit8") > 0)
            before = {unit: sink.count(f"unit{unit}") for unit in range(1, 9)}
            start = asyncio.get_running_loop().time()
            await sink.until(lambda: sink.count("unit1") - before[1] >= 15)
            slots = (asyncio.get_running_loop().time() - start) / 0.2
            for unit in range(1, 9):
                if unit != dead:
                    assert sink.count(f"unit{unit}") - before[unit] >= 0.9 * slots - 1, unit
                    assert link.health[f"unit{unit}"].state == "good"
            assert sink.count(f"unit{dead}") == 0
            assert 3 <= link.health[f"unit{dead}"].timeouts <= 5


async def test_a_link_connects_again_when_the_server_hung_up() -> None:
    sink = Keeper()
    async with (
        serving(lambda frame: [(0, tcp(frame, good(frame)))]) as (server, endpoint),
        linked([device(endpoint)], sink) as link,
    ):
        await sink.until(lambda: sink.count("unit1") >= 2)
        assert link.up
        server.hang_up()
        seen = sink.count("unit1")
        await sink.until(lambda: sink.count("unit1") >= seen + 2)
        assert server.connects >= 2
        assert link.health["unit1"].state == "good"


async def test_writes_and_reads_take_turns_with_polls_on_one_connection() -> None:
    def answer(frame: bytes) -> list[tuple[float, bytes]]:
        body = "01 10 0028 0001" if frame[7] == 16 else good(frame)
        return [(0.005, tcp(frame, body))]

    sink = Keeper()
    async with serving(answer) as (server, endpoint), linked([device(endpoint, period_s=0.1)], sink) as link:
        await sink.until(lambda: link.up)
        results = await asyncio.gather(
            *(link.write("unit1", "forty", float(value)) for value in range(10)),
            *(link.read("unit1", "thirty") for _ in range(10)),
        )
        assert results[10:] == [30.0] * 10
        writes = [frame for frame in server.requests if frame[7] == 16]
        assert [frame[-1] for frame in writes] == list(range(10))
        assert link.health["unit1"].writes == 10
        assert server.connects == 1


class SerialLine:
    """A hand-made RTU slave on the other end of a pseudo-terminal."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.master)
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self.delay: dict[int, float] = {}
        self.requests: list[bytes] = []
        self._buffer = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.master, self._readable)

    def _readable(self) -> None:
        self._buffer += os.read(self.master, 256)
        while len(self._buffer) >= 8:
            frame, self._buffer = self._buffer[:8], self._buffer[8:]
            assert crc(frame[:6]) == frame[6:]
            self.requests.append(frame)
            address = int.from_bytes(frame[2:4], "big")
            self._loop.call_later(
                self.delay.get(address, 0.0), os.write, self.master, rtu(f"{frame[0]:02x} 03 02 {address:04x}")
            )

    def close(self) -> None:
        self._loop.remove_reader(self.master)
        os.close(self.master)
        os.close(self.slave)


async def test_a_serial_line() -> None:
    line = SerialLine()
    try:
        target = device(f"serial:{line.path}?baudrate=19200&stopbits=1", unit=3, made=profile(0.1))
        async with connected(target) as driver:
            assert (await driver.poll(target)).value.tolist() == [20.0, 30.0]
            line.delay[20] = 0.25
            with pytest.raises(DeviceTimeoutError):
                await driver.read(target, "twenty")
            assert await driver.read(target, "thirty") == 30.0
            assert [frame[:4].hex() for frame in line.requests[-2:]] == ["03030014", "0303001e"]
    finally:
        line.close()


async def test_a_serial_port_that_is_not_there() -> None:
    driver = ModbusDriver([device("serial:/dev/shifu-has-no-such-port?baudrate=9600")], SystemClock())
    with pytest.raises(ConnectError):
        await driver.connect()


async def test_probe_shows_every_type_and_word_order() -> None:
    async with serving(lambda frame: [(0, tcp(frame, "01 04 04 4366 3333"))]) as (server, endpoint):
        found = await probe(endpoint, 1, 0, 2, function=4)
        assert server.requests[0][6:] == bytes.fromhex("01 04 0000 0002")
        assert found.raw == bytes.fromhex("4366 3333")
        assert found.values["f32 be"][0] == pytest.approx(230.2, rel=1e-6)
        assert found.values["u16"] == (0x4366, 0x3333)
        assert found.values["u32 le-word"] == (0x33334366,)
        assert "f64 be" not in found.values
        with pytest.raises(ProfileError):
            await probe(endpoint, 1, 0, 126)
        with pytest.raises(ProfileError):
            await probe("http://127.0.0.1", 1, 0)
    async with serving(lambda frame: [(0, tcp(frame, "01 02 02 05 01"))]) as (_, endpoint):
        assert (await probe(endpoint, 1, 0, 9, function=2)).values["bit"] == (1, 0, 1, 0, 0, 0, 0, 0, 1)


async def test_probe_of_a_whole_profile() -> None:
    async with serving(lambda frame: [(0, tcp(frame, good(frame)))]) as (_, endpoint):
        found = await probe_profile(profile(), endpoint, 1, SystemClock())
        assert found.value[:2] == (20.0, 30.0)
        assert found.quality == (0, 0, -1)
