"""Taiwan's calendar against the work calendars that the government published."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from controller.office import PUBLISHED_UNTIL, Day, OfficeCalendar
from controller.point.model import Name

TW = OfficeCalendar("TW")


@pytest.mark.parametrize(
    ("day", "kind", "zh"),
    [
        # 行政院人事行政總處 113, 114 and 115 年政府行政機關辦公日曆表.
        ("2024-02-08", "holiday", "放假日（2024-02-17 補班）"),
        ("2024-02-17", "makeup", "補班日"),
        ("2025-01-27", "holiday", "放假日（2025-02-08 補班）"),
        ("2025-02-08", "makeup", "補班日"),
        ("2025-02-15", "sat", ""),
        ("2025-09-29", "holiday", "孔子誕辰紀念日（補假）"),
        ("2026-02-16", "holiday", "農曆除夕"),
        ("2026-02-20", "holiday", "農曆除夕（補假）"),
        ("2026-02-23", "mon", ""),
        ("2026-05-01", "holiday", "勞動節"),
        ("2026-09-28", "holiday", "孔子誕辰紀念日"),
        ("2026-10-09", "holiday", "國慶日（補假）"),
        ("2026-12-25", "holiday", "行憲紀念日"),
        ("2026-12-26", "sat", ""),
        ("2026-11-27", "fri", ""),
    ],
)
def test_days_are_as_the_government_published_them(day: str, kind: str, zh: str) -> None:
    found = TW.day(date.fromisoformat(day))
    assert (found.type, found.name.zh) == (kind, zh)
    assert found.published


def test_no_make_up_workday_is_known_since_2026() -> None:
    # The Act of 28 May 2025 moves no workday to a Saturday; what is decided later comes from the site's files.
    days = [TW.day(date(2026, 1, 1).fromordinal(date(2026, 1, 1).toordinal() + n)) for n in range(730)]
    assert [day.day for day in days if day.type == "makeup"] == []


def test_years_that_are_not_published_yet_say_so() -> None:
    assert not TW.day(date(PUBLISHED_UNTIL + 1, 1, 1)).published


def test_what_the_site_adds_is_above_the_country() -> None:
    typhoon, bridge = date(2026, 9, 2), date(2026, 12, 25)
    added = {
        typhoon: Day(typhoon, "holiday", Name("颱風停班", "Typhoon day"), added=True),
        bridge: Day(bridge, "makeup", Name("補班日", "Make-up workday"), added=True),
    }
    office = OfficeCalendar("TW", added)
    assert not office.day(typhoon).workday
    assert office.day(bridge).workday
    assert [day.name.en for day in office.special(date(2026, 9, 1), 30)] == [
        "Typhoon day",
        "Mid-Autumn Festival",
        "Confucius' Birthday",
    ]


def test_local_time_is_of_its_day() -> None:
    typhoon = date(2026, 9, 2)
    office = OfficeCalendar("TW", {typhoon: Day(typhoon, "holiday", added=True)})
    noon = datetime(2026, 9, 2, 12, tzinfo=ZoneInfo("Asia/Taipei"))
    assert (office.workday(noon), office.workday(noon - timedelta(days=1))) == (False, True)
    assert office.day(noon).day == typhoon


def test_without_a_country_only_weekends_and_added_days_differ() -> None:
    assert OfficeCalendar("").day(date(2026, 12, 25)).type == "fri"
