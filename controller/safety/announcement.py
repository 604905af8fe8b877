"""What is said in a fire: the words of the emergency broadcast (廣播詞) and what 119 asks (119 摘要). Pure functions.

Both are made from what the controller knows at that moment and from nothing else. What it does not know is in the
summary as unknown (不明), never left out: who reads it out must not fill the gap from habit. Nothing is said for a
drill: these are the words of a real fire alone.

The questions of 119 (what, where, since when, which floor, anybody trapped, who calls back) are those of the National
Fire Agency's advice for callers (內政部消防署, 119 報案要領).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from controller.point.model import Name
from controller.safety.fire import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from controller.safety.cause import Call

__all__ = ["DOUBTS", "BurningZone", "FireFacts", "announcement", "summary"]

_SHOWN = 5
_ROC = 1911
"""The year before the first of the Republic (民國元年 is 1912)."""
DOUBTS: Mapping[Reason, Name] = {
    Reason.NOT_READ: Name("總機或分區讀不到", "the panel or a zone cannot be read"),
    Reason.RELAY_LOST: Name("火警繼電器讀不到", "the fire relay cannot be read"),
    Reason.LINK_LOST: Name("總機心跳停止", "the panel's heartbeat stands still"),
    Reason.WALK_TEST: Name("總機或分區測試中", "panel or zone under test"),
    Reason.ISOLATED: Name("有分區隔離", "a zone is isolated"),
    Reason.ZONE_DENIED: Name("分區與總機彙總不符", "zone and panel summary disagree"),
    Reason.RELAY_DENIED: Name("繼電器報火警，總機不符", "the relay says fire, the panel does not"),
    Reason.COUNT_DENIED: Name("火警分區數不符", "the number of zones in fire disagrees"),
}
"""Why the status is not fully known."""


@dataclass(frozen=True, slots=True)
class BurningZone:
    """A zone that has been in fire."""

    name: Name
    floor: str
    since_ns: int


@dataclass(frozen=True, slots=True)
class FireFacts:
    """What is known when the words are made; times in ns UTC."""

    now_ns: int
    zone: tzinfo
    """Local time of the site."""
    site: Name
    since_ns: int
    zones: Sequence[BurningZone] = ()
    """In the order in which they came; none: nobody knows where it is."""
    everywhere: bool = False
    """There was a sign of fire that no zone showed: it may be in another place as well."""
    doubts: Sequence[Reason] = ()
    """Why the status is not fully known; empty when it is."""
    reset_ns: int | None = None
    address: Name | None = None
    entrance: Name | None = None
    """Where fire engines come in."""
    assembly: Sequence[Name] = ()
    """Assembly points of the floors in fire."""
    people: Mapping[str, int] | None = None
    """Holders of cards by floor, `""` for those between floors; None when it is not known."""
    outside_view: bool = False
    """True: there are floors whose people the asker may not see, so the count is not whole."""
    effects: tuple[int, int] = (0, 0)
    """Of the building's own reactions: seen, expected."""
    wrong: Sequence[Name] = ()
    """Those that did not come or cannot be seen."""
    calls: Sequence[Call] = ()
    """Whom to call."""


def announcement(facts: FireFacts) -> Name:
    """Return the words of the emergency broadcast, to be read out twice."""
    floors = _floors(facts)
    zh_where, en_where = ("、".join(floors), _listed(floors)) if floors else ("（位置不明）", "(place not known)")
    zh_more, en_more = ("，其他位置不明", ", and perhaps elsewhere") if facts.everywhere and floors else ("", "")
    zh_meet = (
        f"請到{'、'.join(one.zh for one in facts.assembly)}集合。" if facts.assembly else "請依避難引導人員指示集合。"
    )
    en_meet = (
        f"Go to {_listed([one.en for one in facts.assembly])}."
        if facts.assembly
        else "Assemble where the evacuation team sends you."
    )
    return Name(
        f"各位同仁、各位市民請注意：{facts.site.zh} {zh_where} 發生火警{zh_more}。這是真實火警，不是演練。"
        "請保持冷靜，立即停止作業，依避難引導人員指示由最近的安全梯疏散，不要搭乘電梯，不要返回取物。"
        f"濃煙時請壓低姿勢、沿牆前進。{zh_meet}",
        f"Attention please. There is a fire at {facts.site.en}, {en_where}{en_more}. This is a real fire, not a drill. "
        "Stay calm, stop what you are doing, follow the evacuation team and leave by the nearest stairs. Do not use "
        f"the lifts. Do not go back for belongings. In smoke stay low and follow the wall. {en_meet}",
    )


def summary(facts: FireFacts) -> Name:
    """Return what 119 asks, one line a question."""
    lines = [
        _what(facts),
        _line("地點", "Where", _place(facts)),
        _line("位置", "Floor and zone", _zones(facts)),
        _line("時間", "Since", _since(facts)),
        _line("人數", "People", _people(facts)),
        Name("受困、受傷：不明", "Trapped or injured: unknown"),
        Name("燃燒物：不明", "What burns: unknown"),
        _line("連動", "Building's reaction", _reaction(facts)),
        _line("消防車入口", "Entrance for fire engines", facts.entrance or _UNKNOWN),
        _line("聯絡", "Call back", _calls(facts)),
        _line(
            "資料時間", "As of", Name(_moment(facts, facts.now_ns, roc=True), _moment(facts, facts.now_ns, roc=False))
        ),
    ]
    return Name("\n".join(line.zh for line in lines), "\n".join(line.en for line in lines))


_UNKNOWN = Name("不明", "unknown")


def _line(zh: str, en: str, said: Name) -> Name:
    return Name(f"{zh}：{said.zh}", f"{en}: {said.en}")


def _what(facts: FireFacts) -> Name:
    zh, en = "火警，火警受信總機信號；現場查證：不明", "fire, told by the fire panel; seen on site: unknown"
    if facts.reset_ns is not None:
        at = _clock(facts, facts.reset_ns)
        zh, en = f"{zh}；總機已於 {at} 復歸，應變未解除", f"{en}; the panel was reset at {at}, not stood down"
    if facts.doubts:
        doubts = [DOUBTS[one] for one in facts.doubts]
        zh += f"；火警狀態不明（{'、'.join(one.zh for one in doubts)}）"
        en += f"; fire status unknown ({', '.join(one.en for one in doubts)})"
    return _line("事由", "What", Name(zh, en))


def _place(facts: FireFacts) -> Name:
    address = facts.address or Name("地址不明", "address unknown")
    return Name(f"{facts.site.zh}，{address.zh}", f"{facts.site.en}, {address.en}")


def _zones(facts: FireFacts) -> Name:
    if not facts.zones:
        return _UNKNOWN
    shown, more = facts.zones[:_SHOWN], len(facts.zones) - _SHOWN
    zh = "、".join(f"{one.name.zh}（{_clock(facts, one.since_ns)}）" for one in shown)
    en = ", ".join(f"{one.name.en} ({_clock(facts, one.since_ns)})" for one in shown)
    if more > 0:
        zh, en = f"{zh}，另 {more} 個分區", f"{en} and {more} more zones"
    if facts.everywhere:
        zh, en = f"{zh}；其他位置不明", f"{en}; perhaps elsewhere, unknown"
    return Name(zh, en)


def _since(facts: FireFacts) -> Name:
    passed = max(0, facts.now_ns - facts.since_ns) // 60_000_000_000
    return Name(
        f"{_moment(facts, facts.since_ns, roc=True)} 起，已 {passed} 分",
        f"{_moment(facts, facts.since_ns, roc=False)}, {passed} min ago",
    )


def _people(facts: FireFacts) -> Name:
    if not facts.people:
        return _UNKNOWN
    zh, en = [], []
    floors = _floors(facts)
    for floor in (*floors, *sorted(facts.people.keys() - {*floors, ""}, key=_height, reverse=True)):
        count = facts.people.get(floor, 0)
        zh.append(f"{floor} {count}" if count else f"{floor} 不明（無刷卡紀錄）")
        en.append(f"{floor} {count}" if count else f"{floor} unknown (no cards)")
    if between := facts.people.get("", 0):
        zh.append(f"樓層不明 {between}")
        en.append(f"floor unknown {between}")
    gaps_zh, gaps_en = "不含訪客", "visitors not counted"
    if facts.outside_view:
        gaps_zh, gaps_en = f"{gaps_zh}及無權限查看的區域", f"{gaps_en}, nor areas that you may not see"
    return Name(f"{'、'.join(zh)}（依門禁刷卡，{gaps_zh}）", f"{', '.join(en)} (by cards at the doors; {gaps_en})")


def _reaction(facts: FireFacts) -> Name:
    seen, wanted = facts.effects
    if not wanted:
        return _UNKNOWN
    zh, en = f"已動作 {seen} / {wanted}", f"{seen} of {wanted} seen"
    if facts.wrong:
        more = len(facts.wrong) - _SHOWN
        zh += f"；未動作或不明：{'、'.join(one.zh for one in facts.wrong[:_SHOWN])}"
        en += f"; not seen or unknown: {', '.join(one.en for one in facts.wrong[:_SHOWN])}"
        if more > 0:
            zh, en = f"{zh}，另 {more} 項", f"{en} and {more} more"
    return Name(zh, en)


def _calls(facts: FireFacts) -> Name:
    if not facts.calls:
        return _UNKNOWN
    zh = "、".join(f"{one.name.zh} {one.number or '電話不明'}" for one in facts.calls)
    en = ", ".join(f"{one.name.en} {one.number or 'number unknown'}" for one in facts.calls)
    return Name(zh, en)


def _floors(facts: FireFacts) -> list[str]:
    """Return the floors in fire, each once, the first that burned first."""
    return list(dict.fromkeys(one.floor for one in facts.zones if one.floor))


def _height(floor: str) -> tuple[int, int]:
    """Return what sorts floors from the lowest: B3 … B1, 1F …, RF and other words last."""
    if floor.startswith("B") and floor[1:].isdigit():
        return 0, -int(floor[1:])
    if floor.endswith("F") and floor[:-1].isdigit():
        return 1, int(floor[:-1])
    return 2, 0


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _local(facts: FireFacts, time_ns: int) -> datetime:
    return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time_ns // 1000)).astimezone(facts.zone)


def _clock(facts: FireFacts, time_ns: int) -> str:
    return f"{_local(facts, time_ns):%H:%M:%S}"


def _moment(facts: FireFacts, time_ns: int, *, roc: bool) -> str:
    at = _local(facts, time_ns)
    return f"{at.year - _ROC}/{at:%m/%d %H:%M:%S}" if roc else f"{at:%Y-%m-%d %H:%M:%S}"
