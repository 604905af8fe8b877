from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from simulators.plant.calendar import Calendar
from simulators.plant.people import People, light_share, occupancy
from simulators.plant.weather import Outdoor, Weather, diffuse_share


def month(seed: int, number: int, step_s: int = 1800) -> list[Outdoor]:
    weather, calendar = Weather(seed), Calendar("Asia/Taipei")
    start = int(datetime(2026, number, 1, tzinfo=UTC).timestamp())
    found = []
    for second in range(start, start + 30 * 86_400, step_s):
        moment = calendar.at(second * 10**9)
        found.append(weather.at(moment.time_ns, moment.day, moment.hour))
    return found


@pytest.mark.parametrize(
    ("number", "mean", "humidity"), [(1, 16.1, 78.5), (4, 21.9, 77.8), (7, 29.6, 73.0), (10, 24.5, 75.3)]
)
def test_thirty_days_of_some_seeds_are_near_the_climate(number: int, mean: float, humidity: float) -> None:
    months = [month(seed, number, 7200) for seed in range(4)]
    assert np.mean([[o.temperature for o in m] for m in months]) == pytest.approx(mean, abs=2.2)
    assert np.mean([[o.humidity for o in m] for m in months]) == pytest.approx(humidity, abs=8.0)


def test_a_july_has_about_eighteen_megajoules_a_day_and_no_sun_at_night() -> None:
    days = month(1, 7, 600)
    assert sum(o.sun for o in days) * 600 / 1e6 / 30 == pytest.approx(18.0, abs=4.0)
    calendar = Calendar("Asia/Taipei")
    midnight = calendar.at(int(datetime(2026, 7, 1, 16, tzinfo=UTC).timestamp()) * 10**9)
    assert midnight.hour == 0.0
    assert Weather(1).at(midnight.time_ns, midnight.day, midnight.hour).sun == 0.0


def test_the_air_is_physical_at_every_moment() -> None:
    for number in (1, 5, 7, 12):
        for o in month(5, number, 3600):
            assert -5.0 < o.temperature < 42.0
            assert 10.0 < o.humidity <= 100.0
            assert o.wet_bulb <= o.temperature + 1e-6
            assert min(o.walls) >= 0.0


def test_the_same_seed_gives_the_same_sky_whatever_was_asked_before() -> None:
    first, second = Weather(9), Weather(9)
    calendar = Calendar("Asia/Taipei")
    moment = calendar.at(1_784_080_800_000_000_000)
    for days in range(40):
        second.at(moment.time_ns, moment.day + days, 3.0)
    assert first.at(moment.time_ns, moment.day, moment.hour) == second.at(moment.time_ns, moment.day, moment.hour)
    assert first.at(moment.time_ns, moment.day, moment.hour) != Weather(8).at(moment.time_ns, moment.day, moment.hour)


def test_the_temperature_does_not_jump_at_midnight() -> None:
    weather = Weather(2)
    for day in range(20_600, 20_640):
        before = weather.at(0, day, 23.999).temperature
        after = weather.at(0, day + 1, 0.001).temperature
        assert abs(after - before) < 0.05


def test_diffuse_share_of_erbs() -> None:
    assert diffuse_share(0.1) == pytest.approx(0.991)
    assert diffuse_share(0.9) == pytest.approx(0.165)
    assert diffuse_share(0.5) == pytest.approx(0.659, abs=0.002)


def test_local_days() -> None:
    calendar = Calendar("Asia/Taipei")
    saturday = calendar.at(int(datetime(2026, 7, 17, 16, 30, tzinfo=UTC).timestamp()) * 10**9)
    friday = calendar.at(int(datetime(2026, 7, 17, 15, 30, tzinfo=UTC).timestamp()) * 10**9)
    assert (saturday.workday, saturday.hour) == (False, 0.5)
    assert (friday.workday, friday.hour) == (True, 23.5)
    assert saturday.day == friday.day + 1


def test_people_come_on_workdays_and_go_for_lunch() -> None:
    calendar = Calendar("Asia/Taipei")
    people = People(1, np.array([100.0, 4000.0]))
    wednesday = int(datetime(2026, 7, 14, 16, tzinfo=UTC).timestamp())

    def count(hours: float) -> float:
        return float(people.at(calendar.at(round((wednesday + hours * 3600) * 1e9)))[1])

    assert count(3.0) == 0.0
    assert count(10.0) > 3500.0
    assert count(12.5) < 0.75 * count(10.0)
    assert count(10.0 + 72) < 400.0
    assert occupancy(10.0, workday=True) == pytest.approx(0.95)
    assert light_share(12.5, workday=True) < 0.6 * light_share(10.0, workday=True)


@pytest.mark.parametrize(
    ("day", "plain", "taiwan"),
    [
        ("2026-12-25", True, False),
        ("2025-02-08", False, True),
        ("2026-12-24", True, True),
        ("2026-12-26", False, False),
    ],
)
def test_people_stay_at_home_on_public_holidays_and_make_up_for_bridge_days(
    day: str, plain: bool, taiwan: bool
) -> None:
    noon = int(datetime.fromisoformat(f"{day}T12:00:00+08:00").timestamp()) * 10**9
    assert Calendar("Asia/Taipei").at(noon).workday is plain
    assert Calendar("Asia/Taipei", "TW").at(noon).workday is taiwan
