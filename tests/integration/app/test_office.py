"""One office calendar in a whole controller: a typhoon day of the site's files moves roster, hours and rules alike."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from controller.settings.problem import SettingsError
from tests.services.controller import running, until

MINIMAL = Path(__file__).parents[3] / "config" / "minimal"
NOTIFY = """
[[channel]]
id = "desk"
name = { zh = "桌上", en = "Desk" }
kind = "push"

[[contact]]
id = "room"
name = { zh = "中控室", en = "Control room" }
role = "operator"
ways = [{ channel = "desk" }]

[[contact]]
id = "engineer"
name = { zh = "工程師", en = "Engineer" }
role = "engineer"
ways = [{ channel = "desk" }]

[[duty]]
id = "plant"
name = { zh = "機電值勤", en = "Plant duty" }
otherwise = ["room"]

[[duty.shifts]]
days = ["workday"]
contacts = ["engineer"]
"""
# More may be drawn while nobody works.
RULE = """
[[rule]]
id = "limit-of-the-day"
class = "meter"
point = { tag = "limit_today", unit = "kW", zh = "今日上限", en = "Limit of the day", low = 0, high = 1000 }
inputs = { limit = { parameter = "limit_kw", unit = "kW" } }
expression = "limit if workday else 2 * limit"
"""
TODAY = (datetime.now(UTC) + timedelta(hours=8)).date()


def days(kind: str) -> str:
    """Return entries that make every day of the week shown, and those about it, of one type."""
    name = 'name = { zh = "颱風停班", en = "Typhoon day" }'
    return "".join(
        f'[[day]]\ndate = {TODAY + timedelta(days=place)}\ntype = "{kind}"\n{name}\n' for place in range(-2, 10)
    )


async def limit(http: httpx.AsyncClient, wanted: float) -> bool:
    (item,) = (await http.get("/values", params={"points": "main.electrical.meter1.limit_today"})).json()["items"]
    return bool(item["value"] == wanted)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(MINIMAL, tmp_path / "site")
    (tmp_path / "site" / "notify.toml").write_text(NOTIFY, "utf-8")
    (tmp_path / "site" / "rules.toml").write_text(RULE, "utf-8")
    (tmp_path / "site" / "schedule.toml").write_text(days("makeup"), "utf-8")
    meter = tmp_path / "site" / "devices" / "meter.toml"
    meter.write_text(meter.read_text("utf-8").replace("192.0.2.10:502", "127.0.0.1:1"), "utf-8")
    return tmp_path


async def test_typhoon_day_of_the_files_moves_the_roster_with_the_schedules(folder: Path) -> None:
    async with running(folder) as (controller, http):
        reply = (await http.get("/duties")).json()
        assert reply["duties"][0]["now"] == ["engineer"]
        assert all(day["workday"] for day in reply["days"])
        assert controller.notify.notifier.on_duty() == {"plant": ("engineer",)}
        await until(lambda: limit(http, 50))

        (folder / "site" / "schedule.toml").write_text(days("holiday"), "utf-8")
        await controller.apply()
        reply = (await http.get("/duties")).json()
        assert reply["duties"][0]["now"] == ["room"]
        assert {(day["type"], day["name"]["en"], day["added"]) for day in reply["days"]} == {
            ("holiday", "Typhoon day", True)
        }
        assert controller.notify.notifier.on_duty() == {"plant": ("room",)}
        assert (await http.get("/schedules")).json()["today"]["type"] == "holiday"
        await until(lambda: limit(http, 100))

        (folder / "site" / "schedule.toml").write_text(days("makeup") + days("holiday"), "utf-8")
        with pytest.raises(SettingsError):
            await controller.apply()
        assert (await http.get("/duties")).json()["duties"][0]["now"] == ["room"], "a bad file changes nothing"
