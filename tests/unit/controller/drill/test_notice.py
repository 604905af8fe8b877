"""What the people of a drill are told: the mark first, all that they need; of what is real no word of a drill."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from controller.drill import course
from controller.drill.course import Drill, Entry, Move
from controller.drill.notice import DrillNotice, told
from controller.drill.scenario import Level, Scenario
from controller.drill.signal import Signal
from controller.notify.message import Links, compose, push_payload
from controller.notify.notice import Notice
from controller.point.model import Name
from tests.virtual.drill import load_drill_site

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_784_044_800_000_000_000
"""2026-07-15 00:00 in Taipei."""
SECOND = 1_000_000_000
ZONE = ZoneInfo("Asia/Taipei")
WARDENS, TEAM = "contact:wardens", "duty:security"
FIRE = Signal("fire", "p", Name("火警", "fire alarm"), place=Name("分區 24", "Zone 24"), area="east", floor="3F")
DURESS = Signal("duress", "p", Name("脅迫", "duress"), place=Name("櫃台", "Desk"), area="east", floor="1F")


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    read = load_drill_site(tmp_path).scenarios["tea"]
    first, second = read.injects
    return replace(read, notify=(WARDENS,), injects=(replace(first, notify=(TEAM, WARDENS)), second))


def run(scenario: Scenario, level: Level = Level.SIMULATED) -> Move:
    drill = course.plan("d-1", scenario, level, NOW + 1800 * SECOND, "officer", NOW).drill
    return course.confirm(course.request(drill, "officer", NOW, ()).drill, "duty", NOW, 1.0, ())


def said(move: Move) -> list[DrillNotice]:
    return [notice for entry in move.entries if (notice := told(move.drill, entry, ZONE)) is not None]


def message(notice: DrillNotice, **more: object) -> Notice:
    """Return it as the outbox has it."""
    data = {
        "title": {"zh": notice.title.zh, "en": notice.title.en},
        "body": {"zh": notice.body.zh, "en": notice.body.en},
        "drill": not notice.real,
        "real": notice.real,
    }
    made = Notice(f"post~{notice.key}~x", "post", "x", NOW, NOW, life_safety=notice.real, data=data)
    return replace(made, **more)  # type: ignore[arg-type]


def everything(drill: Drill) -> list[Move]:
    """Return the ends that are no real one."""
    return [
        course.stand_down(drill, "officer", NOW + 900 * SECOND, "目標達成"),
        course.abort(drill, "duty", NOW + 900 * SECOND, "有人跌倒"),
        course.tick(drill, 1800.0, NOW + 1800 * SECOND, ()) or Move(drill),
        course.end_by_restart(drill, NOW + 900 * SECOND) or Move(drill),
    ]


def test_the_start_says_what_where_until_when_and_what_to_do(scenario: Scenario) -> None:
    (notice,) = said(run(scenario))
    assert (notice.key, notice.to, notice.see) == ("exercise/d-1/start", (WARDENS,), "/warden")
    assert notice.title == Name("模擬演練開始：茶水間火警", "simulated begins: Fire in the tea room")
    for part in ("00:00:00 開始", "最晚 00:30:00 結束", "3F", "樓層點名", "不動任何設備", "真實 REAL"):
        assert part in notice.body.zh
    (table,) = said(run(scenario, Level.TABLE_TOP))
    assert table.title.zh == "桌上演練開始：茶水間火警"
    assert "不疏散" in table.body.zh
    assert "nobody evacuates" in table.body.en


def test_an_inject_goes_to_those_it_names_and_at_the_table_to_nobody(scenario: Scenario) -> None:
    move = course.tick(run(scenario).drill, 20.0, NOW + 20 * SECOND, ())
    assert move is not None
    (notice,) = said(move)
    assert (notice.key, notice.to) == ("exercise/d-1/inject/detector", (TEAM, WARDENS))
    assert notice.title.zh == "狀況：探測器動作"
    assert notice.body == Name(
        "00:00:20 狀況發布，非真實。通報班請於 2 分內回報。",
        "Given 00:00:20; it is not real. Answer within 2 min (reporting).",
    )
    at_table = course.tick(run(scenario, Level.TABLE_TOP).drill, 20.0, NOW, ())
    assert at_table is not None
    assert said(at_table) == []


def test_every_end_is_told_once_to_all_who_were_told_before(scenario: Scenario) -> None:
    running = course.give(run(scenario).drill, "detector", "officer", NOW).drill
    ends = [said(move) for move in everything(running)]
    assert [[one.key for one in end] for end in ends] == [["exercise/d-1/end"]] * 4
    assert all(one.to == (WARDENS, TEAM) for end in ends for one in end)
    assert [end[0].title.zh for end in ends] == [
        "結束（解除）：茶水間火警",
        "結束（人員中止）：茶水間火警",
        "結束（結束時間到）：茶水間火警",
        "結束（控制器重新啟動）：茶水間火警",
    ]
    assert "目標達成" in ends[0][0].body.zh


@pytest.mark.parametrize("repeat", [False, True])
def test_the_mark_is_first_in_title_and_body_of_everything(scenario: Scenario, *, repeat: bool) -> None:
    moves = [run(scenario), *everything(run(scenario).drill)]
    for notice in [one for move in moves for one in said(move)]:
        for language in ("zh", "en"):
            made = message(notice, repeat=repeat)
            mail = compose(made, language, ZONE, Links())
            push = push_payload(made, language, Links(), receipt="", names={})
            for text in (mail.title, mail.body, push["title"], push["body"]):
                assert text.startswith("演練 DRILL ")
                assert text.count("演練 DRILL") == 1


def test_what_is_real_says_so_first_and_has_no_word_of_a_drill(scenario: Scenario) -> None:
    move = course.tick(run(scenario).drill, 5.0, NOW + 5 * SECOND, [DURESS, FIRE])
    assert move is not None
    (notice,) = said(move)
    assert (notice.real, notice.end, notice.see, notice.key) == (True, True, "/fire", "exercise/d-1/end")
    for language, where in (("zh", "3F 分區 24 火警"), ("en", "3F Zone 24 fire alarm")):
        for repeat in (False, True):
            made = message(notice, repeat=repeat)
            mail = compose(made, language, ZONE, Links())  # type: ignore[arg-type]
            push = push_payload(made, language, Links(), receipt="", names={})  # type: ignore[arg-type]
            for text in (mail.title, mail.body, push["title"], push["body"]):
                assert text.startswith("真實 REAL ")
                assert "演練" not in text
                assert "drill" not in text.lower()
            assert where in mail.title
            assert where in mail.body
            assert push["stays"] is True


def test_of_a_duress_it_says_only_that_something_is_real(scenario: Scenario) -> None:
    move = course.tick(run(scenario).drill, 5.0, NOW, [DURESS])
    assert move is not None
    (notice,) = said(move)
    text = f"{notice.title} {notice.body}"
    assert notice.see == "/alarms"
    assert not any(word in text for word in ("脅迫", "duress", "櫃台", "Desk", "1F"))


def test_nobody_is_told_who_is_not_named(scenario: Scenario) -> None:
    silent = replace(scenario, notify=(), injects=tuple(replace(one, notify=()) for one in scenario.injects))
    started = run(silent)
    assert said(started) == []
    assert [said(move) for move in everything(started.drill)] == [[]] * 4
    note = Entry("d-1", NOW, "note", "officer", Name("演練 DRILL 觀察", "演練 DRILL observed"))
    assert told(run(scenario).drill, note, ZONE) is None
