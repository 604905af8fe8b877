"""Every row of the inventory with devices, from the wire to the screen; the outcome is docs/coverage.md.

For each row one device is made to show a value that only this test can have set. The reading must arrive over its
protocol, stand in the embedded history and in a real InfluxDB, raise its alarm, and be seen on the page of its system
in both languages. The evidence is compared with docs/coverage.md; SHIFU_WRITE_COVERAGE=1 writes the page anew.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Building, Room, slashed
from tests.conftest import BUCKET
from tests.services.city import City, Client, wait_for
from tests.services.influxdb import InfluxServer

TX = "cityhall.electrical.tx4"
PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"


@dataclass(frozen=True)
class Case:
    """One row of the inventory, shown by one of its devices."""

    row: str
    zh: str
    en: str
    device: str
    point: str
    """Address of the point whose value is looked for."""
    quantity: str
    value: float
    """What the device is made to show; it stays within the plausible range and no other test uses it."""
    then: tuple[str, ...]
    """Fault that raises the alarm after the value was seen; empty where the value itself does."""
    alarm: str
    page: str
    shown: tuple[str, str]
    """Text on the page in Chinese and in English, as a regular expression."""
    where: str = ""
    """CSS of the element; empty: the value that links to the point."""


CASES: list[Case] = [
    Case(
        "1", "高壓變壓器", "Transformers", "tx4-temp", f"{TX}.winding_temp_c", "winding_temp_c", 127, (),
        f"{TX}.winding_temp_max#high", "/electrical", ("127", "127"),
        f'#content a[href$="/{slashed(TX)}/winding_temp_max"]',
    ),
    Case(
        "2", "供電設備", "Power distribution", "main-meter", "cityhall.electrical.main.power", "power", 5321, (),
        "cityhall.electrical.main.power#high", "/electrical", ("5,321", "5,321"),
    ),
    Case(
        "2", "發電機", "Generator", "standby-generator", "cityhall.standby.generator.fuel", "fuel", 24, (),
        "cityhall.standby.generator.fuel#low", "/standby", ("24", "24"),
    ),
    Case(
        "2", "不斷電系統", "UPS", "standby-ups", "cityhall.standby.ups.charge", "charge", 43, (),
        "cityhall.standby.ups.charge#low", "/standby", ("43", "43"),
    ),
    Case(
        "3", "冰水系統", "Chilled-water system", "header-io", "cityhall.plant.header.differential_pressure",
        "differential_pressure", 173, ("disconnect",), "header-io#communication", "/plant", ("173", "173"),
    ),
    Case(
        "4", "空調", "Air-conditioning", "ahu-08f-e", "cityhall.hvac.ahu_08f_e.fan_fault", "fan_fault", 1, (),
        "cityhall.hvac.ahu_08f_e.fan_fault#state", "/floors", ("風機故障", "[Ff]an fault"), '[data-cell="8F|east"]',
    ),
    Case(
        "5", "停車場排風", "Car-park exhaust", "gas06-unit", "cityhall.carpark.gas06.co_mean", "co_mean", 66, (),
        "cityhall.carpark.gas06.co_mean#high_high", "/car-park", ("66", "66"),
    ),
    Case(
        "6", "智慧型電表", "Smart electricity meters", "em020-meter", "cityhall.meter.em020.power", "power", 77.7,
        ("disconnect",), "em020-meter#communication", "/meters?q=EM020", (r"77\.7", r"77\.7"),
        'tr:has([data-meter="cityhall.meter.em020"])',
    ),
    Case(
        "6", "智慧型水表", "Smart water meters", "water-counter-2", "cityhall.water.wm06.battery_low",
        "ch_2_battery_low", 1, (), "cityhall.water.wm06.battery_low#state", "/equipment/cityhall/water/wm06",
        ("電池電量低", "battery low"), "#content",
    ),
    Case(
        "7", "環境感測器", "Environment sensors", "iaq05-station", "cityhall.environment.iaq05.co", "co", 44.4, (),
        "cityhall.environment.iaq05.co#high", "/iaq", ("44", "44"), '[data-cell="cityhall.environment.iaq05.co"]',
    ),
    Case(
        "10", "緊急求助", "SOS", "sos-e-09f", "cityhall.sos.e_09f.pressed", "pressed", 1, (),
        "cityhall.sos.e_09f.pressed#state", "/security/help", ("求助中", "pressed"), '[data-help="cityhall.sos.e_09f"]',
    ),
    Case(
        "11", "對講", "Intercom", "intercom-e-ent-1", "cityhall.intercom.e_ent_1.call", "call", 1, (),
        "cityhall.intercom.e_ent_1.call#state", "/security/help", ("來電", "ringing"),
        'td [data-help="cityhall.intercom.e_ent_1"]',
    ),
    Case(
        "12", "門禁", "Access control", "door-n-09f-2", "cityhall.access.n_09f_2.alarm", "alarm", 1, (),
        "cityhall.access.n_09f_2.alarm#state", "/security/doors", ("強開", "forced"),
        'td [data-door="cityhall.access.n_09f_2"]',
    ),
    Case(
        "13", "防盜", "Intrusion", "zone-e-09f", "cityhall.intrusion.e_09f.state", "state", 4, (),
        "cityhall.intrusion.e_09f.state#state", "/security/intrusion", ("入侵", "intrusion"),
        '[data-zone="cityhall.intrusion.e_09f"]',
    ),
    Case(
        "14", "監視系統", "CCTV", "cam-e-09f-1", "cityhall.cctv.e_09f_1.scene_change", "scene_change", 1, (),
        "cityhall.cctv.e_09f_1.scene_change#state", "/security/cameras", ("遮蔽", "covered"),
        'td [data-camera="cityhall.cctv.e_09f_1"]',
    ),
    Case(
        "15", "電動車充電樁", "EV chargers", "ev05-charger", "cityhall.ev.charger05.state", "state", 5, (),
        "cityhall.ev.charger05.state#state", "/ev", ("充電樁故障", "charger fault"), ".cards li:nth-child(5)",
    ),
    Case(
        "16", "地下停車場智慧化管理設備", "Smart car park", "gate2", "cityhall.parking.gate2.state", "state", 3, (),
        "cityhall.parking.gate2.state#state", "/ev", ("2 號柵欄機.*故障", "2.*[Ff]ault"), "#content",
    ),
    Case(
        "17", "消防系統", "Fire system", "fire-panel", "cityhall.fire.panel.disablement", "disablement", 1, (),
        "cityhall.fire.panel.disablement#state", "/fire", ("隔離", "[Dd]isable|[Ii]solat"), ".bits li.set",
    ),
    Case(
        "19", "升降設備", "Lifts", "lift-11", "cityhall.lift.l11.door", "door", 4, (),
        "cityhall.lift.l11.door#state", "/lifts", ("故障", "[Ff]ault"), '[data-lift="cityhall.lift.l11"]',
    ),
    Case(
        "22", "信義建物外置電梯", "External lift, Xinyi building", "lift-ext1", "xinyi.lift.ext1.door", "door", 4, (),
        "xinyi.lift.ext1.door#state", "/lifts", ("故障", "[Ff]ault"), '[data-lift="xinyi.lift.ext1"]',
    ),
]  # fmt: skip

_WITHOUT = """
## Rows without devices of their own

| row | system | seen |
|---|---|---|
"""

_HEAD = """# Coverage

What every row of the building's inventory was seen doing by the tests: a reading that came over its protocol, the same
reading in the embedded history and in InfluxDB, an alarm raised by a fault, and the value on the page of its system in
both languages. Written by `tests/browser/test_coverage.py`; a run that sees anything else fails.

| row | system | device (profile, protocol) | set → point | both stores | alarm | page: zh / en |
|---|---|---|---|---|---|---|
"""


@pytest.fixture(scope="module")
def faulty(whole_city: City, people: Callable[[str], Client]) -> Iterator[dict[str, int]]:
    """All devices of the cases at fault at once; the time of the start by device, ns."""
    client = people("operator")
    start = dt.datetime.now(dt.UTC)
    for case in CASES:
        whole_city.sim("fault", "set", case.device, case.quantity, f"{case.value:g}")
    yield {"start": round(start.timestamp() * 1e9)}
    for case in CASES:
        whole_city.sim("fault", "clear", case.device)

    def left() -> set[str]:
        wanted = {case.alarm for case in CASES}
        items = client.get("/alarms?state=active&limit=1000")["items"]
        return {item["id"] for item in items if item["id"] in wanted and item["state"] != "returned"}

    wait_for(lambda: not left(), 90, lambda: f"still active: {left()}")
    client.post("/alarms/acknowledge", {"ids": [case.alarm for case in CASES], "comment": "coverage test"})


@pytest.fixture(scope="module")
def room(building: Building) -> Room:
    found = building.room("operator", width=1366)
    found.load("/")
    return found


def _received(client: Client, case: Case) -> dict[str, object]:
    item = client.value(case.point)
    assert item["quality_name"] == "good", item
    assert item["value"] == pytest.approx(case.value, abs=0.06), item
    return item


def _stored(client: Client, influx: InfluxServer, case: Case, start_ns: int) -> bool:
    start = dt.datetime.fromtimestamp(start_ns / 1e9 - 5, dt.UTC).isoformat().replace("+00:00", "Z")
    end = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=5)).isoformat().replace("+00:00", "Z")
    series = client.get(f"/history?points={case.point}&start={start}&end={end}&buckets=0")["series"][0]
    embedded = any(value == pytest.approx(case.value, abs=0.06) for value in series["value"] if value is not None)
    building, system, equipment, tag = case.point.split(".")
    rows = influx.query(
        f'from(bucket: "{BUCKET}") |> range(start: {start}) |> filter(fn: (r) => r._measurement == "{system}"'
        f' and r.building == "{building}" and r.equipment == "{equipment}" and r.point == "{tag}"'
        ' and r._field == "value")'
    )
    return embedded and any(float(row["_value"]) == pytest.approx(case.value, abs=0.06) for row in rows)


def _line(case: Case, device: dict[str, str]) -> str:
    set_ = f"`{case.quantity}` = {case.value:g} → `{case.point}`"
    shown = " / ".join(text.replace("\\", "").replace("|", "&#124;") for text in case.shown)
    made = f"`{case.device}` ({device['profile']}, {device['protocol']})"
    seen = f"`{case.page}`: {shown}"
    return f"| {case.row} | {case.zh} {case.en} | {made} | {set_} | yes | `{case.alarm}` | {seen} |"


def _seen(case: Case, client: Client, room: Room, influx: InfluxServer, start_ns: int) -> None:
    """Follow one value from its device to both stores and to the page in both languages."""

    def arrived() -> bool:
        return bool(client.value(case.point)["value"] == pytest.approx(case.value, abs=0.06))

    wait_for(arrived, 90, lambda: f"{case.device}: {client.value(case.point)}")
    _received(client, case)
    wait_for(lambda: _stored(client, influx, case, start_ns), 60, "not in both stores")
    page = room.go(case.page)
    for language, text in zip(("zh", "en"), case.shown, strict=True):
        room.language(language)
        where = case.where or f'#content a[href$="/{slashed(case.point)}"]'
        expect(page.locator(where).first).to_contain_text(re.compile(text), timeout=15_000)


def _shows(room: Room, path: str, zh: str, en: str) -> None:
    page = room.go(path)
    for language, text in (("zh", zh), ("en", en)):
        room.language(language)
        expect(page.locator("#content")).to_contain_text(text, timeout=15_000)


def _plaza_in_use(room: Room, client: Client, engineer: Client) -> None:
    """See a booking of the plaza take its feeder into use: ours, or on a Saturday the market that has the plaza."""

    def used() -> dict[str, dict[str, str]]:
        return {item["equipment"]: item["title"] for item in client.get("/calendar")["in_use"]}

    feeder = "cityhall.electrical.feeder08"
    if title := used().get(feeder):
        _shows(room, "/maintenance", title["zh"], title["en"])
        return
    now = dt.datetime.now(dt.UTC)
    title = {"zh": "市民廣場試場", "en": "Plaza rehearsal"}
    booking = {
        "venue": "plaza",
        "title": title,
        "start": (now - dt.timedelta(minutes=1)).isoformat(),
        "end": (now + dt.timedelta(minutes=2)).isoformat(),
        "reason": "coverage test",
    }
    engineer.put("/calendar/booking/coverage-1", booking, "")
    assert used().get(feeder) == title, used()
    _shows(room, "/maintenance", title["zh"], title["en"])
    gone = {"If-Match": engineer.etag("/calendar/booking/coverage-1")}
    engineer._ask("POST", "/calendar/booking/coverage-1/remove", {"reason": "coverage test"}, gone)


def _without_devices(room: Room, people: Callable[[str], Client]) -> list[str]:
    """Return the lines of the rows that are calendars, lists, limits and figures."""
    client, engineer = people("operator"), people("engineer")
    _plaza_in_use(room, client, engineer)

    works = next(item for item in client.get("/calendar")["works"] if item["id"] == "115-0118")
    equipment = works["equipment"][0]
    point = client.get(f"/points?equipment={equipment}&limit=1")["items"][0]["address"]
    assert client.value(point)["quality_name"] == "bad_out_of_service", client.value(point)
    _shows(room, f"/equipment/{slashed(equipment)}", "115-0118", "115-0118")

    children = client.get("/points/cityhall.environment.iaq01.co2_8h/limits")["limits"]["high"]
    office = client.get("/points/cityhall.environment.iaq05.co2_8h/limits")["limits"]["high"]
    assert children < office
    factor = client.get("/energy")["factors"][0]
    rate = factor["kg_per_kwh"]
    assert rate > 0
    _shows(room, "/energy", factor["source"][:6], "kg")
    car = client.get("/vehicles/XEV-0001")
    _shows(room, "/ev", car["plate"], car["plate"])
    chain = people("administrator").get("/audit/verify")
    assert chain["whole"], chain
    order = f"works 115-0118 take `{equipment}` out of service"
    return [
        "| 8 | 工作站 Operator stations | the pages above at 1366 × 768, of an operator, while an engineer works |",
        "| 9 | 數據整合 Data integration | every value above in two stores, and in the API that this test asks |",
        "| 18 | 自衛消防編組演練 Fire drill | comes with the uses |",
        f"| 20 | 托嬰中心、幼兒園 Childcare | CO2 limit of 8 h {children:g} ppm there, {office:g} ppm in an office |",
        "| 21 | 場地租借 Venue hire | a booking of 市民廣場 puts a feeder in use, on `/maintenance` |",
        f"| 23 | 整修 Renovation | {order}: quality, and its page with the order |",
        f"| 24 | 淨零排放 Net zero | {rate:g} kg CO2e/kWh of {factor['factor_year']}, source on `/energy` |",
        f"| 25 | 公務車 Official vehicles | {car['plate']} known to the chargers, on `/ev` |",
        "| 26 | 資訊安全 Information security | audit chain verified from its first line |",
    ]


@pytest.mark.timeout(400)
def test_every_row_with_devices_from_the_wire_to_the_screen(
    room: Room, whole_city: City, people: Callable[[str], Client], influx_server: InfluxServer, faulty: dict[str, int]
) -> None:
    client = people("operator")
    wrong = []
    for case in CASES:
        try:
            _seen(case, client, room, influx_server, faulty["start"])
        except AssertionError as error:
            wrong.append(f"{case.point}: {error}")
        if case.then:
            whole_city.sim("fault", case.then[0], case.device, *case.then[1:])

    def missing() -> list[str]:
        raised = {item["id"] for item in client.get("/alarms?state=active&limit=1000")["items"]}
        return [case.alarm for case in CASES if case.alarm not in raised]

    wait_for(lambda: not missing(), 120, lambda: f"not raised: {missing()}; before that: {wrong}")
    assert not wrong, "\n\n".join(wrong)
    lines = [_line(case, client.get(f"/devices/{case.device}")) for case in CASES]
    others = _without_devices(room, people)
    text = _HEAD + "\n".join(lines) + "\n" + _WITHOUT + "\n".join(others) + "\n"
    if os.environ.get("SHIFU_WRITE_COVERAGE"):
        PAGE.write_text(text, "utf-8")
    assert PAGE.read_text("utf-8") == text, "docs/coverage.md says something else: run with SHIFU_WRITE_COVERAGE=1"
