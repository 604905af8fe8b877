"""Schedules, exceptions and days, from files with their mistakes, and from screens."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from controller.clock import VirtualClock
from controller.errors import InvalidError
from controller.point.registry import Registry
from controller.settings.load import load
from controller.settings.overlay import Change, lay_over
from controller.settings.schedule import ScheduleFrame, lay_timetable, schedule_key, schedule_row
from controller.share import share_dir

Folder = Any

AHU = """
[[equipment]]
id = "main.hvac.ahu{n}"
for = { n = "1..3" }
class = "ahu"
name = { zh = "空調箱 {n}", en = "Air handler {n}" }
floor = "B1"
area = "office"
"""
DEVICE = """
[[device]]
id = "ahu{n}"
for = { n = "1..3" }
equipment = "main.hvac.ahu{n}"
profile = "site-standard-ahu"
endpoint = "opc.tcp://192.0.2.20:4840"
options = { node_prefix = "AHU/{n}" }
"""
SCHEDULE = """\
[[schedule]]
id = "office"
name = { zh = "辦公", en = "Office" }
equipment = ["main.hvac.ahu*"]
default = "off"
booking = { mode = "on", lead_min = 30, lag_min = 15 }

[[schedule.mode]]
id = "on"
name = { zh = "上班", en = "Occupied" }
values = { fan_cmd = 1, zone_temp_sp = 26 }

[[schedule.mode]]
id = "off"
name = { zh = "停機", en = "Off" }
values = { fan_cmd = 0 }

[[schedule.weekly]]
days = ["mon", "tue"]
from = "08:00"
to = "17:30"
mode = "on"

[[schedule.weekly]]
days = ["tue", "holiday"]
from = "17:30"
to = "24:00"
mode = "on"
"""
EXCEPTION = """
[[exception]]
id = "clean"
title = { zh = "打掃", en = "Cleaning" }
schedules = ["off*"]
from = 2026-12-05
to = 2026-12-06
mode = "on"
start = "08:00"
end = "12:00"
"""
DAY = '\n[[day]]\ndate = 2026-09-02\ntype = "holiday"\nname = { zh = "颱風停班", en = "Typhoon day" }\n'


@pytest.fixture
def site(folder: Folder) -> Folder:
    folder.write("equipment/ahu.toml", AHU)
    folder.write("devices/ahu.toml", DEVICE)
    folder.write("schedule.toml", SCHEDULE)
    return folder


def test_a_schedule_is_read_with_its_equipment_hours_and_modes(site: Folder) -> None:
    site.write("schedule/more.toml", EXCEPTION + DAY)
    timetable = site.load().timetable
    (schedule,) = timetable.schedules.values()
    assert schedule.equipment == ("main.hvac.ahu1", "main.hvac.ahu2", "main.hvac.ahu3")
    assert schedule.tags == ("fan_cmd", "zone_temp_sp")
    assert schedule.areas == ("office",)
    assert [(span.days, span.start_min, span.end_min) for span in schedule.weekly] == [
        (("mon", "tue"), 480, 1050),
        (("tue", "holiday"), 1050, 1440),
    ]
    assert (schedule.lead_min, schedule.lag_min, schedule.default) == (30, 15, "off")
    (special,) = timetable.exceptions.values()
    assert (special.schedules, special.start_min, special.end_min) == (("office",), 480, 720)
    assert timetable.office.day(date(2026, 9, 2)).name.en == "Typhoon day"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('to = "17:30"', 'to = "07:00"', 'schedule.toml:21: schedule.weekly.to: got 07:00, wanted a time after 08:00'),
        ('to = "17:30"', 'to = "18:00"', "schedule.toml:26: schedule.weekly.from: got 17:30 on tue, inside another"),
        ('to = "17:30"', 'to = "24:30"', 'schedule.toml:21: schedule.weekly.to: got "24:30", wanted a time of day'),
        ("fan_cmd = 1,", "fan_comand = 1,", 'schedule.toml:11: schedule.mode.values.fan_comand: got "fan_comand"'),
        ("fan_cmd = 1,", "return_co2 = 1,", "got main.hvac.ahu1.return_co2, which is only read, wanted a point"),
        ("zone_temp_sp = 26", "zone_temp_sp = 35", "got main.hvac.ahu1.zone_temp_sp: 35, wanted 18 to 28 °C"),
        ("fan_cmd = 0", "fan_cmd = 0.5", "got main.hvac.ahu1.fan_cmd: 0.5, wanted 0 or 1"),
        ('default = "off"', 'default = "of"', 'schedule.toml:5: schedule.default: got "of", wanted a mode of this'),
        ('mode = "on", lead', 'mode = "x", lead', "schedule.toml:6: schedule.booking"),
        ("lead_min = 30", "lead_min = 900", "wanted at most 720"),
        ("main.hvac.ahu*", "main.hvac.ahx*", 'schedule.toml:4: schedule.equipment: got "main.hvac.ahx*", wanted'),
        ('id = "off"', 'id = "on"', 'schedule.mode.id: got "on" twice, wanted each mode once'),
        ('"mon", "tue"', '"mon", "tues"', "schedule.weekly.days"),
        ("default =", "defaultt =", 'an unknown key'),
    ],
)  # fmt: skip
def test_a_mistake_is_said_with_its_line(site: Folder, old: str, new: str, said: str) -> None:
    site.change("schedule.toml", old, new)
    assert any(said in str(problem) for problem in site.problems()), [str(problem) for problem in site.problems()]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "to = 2026-12-06",
            "to = 2026-12-01",
            "schedule.toml:35: exception.to: got 2026-12-01, wanted 2026-12-05, when it",
        ),
        ('end = "12:00"', 'end = "07:00"', "schedule.toml:38: exception.end: got 07:00, wanted a time after 08:00"),
        ('mode = "on"', 'mode = "no"', 'schedule.toml:36: exception.mode: got "no", wanted a mode of office'),
        ('mode = "on"\n', "", 'exception.mode: got nothing, wanted exactly one of "mode" and "day"'),
        ('mode = "on"\n', 'day = "sun"\n', "exception.start: got 08:00 to 12:00, wanted whole days"),
        ('"off*"', '"x*"', 'exception.schedules: got "x*", wanted a schedule'),
    ],
)
def test_a_mistake_of_an_exception_is_said_with_its_line(site: Folder, old: str, new: str, said: str) -> None:
    site.write("schedule.toml", SCHEDULE + EXCEPTION)
    text = SCHEDULE + EXCEPTION.replace(old, new)
    site.write("schedule.toml", text)
    assert any(said in str(problem) for problem in site.problems()), [str(problem) for problem in site.problems()]


def test_two_wishes_for_one_point_or_one_time_are_refused(site: Folder) -> None:
    twin = SCHEDULE.replace('"office"', '"twin"', 1)
    site.write("schedule/twin.toml", twin)
    assert "got main.hvac.ahu1.fan_cmd, which office has, wanted one schedule a point" in site.problem()
    site.write("schedule/twin.toml", EXCEPTION + EXCEPTION.replace('"clean"', '"other"').replace('"on"', '"off"'))
    assert (
        "schedule/twin.toml:16: exception.from: got schedules that another exception has at that time" in site.problem()
    )
    site.write("schedule/twin.toml", EXCEPTION + EXCEPTION)
    assert 'exception.id: got "clean", wanted an id of its own' in str(site.problems()[0])
    site.write("schedule/twin.toml", DAY + DAY)
    assert "day.date: got 2026-09-02 twice" in site.problem()
    site.write(
        "schedule/twin.toml", EXCEPTION.replace('mode = "on"\nstart = "08:00"\nend = "12:00"', 'day = "holiday"')
    )
    assert site.load().timetable.exceptions["clean"].day_type == "holiday"


def change(kind: str, id_: str, value: object) -> Change:
    return Change(schedule_key(kind, id_), value, "engineer", "why")


def test_what_a_screen_changes_lies_over_the_files(site: Folder) -> None:
    base = site.load()
    weekly = [{"days": ["sat"], "from": "09:00", "to": "12:00", "mode": "on"}]
    special = {"title": {"zh": "颱風", "en": "Typhoon"}, "schedules": ["*"], "from": "2026-12-01", "to": "2026-12-01",
               "day": "holiday"}  # fmt: skip
    changes = [
        change("exception", "typhoon", special),
        change("plan", "office", {"weekly": weekly, "values": {"on": {"fan_cmd": 1, "zone_temp_sp": 27}}}),
    ]
    laid = lay_over(base, changes, 0, 2).timetable
    schedule = laid.schedules["office"]
    assert [span.days for span in schedule.weekly] == [("sat",)]
    assert schedule.modes["on"].values["zone_temp_sp"] == 27
    assert schedule.modes["off"] == base.timetable.schedules["office"].modes["off"]
    assert laid.exceptions["typhoon"].day_type == "holiday"
    assert base.timetable.exceptions == {}


def test_a_change_that_does_not_fit_any_more_is_passed_over(site: Folder, caplog: pytest.LogCaptureFixture) -> None:
    base = site.load()
    wrong = [
        change("plan", "office", {"default": "nothing"}),
        change("plan", "gone", {"default": "on"}),
        change("exception", "x", {"schedules": ["gone"]}),
    ]
    laid = lay_timetable(base.timetable, wrong, base.site)
    assert laid == base.timetable
    assert caplog.text.count("schedules: the change of") == 3


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"equipment": ["main.hvac.ahu1"]}, "wanted some of weekly, default"),
        ({"values": {"night": {}}}, "values: wanted modes of the schedule: on, off"),
        ({"values": {"on": {"zone_temp_sp": 12}}}, "wanted 18 to 28 °C"),
        ({"values": {"on": {"zone_temp_sp": "warm"}}}, "zone_temp_sp"),
        ({"weekly": [{"days": [], "from": "09:00", "to": "12:00", "mode": "on"}]}, "weekly.0.days"),
        ({"weekly": [{"days": ["mon"], "from": "09:00", "to": "08:00", "mode": "on"}]}, "a time after 09:00"),
        ({"weekly": "always"}, "weekly"),
        ("off", "wanted some of"),
    ],
)
def test_a_screen_is_refused_what_a_file_would_be_refused(site: Folder, value: object, said: str) -> None:
    configuration = site.load()
    frame = ScheduleFrame.of(configuration.site)
    with pytest.raises(InvalidError, match=said):
        frame.changed(configuration.timetable.schedules["office"], value)


def test_a_schedule_gives_the_row_that_it_came_from(site: Folder) -> None:
    configuration = site.load()
    (schedule,) = configuration.timetable.schedules.values()
    assert ScheduleFrame.of(configuration.site).changed(schedule, {}) == schedule
    assert schedule_row(schedule)["weekly"][1] == {
        "days": ["tue", "holiday"], "from": "17:30", "to": "24:00", "mode": "on"
    }  # fmt: skip


def test_the_schedules_of_city_hall_are_those_of_its_house_rule() -> None:
    site = load(share_dir("config") / "taipei-city-hall", Registry(), clock=VirtualClock(), environment={})
    timetable = site.timetable
    scheduled = {address for schedule in timetable.schedules.values() for address in schedule.equipment}
    assert not any("ahu_cr" in address for address in scheduled)  # the control room runs day and night
    assert sum(".ahu_" in address for address in scheduled) == 48
    assert sum(".fcu_" in address for address in scheduled) == 40
    assert sum(".fan" in address for address in scheduled) == 12
    office = timetable.schedules["office-west"]
    at = timetable.instant
    assert timetable.state(office, at(date(2026, 11, 27), 8 * 60)).mode == "occupied"
    assert timetable.state(office, at(date(2026, 11, 27), 17 * 60 + 30)).mode == "unoccupied"
    assert timetable.state(office, at(date(2026, 12, 25), 10 * 60)).cause.kind == "holiday"
    for schedule in timetable.schedules.values():
        for mode in schedule.modes.values():
            assert mode.values.get("zone_temp_sp", 26) <= 28
