"""The report says what was so: goals by the times of the record, and nothing in it is read as markup."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from controller.drill import course
from controller.drill.muster import Status, Tick, TickKind, board
from controller.drill.presence import Person
from controller.drill.report import NoticeLine, ReportData, content, goals, render
from controller.drill.scenario import Level
from controller.point.model import Name
from tests.virtual.drill import load_drill_site

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_784_044_800_000_000_000
"""2026-07-14 16:00 UTC: midnight in Taipei, 民國 115 年 7 月 15 日."""
SECOND = 1_000_000_000
PEOPLE = [Person("p-1", "east", "3F", "d", 1), Person("p-2", "east", "3F", "d", 1)]


def said(key: str, after_s: int, person: str = "", kind: TickKind = TickKind.PERSON) -> Tick:
    at = NOW + after_s * SECOND
    status = Status.ACCOUNTED if person else None
    return Tick(key, kind, "warden", at, at, at, "east", "3F", person, status)


@pytest.fixture
def data(tmp_path: Path) -> ReportData:
    scenario = load_drill_site(tmp_path).scenarios["tea"]
    drill = course.plan("d-1", scenario, Level.SIMULATED, NOW + 1800 * SECOND, "officer", NOW).drill
    drill = course.request(drill, "officer", NOW, ()).drill
    drill = course.confirm(drill, "duty", NOW, 1.0, ()).drill
    drill = course.give(drill, "detector", "officer", NOW).drill
    drill = course.answer(drill, "detector", "duty", NOW + 119 * SECOND).drill
    noted = course.note(drill, "duty", NOW, "= #eval(1) *門* $x$ <label> [")
    drill = course.stand_down(noted.drill, "officer", NOW + 900 * SECOND, "enough").drill
    drill = course.restore(drill, "officer", NOW + 1000 * SECOND, ["told"], ()).drill
    entries = tuple((e.time_ns, e.kind, e.who, e.text.zh, e.text.en, e.data) for e in noted.entries)
    ticks = [said("a", 300, "p-1"), said("b", 400, "p-2"), said("c", 500, kind=TickKind.SWEPT)]
    areas = {"east": Name("東區", "East")}
    return ReportData(
        drill=drill,
        entries=entries,
        board=board(PEOPLE, ticks),
        site=Name("市政大樓", "City Hall"),
        building=Name("樓", "Hall"),
        areas=areas,
        timezone="Asia/Taipei",
        language="zh",
        made_ns=NOW,
    )


def test_goals_are_judged_by_the_times_of_the_record(data: ReportData) -> None:
    results = {result.goal.id: result for result in goals(data.drill, data.board)}
    assert (results["out"].reached, results["out"].after_s, results["out"].done) == (True, 400.0, 2)
    assert (results["answered"].reached, results["answered"].done, results["answered"].wanted) == (True, 1, 1)
    assert (results["swept"].reached, results["swept"].after_s) == (True, 500.0)


def test_a_goal_that_was_reached_too_late_or_never_is_not_reached(data: ReportData) -> None:
    late = board(PEOPLE, [said("a", 300, "p-1"), said("b", 901, "p-2")])
    results = {result.goal.id: result for result in goals(data.drill, late)}
    assert (results["out"].reached, results["out"].after_s) == (False, 901.0)
    assert (results["swept"].reached, results["swept"].after_s) == (False, None)
    missing = {result.goal.id: result for result in goals(data.drill, board(PEOPLE, [said("a", 300, "p-1")]))}
    assert (missing["out"].reached, missing["out"].after_s, missing["out"].done) == (False, None, 1)


def test_a_zone_on_whose_floor_no_card_was_seen_is_swept_as_well_or_the_goal_is_missed(data: ReportData) -> None:
    zones = (("3F", "east"), ("2F", "west"))
    half = {result.goal.id: result for result in goals(data.drill, data.board, zones)}["swept"]
    assert (half.reached, half.after_s, half.done, half.wanted) == (False, None, 1, 2)
    lines = content(replace(data, zones=zones, areas={**data.areas, "west": Name("西區", "West")}))["deviations"]
    assert "未巡視：2F 西區" in lines
    at = NOW + 600 * SECOND
    west = Tick("w", TickKind.SWEPT, "other", at, at, at, "west", "2F")
    swept = board(PEOPLE, [said("c", 500, kind=TickKind.SWEPT), west])
    whole = {result.goal.id: result for result in goals(data.drill, swept, zones)}["swept"]
    assert (whole.reached, whole.after_s, whole.done, whole.wanted) == (True, 600.0, 2, 2)
    assert not [line for line in content(replace(data, zones=zones, board=swept))["deviations"] if "未巡視" in line]


def test_an_empty_house_reaches_no_goal_of_an_evacuation_and_misses_none(data: ReportData) -> None:
    results = {result.goal.id: result for result in goals(data.drill, board([], []))}
    assert (results["out"].reached, results["swept"].reached) == (None, None)
    assert any("無人在館" in line for line in content(replace(data, board=board([], [])))["deviations"])


def test_it_says_days_by_the_years_of_the_republic_and_in_english_by_ours(data: ReportData) -> None:
    chinese, english = content(data), content(replace(data, language="en"))
    assert chinese["times"][2] == ["開始（第二人同意）", "民國 115 年 7 月 15 日 00:00:00", "duty"]
    assert english["times"][2][1] == "15 July 2026 00:00:00"
    assert chinese["facts"][4][1].startswith("15:00 ")
    assert chinese["zones"] == [["3F 東區", "2", "2", "0", "0", "0", "08:20", "06:40"]]
    assert chinese["injects"][0][4:] == ["01:59", "準時"]
    assert chinese["injects"][1][5] == "未發布"
    assert chinese["draft"]


def test_what_ended_it_and_who_was_missing_are_deviations(data: ReportData) -> None:
    stopped = replace(data, drill=replace(data.drill, cause=course.Cause.RESTART), board=board(PEOPLE, []))
    lines = content(replace(stopped, language="en"))["deviations"]
    assert "controller was restarted" in lines[0]
    assert "2 people were still missing" in lines[1]
    assert lines[-1] == "= #eval(1) *門* $x$ <label> ["


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_becomes_a_pdf_whatever_people_wrote(data: ReportData, language: str) -> None:
    asked = pickle.loads(pickle.dumps(replace(data, language=language)))
    assert render(asked).startswith(b"%PDF-")


def test_it_says_whom_it_told_and_what_did_not_come(data: ReportData) -> None:
    start, real = Name("演練 DRILL 開始", "演練 DRILL begins"), Name("真實 REAL 火警", "真實 REAL fire")
    to = Name("樓層引導員", "Floor wardens")
    lines = (
        NoticeLine(NOW + SECOND, start, to, Name("手機推播", "Push"), "sent", repeat=False),
        NoticeLine(NOW + 2 * SECOND, start, Name("安全官", "Officer"), None, "failed", repeat=False),
        NoticeLine(NOW + 3 * SECOND, real, to, Name("電子郵件", "E-mail"), "sent", repeat=True),
    )
    made = content(replace(data, notices=lines))
    assert made["notices"] == [
        ["00:00:01", "演練 DRILL 開始", "樓層引導員", "手機推播", "已送出"],
        ["00:00:02", "演練 DRILL 開始", "安全官", "–", "失敗"],
        ["00:00:03", "真實 REAL 火警", "樓層引導員", "電子郵件", "已送出 · 可能重複"],
    ]
    assert "1 則演練通知失敗或不明" in made["deviations"]
    assert render(replace(data, notices=lines, language="en")).startswith(b"%PDF-")


def test_what_was_counted_after_the_end_is_a_deviation(data: ReportData) -> None:
    ended = data.drill.ended_ns
    late = board(PEOPLE, [said("a", 300, "p-1"), said("b", 901, "p-2")], ended)
    found = content(replace(data, board=late))["deviations"]
    assert "1 筆點名於演練結束後才記下" in found
    assert "1 筆點名於演練結束後才傳到" in found
