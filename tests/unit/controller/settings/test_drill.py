"""Scenarios of drills: what cannot be played is refused at its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.clock import VirtualClock
from controller.drill.scenario import Level, Scenario
from controller.point.registry import Registry
from controller.settings.load import load
from controller.settings.problem import SettingsError
from tests.virtual.drill import drill_site, load_drill_site

if TYPE_CHECKING:
    from pathlib import Path


def test_a_scenario_is_read_in_the_order_of_its_times(tmp_path: Path) -> None:
    scenario = load_drill_site(tmp_path).scenarios["tea"]
    assert [(one.id, one.after_s, one.answer_s) for one in scenario.injects] == [
        ("detector", 0.0, 120.0),
        ("trapped", 20.0, None),
    ]
    assert (scenario.end_s, scenario.levels) == (1800.0, (Level.TABLE_TOP, Level.SIMULATED))
    assert Scenario.of_json(scenario.to_json()) == scenario


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("zone24.state", "zone99.state", "point = ", 'scenario.inject.point: got "hall.fire.zone99.state"'),
        ('at = "00:20"', 'at = "30:00"', 'at = "30:00"', "got 30:00, when the drill is over"),
        ('at = "00:20"', 'at = "soon"', 'at = "soon"', "minutes and seconds after the start, such as 02:30"),
        ("end_min = 30\n", "", "[[scenario]]", "end_min"),
        ("end_min = 30", "end_min = 0", "end_min = 0", "more than 0"),
        ("end_min = 30", "end_min = -5", "end_min = -5", "more than 0"),
        ("value = 2", "value = 9", "value = 9", "wanted one of 0, 1, 2, 3, 4, 5"),
        ("value = 2\n", "", "point = ", "the value that the drill shows"),
        ('floor = "3F"', 'floor = "9F"', 'floor = "9F"', "a floor of hall"),
        ('building = "hall"', 'building = "hal"', 'building = "hal"', 'Did you mean "hall"?'),
        ('id = "trapped"', 'id = "detector"', 'id = "detector"', "an id of its own"),
        ("within_min = 15", "within_min = 31", "within_min = 31", "at most 30"),
        ('team = "reporting"', 'team = "cooking"', 'team = "cooking"', "team"),
        ("answer_min = 2\n", "", 'kind = "answered"', "no inject wants an answer"),
        ('kind = "swept"', 'kind = "won"', 'kind = "won"', "kind"),
        ('id = "tea"', 'id = "tea"\nlevels = ["live"]', "levels", "table_top"),
        ("end_min = 30", 'end_min = 30\nnotify = ["contact:nobody"]', "notify", "a contact or duty of notify.toml"),
        ('at = "00:20"', 'at = "00:20"\nnotify = ["duty:nobody"]', "notify", "scenario.inject.notify"),
        ("end_min = 30", 'end_min = 30\nnotify = ["wardens"]', "notify", "duty"),
    ],
)
def test_what_cannot_be_played_is_refused_at_its_line(tmp_path: Path, old: str, new: str, line: str, said: str) -> None:
    texts = drill_site()
    assert old in texts["drill"]
    texts["drill"] = texts["drill"].replace(old, new, 1)
    (tmp_path / "devices").mkdir()
    for name, text in texts.items():
        (tmp_path / f"{name}.toml").write_text(text, "utf-8")
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, Registry(), clock=VirtualClock())
    problem = refused.value.problems[0]
    assert problem.file == "drill.toml"
    assert said in str(problem)
    assert line in texts["drill"].splitlines()[problem.line - 1], str(problem)
