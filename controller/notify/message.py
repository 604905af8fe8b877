"""What a message says: what, where, how bad, what to do, and where to look; in the language of who gets it. Pure.

`facts` is what a notice keeps in the outbox, so that it can be said after a restart too. Values are left out of push
messages of security systems: they pass the clouds of vendors and lie on locked screens.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from controller.alarm.definition import LIMIT_KINDS
from controller.notify.roster import local
from controller.point.reason import spoken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from controller.alarm.definition import Alarm
    from controller.notify.notice import Notice
    from controller.point.model import Name, Site

__all__ = ["Links", "Message", "alarm_address", "compose", "facts", "mark", "push_payload", "topic"]

Language = Literal["zh", "en"]
_SECURITY = frozenset({"access", "intrusion", "cctv", "intercom", "sos"})
"""Systems whose push messages carry neither values nor comments."""
_LISTED = 8
"""Alarms that a message with a count names."""
PUSH_LIMIT = 3_000
"""Bytes of a push payload before encryption; vendors take 4,096 after it (RFC 8291)."""
_PRIORITY: Mapping[Language, tuple[str, ...]] = {
    "zh": ("緊急", "高", "中", "低"),
    "en": ("Critical", "High", "Medium", "Low"),
}
_WORDS: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "what": "告警",
        "where": "位置",
        "bad": "程度",
        "value": "現值",
        "limit": "限值",
        "effect": "後果",
        "do": "處置",
        "at": "發生",
        "by": "回應時限",
        "over": "恢復",
        "see": "詳情",
        "ack": "確認（僅限您本人，一次有效）",
        "id": "訊息編號",
        "repeat": "可能重複 possible repeat：此訊息可能已送達",
        "life": "生命安全",
        "escalated": "尚無人確認",
        "cleared": "已恢復",
        "storm": "告警洪流",
        "more": "另 {n} 件",
        "count": "{n} 件告警",
        "reason": "原因",
    },
    "en": {
        "what": "Alarm",
        "where": "Where",
        "bad": "How bad",
        "value": "value",
        "limit": "limit",
        "effect": "Consequence",
        "do": "What to do",
        "at": "Raised",
        "by": "Respond by",
        "over": "Returned",
        "see": "Details",
        "ack": "Acknowledge (yours alone, good once)",
        "id": "Message",
        "repeat": "可能重複 possible repeat: this message may have arrived already",
        "life": "Life safety",
        "escalated": "nobody has acknowledged",
        "cleared": "Back to normal",
        "storm": "Alarm flood",
        "more": "{n} more",
        "count": "{n} alarms",
        "reason": "Reason",
    },
}


@dataclass(frozen=True, slots=True)
class Links:
    """Where the message leads; empty where there is nothing."""

    see: str = ""
    acknowledge: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """Words to be sent."""

    title: str
    body: str


def facts(alarm: Alarm, site: Site) -> dict[str, Any]:
    """Return what a message about an alarm needs, as JSON."""
    definition, state = alarm.definition, alarm.state
    piece, area = site.equipment.get(definition.equipment), site.areas.get(definition.area)
    where = [] if piece is None else [_both(piece.name)]
    where += [{"zh": definition.floor, "en": definition.floor}] if definition.floor else []
    where += [] if area is None else [_both(area.name)]
    return {
        "text": _both(definition.text),
        "where": where,
        "consequence": _both(definition.consequence),
        "action": _both(definition.action),
        "system": definition.system,
        # The number of a state says nothing to whoever reads it; the text of the alarm says what it is.
        "value": state.value if definition.kind in LIMIT_KINDS else None,
        "limit": state.limit,
        "unit": definition.unit,
        "reason": _both(spoken(alarm.reason())) if alarm.reason() else "",
        "raised_ns": state.raised_ns,
        "respond_by_ns": alarm.respond_by_ns(),
    }


def _both(name: Name) -> dict[str, str]:
    return {"zh": name.zh, "en": name.en}


def alarm_address(base: str, alarm: str) -> str:
    """Return the address of an alarm's page."""
    return f"{base.rstrip('/')}/alarms/{quote(alarm, safe='')}" if base else ""


def topic(alarm: str) -> str:
    """Return a name of at most 32 characters for what an alarm's push messages replace (RFC 8030, 5.4)."""
    return base64.urlsafe_b64encode(hashlib.sha256(alarm.encode()).digest())[:32].decode()


def mark(data: Mapping[str, Any]) -> str:
    """Return what comes first in the title and the body: of a drill, and of what is real in its place."""
    return "演練 DRILL " if data.get("drill") else "真實 REAL " if data.get("real") else ""


def compose(notice: Notice, language: Language, zone: ZoneInfo, links: Links) -> Message:
    """Return the whole message, for mail, chat and webhooks."""
    said = _WORDS[language]
    head = [said["repeat"]] if notice.repeat else []
    first = mark(notice.data)
    if notice.kind in ("post", "test"):
        title, lines = _said(notice.data["title"], language), [_said(notice.data["body"], language)]
    elif notice.kind == "group":
        title, lines = _storm(notice, language)
    else:
        title, lines = _title(notice, language), _lines(notice, language, zone)
    if links.see:
        lines.append(f"{said['see']}: {links.see}")
    if links.acknowledge:
        lines.append(f"{said['ack']}: {links.acknowledge}")
    lines.append(f"{said['id']}: {notice.id}")
    again = "【可能重複】" if notice.repeat else ""
    return Message(f"{first}{again}{title}", first + "\n".join([*head, *lines]))


def _title(notice: Notice, language: Language) -> str:
    said, data = _WORDS[language], notice.data
    level = said["life"] if notice.life_safety else _PRIORITY[language][notice.priority - 1]
    if notice.kind == "cleared":
        level = said["cleared"]
    elif notice.kind == "escalated":
        level = f"{level} · {said['escalated']}"
    place = _said(data["where"][0], language) if data.get("where") else ""
    return f"【{level}】{place} {_said(data['text'], language)}".strip()


def _lines(notice: Notice, language: Language, zone: ZoneInfo) -> list[str]:
    said, data = _WORDS[language], notice.data
    level = f"{notice.priority} {_PRIORITY[language][notice.priority - 1]}"
    if notice.life_safety:
        level = f"{said['life']} · {level}"
    if (value := _value(data)) != "":
        level += f" · {said['value']} {value}"
        if data.get("limit") is not None:
            level += f" · {said['limit']} {data['limit']:g} {data.get('unit', '')}".rstrip()
    lines = [
        f"{said['what']}: {_said(data['text'], language)}",
        f"{said['where']}: {' · '.join(_said(part, language) for part in data.get('where', ()))}",
        f"{said['bad']}: {level}",
    ]
    for word, key in (("reason", "reason"), ("effect", "consequence"), ("do", "action")):
        text = data.get(key) or ""
        text = text if isinstance(text, str) else _said(text, language)
        if text:
            lines.append(f"{said[word]}: {text}")
    for word, key in (("at", "raised_ns"), ("by", "respond_by_ns"), ("over", "returned_ns")):
        if data.get(key) is not None:
            lines.append(f"{said[word]}: {local(data[key], zone):%Y-%m-%d %H:%M:%S}")
    return lines


def _storm(notice: Notice, language: Language) -> tuple[str, list[str]]:
    said, count = _WORDS[language], int(notice.data["count"])
    number = said["count"].format(n=count)
    level = _PRIORITY[language][notice.priority - 1]
    lines = []
    for item in notice.data["items"][:_LISTED]:
        place = _said(item["where"][0], language) if item.get("where") else ""
        lines.append(f"- {_PRIORITY[language][item['priority'] - 1]} {place} {_said(item['text'], language)}".strip())
    if count > len(lines):
        lines.append(said["more"].format(n=count - len(lines)))
    return f"【{level}】{said['storm']} {number}", lines


def push_payload(
    notice: Notice, language: Language, links: Links, *, receipt: str, names: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a push message carries: short, without personal data, and without values for security alarms.

    Args:
        notice: what is said.
        language: of the phone's user.
        links: as paths of the control room.
        receipt: by which the phone says that it came; empty for none.
        names: words of the notification's buttons, `acknowledge` and `open`.
    """
    said = _WORDS[language]
    if notice.kind in ("post", "test"):
        title, body = _said(notice.data["title"], language), _said(notice.data["body"], language)
    elif notice.kind == "group":
        title, lines = _storm(notice, language)
        body = "\n".join(lines[:4])
    else:
        title = _title(notice, language)
        body = _said(notice.data["action"], language)
        value = _value(notice.data)
        if notice.data.get("system") not in _SECURITY and value and notice.kind != "cleared":
            body = f"{said['value']} {value}\n{body}"
        if notice.kind == "cleared":
            body = " · ".join(_said(part, language) for part in notice.data.get("where", ()))
    if notice.repeat:
        body = f"{said['repeat']}\n{body}"
    first = mark(notice.data)
    return {
        "id": notice.id,
        "tag": topic(notice.alarm or notice.id),
        "kind": notice.kind,
        "title": _short(f"{first}{title}", 120),
        "body": _short(f"{first}{body.strip()}", 400),
        "lang": "zh-Hant-TW" if language == "zh" else "en",
        "see": links.see,
        "acknowledge": links.acknowledge,
        "receipt": receipt,
        "stays": notice.urgent and notice.kind in ("raised", "escalated", "post"),
        "names": dict(names),
    }


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _said(name: Mapping[str, str], language: Language) -> str:
    return name.get(language) or name.get("zh") or ""


def _value(data: Mapping[str, Any]) -> str:
    value = data.get("value")
    return "" if value is None else f"{value:g} {data.get('unit', '')}".strip()
