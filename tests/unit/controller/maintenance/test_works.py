"""Works and inspections as the state at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from controller.maintenance.inspection import Inspection, deadline, later, made, standing
from controller.maintenance.works import Works, outages, phase
from controller.point.model import Name

NAME = Name("名", "name")
ZONE = ZoneInfo("Asia/Taipei")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()) * 1_000_000_000


def works(id_: str, first: str, last: str, *equipment: str, takes_out: bool = True) -> Works:
    return Works(id_, "renovation", NAME, at(first), at(last), equipment=equipment, takes_out=takes_out)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-31T23:59:59", "planned"),
        ("2026-04-01T00:00:00", "on"),
        ("2026-04-30T23:59:59", "on"),
        ("2026-05-01T00:00:00", "over"),
    ],
)
def test_works_hold_from_their_first_moment_to_before_their_end(moment: str, expected: str) -> None:
    assert phase(works("1", "2026-04-01", "2026-05-01"), at(moment)) == expected


def test_equipment_of_two_works_is_out_until_the_later_end() -> None:
    every = [
        works("a", "2026-04-01", "2026-04-10", "b.s.x", "b.s.y"),
        works("b", "2026-04-05", "2026-04-20", "b.s.y", "b.s.z"),
        works("facade", "2026-01-01", "2027-01-01", "b.s.x", takes_out=False),
    ]
    assert {address: one.id for address, one in outages(every, at("2026-04-06")).items()} == {
        "b.s.x": "a",
        "b.s.y": "b",
        "b.s.z": "b",
    }
    assert outages(every, at("2026-04-10")).keys() == {"b.s.y", "b.s.z"}
    # Whatever was missed in between, the same question has the same answer.
    assert outages(every, at("2026-04-06")) == outages(list(reversed(every)), at("2026-04-06"))
    assert outages(every, at("2026-04-20")) == {}


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2023, 8, 31), 6, date(2024, 2, 29)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 2, 28), 12, date(2027, 2, 28)),
    ],
)
def test_an_interval_ends_with_the_month_where_it_is_shorter(day: date, months: int, expected: date) -> None:
    assert later(day, months) == expected


def test_the_deadline_is_what_comes_first_and_passes_at_the_end_of_its_day() -> None:
    lift = Inspection("lift", "lift-safety", NAME, "辦法", 6, date(2026, 6, 10), None, date(2026, 11, 30))
    assert deadline(lift) == date(2026, 11, 30)
    assert standing(lift, date(2026, 10, 30)) == "good"
    assert standing(lift, date(2026, 10, 31)) == "due"
    assert standing(lift, date(2026, 11, 30)) == "due"
    assert standing(lift, date(2026, 12, 1)) == "overdue"
    done = made(lift, date(2026, 11, 28), None)
    assert (deadline(done), standing(done, date(2026, 12, 1))) == (date(2027, 5, 28), "good")
    assert deadline(replace(lift, certificate_until=None, due=date(2026, 12, 20))) == date(2026, 12, 20)
    # One that nobody ever did is not said to be well.
    assert standing(replace(lift, last_done=None, certificate_until=None), date(2026, 1, 1)) == "overdue"
