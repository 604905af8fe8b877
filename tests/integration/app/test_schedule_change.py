"""Schedules in a whole controller on a real socket: files and screen switch a drive; apply, restart, works."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.services.controller import running, until
from tests.services.modbus import serving, tcp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FAN = "main.carpark.fan1"
MINIMAL = Path(__file__).parents[3] / "config" / "minimal"
EQUIPMENT = f"""
[[equipment]]
id = "{FAN}"
class = "exhaust_fan"
name = {{ zh = "排風機", en = "Fan" }}
floor = "B1"
area = "office"
"""
DEVICE = f"""
[[device]]
id = "fan1"
equipment = "{FAN}"
profile = "abb-ach580-fan"
endpoint = "tcp://192.0.2.30:502"
unit = 1
period_s = 1
"""
SCHEDULE = f"""
[[schedule]]
id = "park"
name = {{ zh = "排風", en = "Exhaust" }}
equipment = ["{FAN}"]
default = "base"

[[schedule.mode]]
id = "base"
name = {{ zh = "基本", en = "Base" }}
values = {{ run_cmd = 1, speed_cmd = 30 }}

[[schedule.mode]]
id = "peak"
name = {{ zh = "尖峰", en = "Peak" }}
values = {{ run_cmd = 1, speed_cmd = 60 }}
"""
DAYS = [f"{datetime.now(UTC).date() + timedelta(days=days)}" for days in (-2, 3)]
PEAK = {
    "title": {"zh": "活動", "en": "Event"},
    "schedules": ["park"],
    "from": DAYS[0],
    "to": DAYS[1],
    "mode": "peak",
    "reason": "活動換氣",
}


class Drive:
    """A frequency converter on Modbus TCP: it keeps what is written, and remembers every write of its speed."""

    SPEED = 1
    """Register of reference 1: 20,000 is 100 % (ABB, ACS580 firmware manual, embedded fieldbus)."""

    def __init__(self) -> None:
        self.registers = [0] * 200
        self.speeds: list[int] = []

    def answer(self, frame: bytes) -> list[tuple[float, bytes]]:
        unit, function = frame[6], frame[7]
        first, count = (int.from_bytes(frame[at : at + 2], "big") for at in (8, 10))
        if function == 16:
            for place in range(count):
                value = int.from_bytes(frame[13 + 2 * place : 15 + 2 * place], "big")
                self.registers[first + place] = value
                if first + place == self.SPEED:
                    self.speeds.append(value)
            return [(0.0, tcp(frame, f"{unit:02x}10{first:04x}{count:04x}"))]
        words = "".join(f"{word:04x}" for word in self.registers[first : first + count])
        return [(0.0, tcp(frame, f"{unit:02x}{function:02x}{2 * count:02x}{words}"))]


@pytest.fixture
async def drive(folder: Path) -> AsyncIterator[Drive]:
    made = Drive()
    async with serving(made.answer) as (_, endpoint):
        device = folder / "site" / "devices" / "fan.toml"
        device.write_text(DEVICE.replace("tcp://192.0.2.30:502", endpoint), "utf-8")
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(MINIMAL, tmp_path / "site")
    for name, text in (("equipment/fan.toml", EQUIPMENT), ("devices/fan.toml", DEVICE), ("schedule.toml", SCHEDULE)):
        (tmp_path / "site" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "site" / name).write_text(text, "utf-8")
    meter = tmp_path / "site" / "devices" / "meter.toml"
    meter.write_text(meter.read_text("utf-8").replace("192.0.2.10:502", "127.0.0.1:1"), "utf-8")
    return tmp_path


async def speed(http: httpx.AsyncClient, wanted: float | None) -> bool:
    found = (await http.get(f"/schedules/points/{FAN}.speed_cmd")).json()
    return bool((found["slot"], found["present"]) == ((15, wanted) if wanted is not None else (0, None)))


async def _holds(drive: Drive, percent: float) -> bool:
    return drive.registers[Drive.SPEED] == round(percent * 200)


async def _written(drive: Drive, times: int) -> bool:
    return len(drive.speeds) >= times


async def test_files_screen_apply_restart_and_works(folder: Path, drive: Drive) -> None:
    async with running(folder) as (controller, http):
        await until(lambda: speed(http, 30.0), 30.0)
        await until(lambda: _holds(drive, 30.0), 30.0)
        made = await http.put("/schedules/exception/event", json=PEAK)
        assert made.status_code == 200, made.text
        assert await speed(http, 60.0)  # at once, not with the next minute
        await until(lambda: _holds(drive, 60.0), 30.0)
        assert drive.registers[0] == 0x047F  # and it runs

    # A restart keeps what the screen said.
    async with running(folder) as (controller, http):
        await until(lambda: _written(drive, 3), 30.0)
        assert await speed(http, 60.0)
        entry = await http.get("/schedules/exception/event")
        assert (entry.json()["phase"], entry.json()["change"]["reason"]) == ("on", "活動換氣")

        # An apply changes the files below it; a bad one changes nothing.
        path = folder / "site" / "schedule.toml"
        path.write_text(SCHEDULE.replace("speed_cmd = 60", "speed_cmd = 600"), "utf-8")
        with pytest.raises(
            Exception, match=r"schedule.toml:16: schedule.mode.values.speed_cmd: got .*: 600, wanted 0 to"
        ):
            await controller.apply()
        assert await speed(http, 60.0)
        path.write_text(SCHEDULE.replace("speed_cmd = 60", "speed_cmd = 70"), "utf-8")
        difference = await controller.apply()
        assert difference.calendar.changed == ("schedule park",)
        assert await speed(http, 70.0)
        await until(lambda: _holds(drive, 70.0), 30.0)

        # Works take it out of service: the schedule lets go of it, and has it again afterwards.
        works = {
            "kind": "maintenance",
            "title": {"zh": "保養", "en": "Service"},
            "from": DAYS[0],
            "to": DAYS[1],
            "equipment": [FAN],
            "reason": "保養",
        }
        order = await http.put("/calendar/works/w1", json=works)
        assert order.status_code == 200, order.text
        assert await speed(http, None)
        found = (await http.get("/schedules/plan/park")).json()
        assert found["different"] == [{"equipment": FAN, "mode": "", "cause": None}]
        ended = await http.post(
            "/calendar/works/w1/end", json={"reason": "完工"}, headers={"If-Match": order.headers["etag"]}
        )
        assert ended.status_code == 200
        assert await speed(http, 70.0)
        await until(lambda: _written(drive, 5), 30.0)

        gone = await http.post(
            "/schedules/exception/event/remove", json={"reason": "取消"}, headers={"If-Match": entry.headers["etag"]}
        )
        assert gone.json() == {"id": "event", "gone": True}
        assert await speed(http, 30.0)
        await until(lambda: _holds(drive, 30.0), 30.0)
    async with running(folder) as (_, http):
        await until(lambda: _written(drive, 7), 30.0)
        assert (await http.get("/schedules/exception/event")).status_code == 404
    # Once a change, once more at each start and when it is back from works; never because somebody looked.
    assert [speed / 200 for speed in drive.speeds] == [30.0, 60.0, 60.0, 70.0, 70.0, 30.0, 30.0]
