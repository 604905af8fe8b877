"""What messages say: what, where, how bad, what to do, in both languages; and what they keep to themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from controller.notify.message import PUSH_LIMIT, Links, compose, push_payload, topic
from controller.notify.notice import Notice

ZONE = ZoneInfo("Asia/Taipei")
DATA: dict[str, Any] = {
    "text": {"zh": "繞組溫度過高", "en": "Winding temperature high"},
    "where": [
        {"zh": "高壓變壓器 3 號", "en": "Transformer 3"},
        {"zh": "B1", "en": "B1"},
        {"zh": "變電站", "en": "Substation"},
    ],
    "consequence": {"zh": "絕緣加速老化", "en": "Insulation ages faster"},
    "action": {"zh": "降載並檢查風扇", "en": "Reduce the load, check the fans"},
    "system": "electrical",
    "value": 131.2,
    "limit": 130.0,
    "unit": "°C",
    "reason": "",
    "raised_ns": 1_767_225_600_000_000_000,
    "respond_by_ns": 1_767_227_400_000_000_000,
}
ALARM = "cityhall.electrical.tx3.winding_temp_a#high"
NOTICE = Notice("o~0~duty", "raised", "duty", 0, 0, "o", ALARM, priority=2, data=DATA)
LINKS = Links("https://shifu.example/alarms/x", "https://shifu.example/ack#token=abc")
NAMES = {"acknowledge": "確認", "open": "詳情"}


def test_a_mail_says_everything_in_chinese() -> None:
    said = compose(NOTICE, "zh", ZONE, LINKS)
    assert said.title == "【高】高壓變壓器 3 號 繞組溫度過高"
    assert said.body.splitlines() == [
        "告警: 繞組溫度過高",
        "位置: 高壓變壓器 3 號 · B1 · 變電站",
        "程度: 2 高 · 現值 131.2 °C · 限值 130 °C",
        "後果: 絕緣加速老化",
        "處置: 降載並檢查風扇",
        "發生: 2026-01-01 08:00:00",
        "回應時限: 2026-01-01 08:30:00",
        "詳情: https://shifu.example/alarms/x",
        "確認（僅限您本人，一次有效）: https://shifu.example/ack#token=abc",
        "訊息編號: o~0~duty",
    ]


def test_and_in_english() -> None:
    said = compose(NOTICE, "en", ZONE, Links())
    assert said.title == "【High】Transformer 3 Winding temperature high"
    assert "What to do: Reduce the load, check the fans" in said.body
    assert "http" not in said.body


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_repeat_is_marked_in_both_languages(language: Any) -> None:
    said = compose(replace(NOTICE, repeat=True, life_safety=True), language, ZONE, LINKS)
    assert "可能重複 possible repeat" in said.body.splitlines()[0]
    assert "可能重複" in said.title
    assert {"zh": "生命安全", "en": "Life safety"}[language] in said.title


def test_a_drill_comes_first_in_the_title() -> None:
    said = compose(replace(NOTICE, data={**DATA, "drill": True}), "zh", ZONE, LINKS)
    assert said.title.startswith("演練 DRILL ")


def test_a_storm_names_some_and_counts_all() -> None:
    items = [{"priority": 3, "text": DATA["text"], "where": DATA["where"][:1]} for _ in range(20)]
    said = compose(replace(NOTICE, kind="group", priority=1, data={"count": 523, "items": items}), "zh", ZONE, Links())
    assert said.title == "【緊急】告警洪流 523 件告警"
    assert "另 515 件" in said.body


def test_what_is_over_says_so() -> None:
    said = compose(replace(NOTICE, kind="cleared", data={**DATA, "returned_ns": DATA["raised_ns"]}), "zh", ZONE, LINKS)
    assert said.title.startswith("【已恢復】")
    assert "恢復: 2026-01-01 08:00:00" in said.body


def test_push_messages_of_one_alarm_replace_each_other() -> None:
    raised = push_payload(NOTICE, "zh", LINKS, receipt="r", names=NAMES)
    over = push_payload(replace(NOTICE, kind="cleared"), "zh", LINKS, receipt="r", names=NAMES)
    assert raised["tag"] == over["tag"] == topic(ALARM)
    assert len(topic(ALARM)) == 32
    assert over["title"].startswith("【已恢復】")
    assert (raised["stays"], over["stays"]) == (True, False)


@pytest.mark.parametrize("system", ["access", "intrusion", "cctv", "intercom", "sos"])
def test_push_of_security_systems_has_no_value(system: str) -> None:
    payload = push_payload(replace(NOTICE, data={**DATA, "system": system}), "zh", LINKS, receipt="", names=NAMES)
    assert "131" not in str(payload)
    assert "131.2" in push_payload(NOTICE, "zh", LINKS, receipt="", names=NAMES)["body"]


def test_a_push_message_is_short_whatever_the_texts_are() -> None:
    long = {"zh": "很長的說明" * 400, "en": "a long text " * 400}
    data = {**DATA, "text": long, "action": long, "where": [long]}
    payload = push_payload(replace(NOTICE, data=data, repeat=True), "zh", LINKS, receipt="r" * 22, names=NAMES)
    assert len(orjson.dumps(payload)) <= PUSH_LIMIT
