"""What the people of a drill are told by message: its start, injects, its end, and what is real. Pure.

The mark comes first in title and body and is put there by `controller.notify.message`: 演練 DRILL, or 真實 REAL for the
end by a real signal. That one has no word of a drill in it, so that nobody takes it for a part of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from controller.drill.course import Cause
from controller.drill.scenario import Level
from controller.drill.words import WORDS
from controller.notify.notice import EXERCISE
from controller.point.model import Name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from controller.drill.course import Drill, Entry
    from controller.drill.signal import Signal

__all__ = ["DrillNotice", "end_key", "prefix", "told"]

_SIGNALS = 3
"""Real signals that a message names."""


@dataclass(frozen=True, slots=True)
class DrillNotice:
    """One message to the people of a drill."""

    drill: str
    key: str
    """Of `Notifier.post`: the same one is sent once to each contact."""
    to: tuple[str, ...]
    """`contact:<id>` and `duty:<id>`."""
    title: Name
    body: Name
    see: str
    """Path of the page where it is shown."""
    end: bool = False
    real: bool = False
    """It ended by a real signal: a message of life safety, and none of a drill."""


def prefix(drill: str) -> str:
    """Return with what every key of a drill begins."""
    return f"{EXERCISE}{drill}/"


def end_key(drill: str) -> str:
    """Return the key of the message that a drill is over."""
    return f"{prefix(drill)}end"


def told(drill: Drill, entry: Entry, zone: ZoneInfo) -> DrillNotice | None:
    """Return the message of one line of a drill's record; None where nobody is told of it.

    At the table (桌上演練) injects are said to those who sit there; a simulated drill sends them to phones too.
    """
    if entry.kind == "started" and drill.scenario.notify:
        return _start(drill, zone)
    if entry.kind == "inject":
        return _inject(drill, entry, zone)
    if entry.kind == "ended":
        to = dict.fromkeys(drill.scenario.notify)
        if drill.level is Level.SIMULATED:
            given = dict(drill.given)
            to |= dict.fromkeys(one for inject in drill.scenario.injects if inject.id in given for one in inject.notify)
        if to:
            return _real(drill, tuple(to), zone) if drill.cause is Cause.REAL else _end(drill, tuple(to), zone)
    return None


def _start(drill: Drill, zone: ZoneInfo) -> DrillNotice:
    began, end = (
        _clock(drill.started_ns or 0, zone),
        _clock((drill.started_ns or 0) + round(drill.length_s * 1e9), zone),
    )
    name, place = drill.scenario.name, drill.scenario.floor
    table = drill.level is Level.TABLE_TOP
    title = Name(
        f"{'桌上演練' if table else '模擬演練'}開始：{name.zh}",
        f"{'table-top' if table else 'simulated'} begins: {name.en}",
    )
    what = Name(
        "只在桌上討論：請留在原位，不疏散。" if table else "請依演練計畫行動；樓層引導員請開啟「樓層點名」。",
        "It is spoken through at a table: stay where you are, nobody evacuates."
        if table
        else "Act as the plan of the drill says; floor wardens open the page Floor muster.",
    )
    body = Name(
        f"{began} 開始，最晚 {end} 結束。模擬起火處：{place}。{what.zh}不動任何設備。"
        "若有真實訊號，演練立即結束，並以「真實 REAL」通知。",
        f"Begins {began}, ends {end} at the latest. The fire is played on {place}. {what.en} No equipment moves. "
        "Anything real ends it at once and is told with 真實 REAL first.",
    )
    see = f"/drills/{drill.id}" if table else "/warden"
    return DrillNotice(drill.id, f"{prefix(drill.id)}start", drill.scenario.notify, title, body, see)


def _inject(drill: Drill, entry: Entry, zone: ZoneInfo) -> DrillNotice | None:
    inject = next((one for one in drill.scenario.injects if one.id == entry.data.get("inject")), None)
    if inject is None or not inject.notify or drill.level is not Level.SIMULATED:
        return None
    at = _clock(entry.time_ns, zone)
    answer = Name("", "")
    if inject.answer_s is not None:
        minutes = f"{inject.answer_s / 60:g}"
        team = Name(*(WORDS[language].get(f"team.{inject.team}", "") for language in ("zh", "en")))
        answer = Name(f"{team.zh}請於 {minutes} 分內回報。", f"Answer within {minutes} min{_of(team.en)}.")
    return DrillNotice(
        drill.id,
        f"{prefix(drill.id)}inject/{inject.id}",
        inject.notify,
        Name(f"狀況：{inject.text.zh}", f"inject: {inject.text.en}"),
        Name(f"{at} 狀況發布，非真實。{answer.zh}", f"Given {at}; it is not real. {answer.en}".strip()),
        f"/drills/{drill.id}",
    )


def _of(team: str) -> str:
    return f" ({team})" if team else ""


def _end(drill: Drill, to: tuple[str, ...], zone: ZoneInfo) -> DrillNotice:
    at, why = _clock(drill.ended_ns or 0, zone), drill.ended_why
    cause = Name(*(WORDS[language][f"cause.{drill.cause}"] for language in ("zh", "en")))
    return DrillNotice(
        drill.id,
        end_key(drill.id),
        to,
        Name(f"結束（{cause.zh}）：{drill.scenario.name.zh}", f"ended ({cause.en}): {drill.scenario.name.en}"),
        Name(
            f"{at} 結束{f'：{why}' if why else ''}。尚未傳送的點名請照常傳送，並依現場指揮復原。",
            f"Ended {at}{f': {why}' if why else ''}. Send what you counted and have not sent; restore as you are told.",
        ),
        f"/drills/{drill.id}",
        end=True,
    )


def _real(drill: Drill, to: tuple[str, ...], zone: ZoneInfo) -> DrillNotice:
    at = _clock(drill.ended_ns or 0, zone)
    public = [signal.public() for signal in drill.real]
    fire = any(signal.kind == "fire" for signal in public)
    where = Name(*(_named(public, language, drill.real) for language in ("zh", "en")))
    return DrillNotice(
        drill.id,
        end_key(drill.id),
        to,
        Name(f"{'火警' if fire else '告警'} {where.zh}".strip(), f"{'fire' if fire else 'alarm'} {where.en}".strip()),
        Name(
            f"這是真實狀況。{at} 起，先前宣布的活動已終止，請立即依真實狀況應變。{where.zh}",
            f"This is real. What was announced before is over since {at}; act now as in a real emergency. {where.en}",
        ),
        "/fire" if fire else "/alarms",
        end=True,
        real=True,
    )


def _named(signals: Sequence[Signal], language: str, of: Sequence[Signal]) -> str:
    """Return where and what, fires first; of a duress neither."""
    fires = sorted(signals, key=lambda signal: signal.kind != "fire")
    words = []
    for signal in fires[:_SIGNALS]:
        parts = (signal.floor, getattr(signal.place, language), getattr(signal.text, language))
        words.append(" ".join(part for part in parts if part))
    more = len(of) - _SIGNALS
    said = ("、" if language == "zh" else ", ").join(word for word in words if word)
    if more > 0:
        said += f"，另有 {more} 件" if language == "zh" else f", and {more} more"
    return said


def _clock(time_ns: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).astimezone(zone):%H:%M:%S}"
