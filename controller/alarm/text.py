"""Texts of alarms for which the site wrote none, in zh-TW and English."""

from __future__ import annotations

from controller.point.model import Name

__all__ = ["describe"]

_WORDS = {
    "high_high": Name("超過上上限", "very high"),
    "high": Name("超過上限", "high"),
    "low": Name("低於下限", "low"),
    "low_low": Name("低於下下限", "very low"),
}


def describe(kind: str, thing: Name, point: Name | None = None, states: tuple[Name, ...] = ()) -> Name:
    """Return the text of an alarm.

    Args:
        kind: kind of the alarm, one of `controller.alarm.definition.KINDS`.
        thing: name of the equipment, or of the device for a communication alarm.
        point: name of the point; None for a communication alarm.
        states: names of the states that raise a state alarm.

    Raises:
        ValueError: a point's alarm without a point.
    """
    if kind == "communication":
        return Name(f"{thing.zh} 通訊中斷", f"{thing.en}: communication lost")
    if point is None:
        raise ValueError(f"an alarm of kind {kind!r} needs the name of its point")
    if kind == "state":
        if not states:
            return Name(f"{thing.zh} {point.zh} 異常", f"{thing.en}: {point.en}, abnormal state")
        zh = "、".join(state.zh for state in states)
        en = " or ".join(state.en for state in states)
        return Name(f"{thing.zh} {point.zh}：{zh}", f"{thing.en}: {point.en}: {en}")
    word = _WORDS[kind]
    return Name(f"{thing.zh} {point.zh} {word.zh}", f"{thing.en}: {point.en} {word.en}")
