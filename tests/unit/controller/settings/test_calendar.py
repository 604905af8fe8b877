"""Calendars, carbon, vehicles and the limits of an area, from files with their mistakes, and from screens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock
from controller.errors import InvalidError
from controller.point.registry import Registry
from controller.settings.calendar import Frame, entry_key, lay_calendar
from controller.settings.load import load
from controller.settings.overlay import Change
from controller.settings.problem import SettingsError
from controller.share import share_dir

Folder = Any

VENUE = '[[venue]]\nid = "hall"\nname = { zh = "大廳", en = "Hall" }\n'
BOOKING = """
[[booking]]
id = "{id}"
venue = "hall"
title = {{ zh = "展", en = "Show" }}
start = {start}
end = {end}
"""
WORKS = """
[[works]]
id = "w1"
title = { zh = "工程", en = "Works" }
from = 2026-04-01
to = 2026-04-30
equipment = ["main.electrical.*"]
"""
INSPECTION = """
[[inspection]]
id = "{id}"
kind = "lift-safety"
title = {{ zh = "檢查", en = "Check" }}
basis = "辦法"
interval_months = 6
last_done = 2026-01-01
equipment = ["main.electrical.meter1"]
"""
NOON, LATER = "2026-04-01T12:00:00+08:00", "2026-04-01T13:00:00+08:00"


def booking(start: str = NOON, end: str = LATER, id_: str = "b1") -> str:
    return BOOKING.format(id=id_, start=start, end=end)


def test_a_day_is_a_day_of_the_site_and_the_last_one_counts(folder: Folder) -> None:
    folder.write("calendar.toml", VENUE + booking() + WORKS)
    calendar = folder.load().calendar
    (works,) = calendar.works
    assert (works.end_ns - works.start_ns) / 86_400e9 == 30
    assert works.start_ns % 86_400_000_000_000 == 16 * 3_600_000_000_000  # midnight in Taipei
    assert works.equipment == ("main.electrical.meter1",)
    assert calendar.bookings[0].venue == "hall"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            VENUE + booking(LATER, NOON),
            "calendar.toml:10: booking.end: got 2026-04-01 12:00, wanted a time after 2026-04-01 13:00",
        ),
        (VENUE + booking("2026-04-01T12:00:00"), "booking.start: got 2026-04-01 12:00:00, wanted a time with its zone"),
        (booking(), 'booking.venue: got "hall", wanted a venue of the calendar'),
        (
            VENUE + booking() + booking(id_="b2"),
            'booking.start: got hall at that time, wanted a free venue. "b1" is there: calendar.toml:5.',
        ),
        (
            VENUE + booking() + booking("2026-05-01T12:00:00Z", "2026-05-01T13:00:00Z"),
            'booking.id: got "b1", wanted an id',
        ),
        (
            WORKS.replace("meter", "x").replace("main.electrical.*", "main.electrical.tx*"),
            'works.equipment: got "main.electrical.tx*"',
        ),
        (
            WORKS.replace("2026-04-30", "2026-03-30"),
            "works.to: got 2026-03-31 00:00, wanted a time after 2026-04-01 00:00",
        ),
        (WORKS + 'area = "nowhere"\n', 'works.area: got "nowhere", wanted an area of site.toml'),
        (WORKS + 'floors = ["9F"]\n', 'works.floors: got "9F", wanted one of'),
        (
            WORKS.replace('equipment = ["main.electrical.*"]', ""),
            'works.equipment: got nothing, wanted "area", "floors"',
        ),
        (WORKS.replace("equipment", "equpment"), 'Did you mean "equipment"?'),
        (
            INSPECTION.format(id="i1") + INSPECTION.format(id="i2"),
            'got a second "lift-safety" of main.electrical.meter1, wanted one inspection of a kind for each. "i1" is',
        ),
        (
            INSPECTION.format(id="i1").replace("last_done = 2026-01-01", ""),
            'inspection.due: got nothing, wanted "last_done"',
        ),
        (
            INSPECTION.format(id="i1") + "certificate_until = 2025-01-01\n",
            "inspection.certificate_until: got 2025-01-01 for an inspection of 2026-01-01, wanted a day after it",
        ),
        ("[[holiday]]\n", "calendar.toml:1: holiday: got an unknown key, wanted [[venue]], [[booking]], [[works]]"),
    ],
)
def test_a_mistake_in_a_calendar_has_its_place(folder: Folder, text: str, said: str) -> None:
    folder.write("calendar.toml", text)
    assert said in folder.problem()


def test_a_feed_is_checked_with_the_files(folder: Folder) -> None:
    folder.write("calendar/a.toml", VENUE)
    folder.write(
        "calendar/hire.ics",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:x\nLOCATION:roof\nEND:VEVENT\nEND:VCALENDAR\n",
    )
    assert folder.problem().startswith("calendar/hire.ics: event 1: LOCATION 'roof'; wanted one of hall")
    broken = (
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:x\nLOCATION:hall\nDTSTART:banana\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    folder.write("calendar/hire.ics", broken)
    assert folder.problem().startswith("calendar/hire.ics: event 1: DTSTART cannot be read: Expected time")
    folder.write("calendar/hire.ics", b"\xff\xfe\x00")
    assert "calendar/hire.ics:1: got UTF-16" in folder.problem()


def test_a_factor_of_nothing_is_refused(folder: Folder) -> None:
    folder.write("energy.toml", '[[carbon]]\nyear = 2024\nkg_per_kwh = 0.0\nsource = "能源署"\n')
    assert folder.problem().startswith("energy.toml:3: carbon.kg_per_kwh: got 0.0, wanted more than 0")


def test_twice_a_factor_a_meter_or_a_vehicle_is_said(folder: Folder) -> None:
    factor = '[[carbon]]\nyear = 2024\nkg_per_kwh = 0.474\nsource = "能源署"\n'
    use = '[[use]]\nid = "{}"\nname = {{ zh = "用", en = "use" }}\nmeters = ["main.electrical.*"]\n'
    folder.write("energy.toml", 'main = ["main.electrical.meter2"]\n' + factor * 2 + use.format("a") + use.format("b"))
    folder.write(
        "vehicles.csv",
        "id,plate,unit,battery_kwh,max_kw\ncar-1,XEV-0001,秘書處,60,11\ncar-2,XEV 0001,處,60,11\n",
    )
    said = [str(problem) for problem in folder.problems()]
    assert 'vehicles.csv:3: vehicle.plate: got "XEV 0001", wanted a plate: capital letters' in said[0]
    folder.change("vehicles.csv", "XEV 0001", "XEV0001")
    said = [str(problem) for problem in folder.problems()]
    for wanted in (
        'energy.toml:1: main: got "main.electrical.meter2", wanted meters with energy_import. Did you mean',
        "energy.toml:7: carbon.year: got 2024, wanted each year once. It is at line 3 too.",
        'use.meters: got main.electrical.meter1.energy_import, wanted each meter in one use. It counts for "a".',
        'vehicles.csv:3: vehicle.plate: got "XEV0001", wanted a vehicle of its own. It is at vehicles.csv:2 too.',
    ):
        assert any(wanted in one for one in said), (wanted, said)


def test_a_vehicle_is_found_by_what_a_charger_reports(folder: Folder) -> None:
    folder.write(
        "vehicles.csv",
        "id,plate,unit,battery_kwh,max_kw,departure,rfid\ncar-1,XEV-0001,秘書處,60.5,11,08:30,F1EE7001\n",
    )
    fleet = folder.load().fleet
    assert fleet.find("xev 0001") == fleet.find("F1EE7001") == fleet.vehicles[0]
    assert fleet.vehicles[0].battery_kwh == 60.5
    assert fleet.find("ABC-1234") is None
    folder.change("vehicles.csv", "08:30", "25:00")
    assert "vehicles.csv:2: vehicle.departure" in folder.problem()


ALARM = '[[alarm]]\nclass = "meter"\ntag = "power"\nkind = "high"\nlimit = {}\n'


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_limit_of_an_area_goes_before_that_of_the_class_wherever_it_stands(
    folder: Folder, order: tuple[int, int]
) -> None:
    folder.write(
        "site.toml",
        folder.text("site.toml") + '\n[[area]]\nid = "nursery"\nname = { zh = "托", en = "N" }\nbuilding = "main"\n',
    )
    rows = [ALARM.format(50), ALARM.format(20).replace("tag", 'area = "nursery"\ntag')]
    folder.write("alarms.toml", "".join(rows[place] for place in order))
    assert 'alarm.area: got "nursery", wanted an area with meter in it' in folder.problem()
    text = folder.text("equipment.toml")
    area = next(line for line in text.splitlines() if line.startswith("area"))
    folder.change("equipment.toml", area, 'area = "nursery"')
    limits = {alarm.id: alarm.limit for alarm in folder.load().alarms}
    assert limits["main.electrical.meter1.power#high"] == 20
    folder.change("alarms.toml", '"nursery"', '"nusery"')
    assert 'alarm.area: got "nusery", wanted an area of site.toml. Did you mean "nursery"?' in folder.problem()


def _row(**changes: Any) -> dict[str, Any]:
    row = {
        "kind": "maintenance",
        "title": {"zh": "保養", "en": "Service"},
        "from": "2026-04-01",
        "to": "2026-04-02T18:00:00+08:00",
        "equipment": ["main.electrical.meter1"],
    }
    return {**row, **changes}


def test_a_change_of_a_screen_lies_over_the_files_and_one_that_does_not_fit_keeps_nothing_from_starting(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write("calendar.toml", VENUE + booking() + WORKS)
    configuration = folder.load()
    changes = [
        Change(entry_key("works", "w1"), _row(), "lin", "x"),
        Change(entry_key("works", "w2"), _row(equipment=["gone.gone.gone"]), "lin", "x"),
        Change(entry_key("booking", "b1"), None, "lin", "x"),
        Change(entry_key("nothing", "b1"), None, "lin", "x"),
    ]
    laid = lay_calendar(configuration.calendar, changes, configuration.site)
    assert [(one.id, one.kind) for one in laid.works] == [("w1", "maintenance")]
    assert laid.bookings == ()
    assert "works w2 by lin does not fit any more" in caplog.text
    assert lay_calendar(configuration.calendar, [], configuration.site) is configuration.calendar


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (_row(to="2026-03-01"), "to: got 2026-03-02 00:00, wanted a time after"),
        (_row(to="2026-04-02T18:00:00"), "to: "),
        (_row(equipment=["main.electrical.metre1"]), 'Did you mean "main.electrical.meter1"?'),
        (_row(surprise=1), "surprise: "),
        (_row(title="x"), "title: "),
    ],
)
def test_a_screen_is_refused_what_a_file_is_refused(folder: Folder, row: dict[str, Any], said: str) -> None:
    configuration = folder.load()
    with pytest.raises(InvalidError) as caught:
        Frame.of(configuration.site).read("works", "w9", row, {})
    assert said in str(caught.value)


def test_the_city_has_its_calendars(folder: Folder) -> None:
    try:
        city = load(share_dir("config") / "taipei-city-hall", Registry(), clock=VirtualClock(), environment={})
    except SettingsError as error:
        pytest.fail(str(error))
    assert {"atrium", "plaza", "other"} == city.calendar.venues.keys()
    assert all(one.equipment for one in city.calendar.works if one.takes_out)
    assert [factor.kg_per_kwh for factor in city.energy.factors if factor.year == 2024] == [0.474]
    assert all("assumed" in car.note for car in city.fleet.vehicles)
    by_id = {alarm.id: alarm for alarm in city.alarms}
    assert by_id["cityhall.environment.wall03.co2#high"].limit == 800  # the childcare centre
    assert by_id["cityhall.environment.wall01.co2#high"].limit == 1000


def test_the_childcare_centre_has_its_alarm_where_an_office_has_none() -> None:
    clock = VirtualClock()
    city = load(share_dir("config") / "taipei-city-hall", Registry(), clock=clock, environment={})
    alarms = AlarmEngine(city.alarms, clock, lambda _: None)
    childcare, office = "cityhall.environment.wall03.co2", "cityhall.environment.wall01.co2"
    assert city.site.equipment["cityhall.environment.wall03"].area == "childcare"
    numbers = np.array([city.site.points[childcare].number, city.site.points[office].number], np.int32)
    for _ in range(3):  # above 800 ppm and below 1,000, for longer than both delays
        alarms.check(numbers, np.array([900.0, 900.0]), np.zeros(2, np.uint8))
        clock.move(1_000)
        alarms.tick()
    (alarm,) = alarms.active()
    assert (alarm.id, alarm.definition.limit, alarm.definition.priority) == (f"{childcare}#high", 800.0, 2)
    assert "托嬰中心" in alarm.definition.text.zh
