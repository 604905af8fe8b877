"""report.toml and the outdoor point of energy.toml: read, and refused with their place."""

from __future__ import annotations

from typing import Any

import pytest

from controller.report.timetable import ReportPlan, Slot
from controller.settings.difference import compare

Folder = Any


def test_times_and_how_many_are_kept(folder: Folder) -> None:
    before = folder.load()
    assert before.report == ReportPlan()
    folder.write("report.toml", '[day]\nat = "00:40"\n[month]\nat = "01:10"\nkeep = 12\n')
    after = folder.load()
    assert after.report == ReportPlan(Slot(0, 40, 92), Slot(1, 10, 12))
    assert (after.report.kinds, after.report.keep) == (("day", "month"), {"day": 92, "month": 12})
    assert compare(before, after).calendar.added == ("report schedule",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[day]\nat = "24:40"\n', 'report.toml:2: day.at: got "24:40", wanted a time of day such as 07:30'),
        ('[month]\nat = "01:10"\nkeep = 0\n', "report.toml:3: month.keep: got 0, wanted at least 1"),
        ('[week]\nat = "01:10"\n', "report.toml:1: week: got an unknown key, wanted one of day, month"),
        ("[day]\n", "report.toml:1: day.at: got nothing, wanted this key"),
    ],
)
def test_a_mistake_has_its_place(folder: Folder, text: str, said: str) -> None:
    folder.write("report.toml", text)
    assert said in folder.problem()


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ("main.electrical.meter1.power", "got main.electrical.meter1.power in kW, wanted a point in °C"),
        ("main.electrical.meter1.powr", 'got "main.electrical.meter1.powr", wanted a point in °C. Did you mean'),
    ],
)
def test_the_outdoor_point_is_a_temperature(folder: Folder, devices: Any, point: str, said: str) -> None:
    devices()
    folder.write("energy.toml", f'main = ["main.electrical.meter1"]\noutdoor = "{point}"\n')
    problem = folder.problem()
    assert problem.startswith("energy.toml:2: outdoor: ")
    assert said in problem
