"""The words of a fire: what is known in both languages, and everything else said to be unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from controller.point.model import Name
from controller.safety.announcement import DOUBTS, BurningZone, FireFacts, announcement, summary
from controller.safety.cause import Call
from controller.safety.fire import Reason

S = 1_000_000_000
SINCE = round(datetime(2026, 7, 14, 6, 5, 9, tzinfo=UTC).timestamp()) * S
EAST = BurningZone(Name("4F 東區火警分區", "Fire zone 4F east"), "4F", SINCE)
LEAST = FireFacts(SINCE + 130 * S, ZoneInfo("Asia/Taipei"), Name("市政大樓", "City Hall"), SINCE)
FULL = replace(
    LEAST,
    zones=(EAST, BurningZone(Name("5F 北區火警分區", "Fire zone 5F north"), "5F", SINCE + 60 * S)),
    address=Name("市府路 1 號", "No. 1, City Hall Rd."),
    entrance=Name("東側門", "East gate"),
    assembly=(Name("集合點 A", "Assembly point A"),),
    people={"4F": 118, "12F": 2, "B1": 7, "": 3},
    effects=(44, 51),
    wrong=(Name("4F 東區空調箱 風機運轉", "AHU 4F east Fan runs"),),
    calls=(Call(Name("消防局", "Fire department"), "119"), Call(Name("中控室", "Control room"))),
)


def lines(text: str, colon: str) -> dict[str, str]:
    return {key: rest for key, _, rest in (line.partition(colon) for line in text.splitlines())}


def test_the_broadcast_says_where_what_to_do_and_that_it_is_no_drill() -> None:
    said = announcement(FULL)
    assert said.zh.startswith("各位同仁、各位市民請注意：市政大樓 4F、5F 發生火警。這是真實火警，不是演練。")
    assert "不要搭乘電梯" in said.zh
    assert said.zh.endswith("請到集合點 A集合。")
    assert said.en.startswith(
        "Attention please. There is a fire at City Hall, 4F and 5F. This is a real fire, not a drill."
    )
    assert "Do not use the lifts." in said.en
    assert said.en.endswith("Go to Assembly point A.")


def test_the_summary_answers_what_119_asks() -> None:
    said = summary(FULL)
    zh, en = lines(said.zh, "："), lines(said.en, ": ")
    assert zh["地點"] == "市政大樓，市府路 1 號"
    assert zh["位置"] == "4F 東區火警分區（14:05:09）、5F 北區火警分區（14:06:09）"
    assert zh["時間"] == "115/07/14 14:05:09 起，已 2 分"
    assert zh["人數"] == "4F 118、5F 不明（無刷卡紀錄）、12F 2、B1 7、樓層不明 3（依門禁刷卡，不含訪客）"
    assert zh["連動"] == "已動作 44 / 51；未動作或不明：4F 東區空調箱 風機運轉"
    assert zh["聯絡"] == "消防局 119、中控室 電話不明"
    assert zh["資料時間"] == "115/07/14 14:07:19"
    assert en["Floor and zone"] == "Fire zone 4F east (14:05:09), Fire zone 5F north (14:06:09)"
    assert en["Since"] == "2026-07-14 14:05:09, 2 min ago"
    assert en["People"].startswith("4F 118, 5F unknown (no cards), 12F 2, B1 7, floor unknown 3 (by cards")
    assert en["Call back"] == "Fire department 119, Control room number unknown"
    assert len(said.zh.splitlines()) == len(said.en.splitlines()) == 11


def test_what_is_not_known_is_said_and_never_left_out() -> None:
    said = summary(LEAST)
    zh, en = lines(said.zh, "："), lines(said.en, ": ")
    for key in ("位置", "人數", "受困、受傷", "燃燒物", "連動", "消防車入口", "聯絡"):
        assert zh[key] == "不明", key
    for key in ("Floor and zone", "People", "Trapped or injured", "What burns", "Building's reaction", "Call back"):
        assert en[key] == "unknown", key
    assert zh["事由"].endswith("現場查證：不明")
    assert zh["地點"] == "市政大樓，地址不明"
    assert "（位置不明）" in announcement(LEAST).zh
    assert "(place not known)" in announcement(LEAST).en
    assert "請依避難引導人員指示集合。" in announcement(LEAST).zh


@pytest.mark.parametrize("reason", list(Reason))
def test_every_doubt_has_its_words(reason: Reason) -> None:
    what = summary(replace(FULL, doubts=(reason,)))
    assert f"火警狀態不明（{DOUBTS[reason].zh}）" in what.zh
    assert f"fire status unknown ({DOUBTS[reason].en})" in what.en


def test_more_than_can_be_read_out_is_counted_and_the_rest_of_the_state_is_said() -> None:
    many = replace(
        FULL,
        zones=(EAST,) * 7,
        wrong=tuple(FULL.wrong) * 8,
        everywhere=True,
        reset_ns=SINCE + 90 * S,
        outside_view=True,
    )
    said = summary(many)
    assert "，另 2 個分區；其他位置不明" in said.zh
    assert "and 2 more zones; perhaps elsewhere, unknown" in said.en
    assert "，另 3 項" in said.zh
    assert "總機已於 14:06:39 復歸，應變未解除" in said.zh
    assert "及無權限查看的區域" in said.zh
    assert "發生火警，其他位置不明。" in announcement(many).zh
