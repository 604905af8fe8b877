"""What demand limiting says of itself, in both languages: sentences, key figures, the state of each item."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from controller.point.model import Name
from controller.point.reason import both
from controller.strategy.strategy import Figure, Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.strategy.shed import Hold, Item, Verdict
    from controller.strategy.window import Forecast

__all__ = [
    "ahead",
    "excess",
    "figures",
    "meter_contradicted",
    "meter_unknown",
    "need",
    "part",
    "sentence",
    "shed",
    "unplanned",
    "waiting",
]

_TIRED = {
    "day": Name("今日卸載次數已達上限", "shed as often as a day allows"),
    "hour": Name("本小時卸載時間已達上限", "shed as long as an hour allows"),
    "resting": Name("卸載後休息中", "rests after a shed"),
}


def meter_unknown(meter: str) -> Name:
    """Return why there is no power."""
    return Name(
        f"總表讀值不明（{meter}），已退讓，設備回到排程或預設值",
        f"The main meter is not known ({meter}): stepped back, equipment is on schedule or default",
    )


def meter_contradicted(meter: str, kw: float, total: float) -> Name:
    """Return why the power is not believed. No figures that wander: the timeline has a line a reason."""
    big = "低於" if kw < total else "高於"
    small = "below" if kw < total else "above"
    return Name(
        f"總表（{meter}）{big}低壓總盤合計，讀值互相矛盾，已退讓",
        f"The main meter ({meter}) is far {small} the sum of the low-voltage mains: stepped back, one of them is wrong",
    )


def waiting(meter: str) -> Name:
    """Return that one reading is missing and the last decision holds for a moment."""
    return Name(f"等待總表讀值（{meter}）", f"Waiting for the main meter ({meter})")


def need(seen: Forecast, limit_kw: float) -> Name:
    """Return why something is shed."""
    return Name(
        f"本時段預測 {seen.mean_kw:,.0f} kW，上限 {limit_kw:,.0f} kW",
        f"forecast of this window {seen.mean_kw:,.0f} kW, limit {limit_kw:,.0f} kW",
    )


def ahead(limit_kw: float) -> Name:
    """Return why something is shed by plan."""
    return Name(
        f"依未來三小時預測之計畫，上限 {limit_kw:,.0f} kW",
        f"by plan for the next three hours, limit {limit_kw:,.0f} kW",
    )


def shed(item: Item, level: int, why: Name) -> Name:
    """Return the reason of a slot."""
    group = item.group
    given = group.levels[level - 1]
    if group.kind == "raise":
        zh, en = f"設定值 +{given:g} {group.unit}", f"set-point +{given:g} {group.unit}"
    else:
        zh, en = f"上限 {given:g} {group.unit}", f"at most {given:g} {group.unit}"
    most = Name("", "")
    if math.isfinite(group.minutes_per_hour):
        minutes = f"{group.minutes_per_hour:g}"
        most = Name(f"；每小時最多 {minutes} 分", f"; at most {minutes} min an hour")
    return Name(f"需量控制卸載：{zh}；{why.zh}{most.zh}", f"demand limiting: {en}; {why.en}{most.en}")


def sentence(
    seen: Forecast, limit_kw: float, contract_kw: float, holds: Mapping[str, Hold], *, exhausted: bool
) -> Name:
    """Return the sentence of a decision."""
    mean, limit = f"{seen.mean_kw:,.0f}", f"{limit_kw:,.0f}"
    kw = f"{sum(hold.kw for hold in holds.values()):,.0f}"
    if exhausted:
        over = f"{seen.mean_kw - contract_kw:,.0f}"
        return Name(
            f"本時段預測 {mean} kW，超過契約 {over} kW；可卸載項目已用盡（已卸載 {len(holds)} 項，約 {kw} kW）",
            f"This window will reach {mean} kW, {over} kW over contract, and nothing is left to shed "
            f"({_items(holds)} shed, about {kw} kW)",
        )
    if holds and seen.mean_kw > limit_kw:
        return Name(
            f"本時段預測 {mean} kW，超過上限 {limit} kW；已卸載 {len(holds)} 項，約 {kw} kW",
            f"This window would reach {mean} kW, above the limit of {limit} kW; {_items(holds)} shed, about {kw} kW",
        )
    if holds:
        return Name(
            f"已卸載 {len(holds)} 項，約 {kw} kW；本時段預測 {mean} kW，在上限 {limit} kW 以內",
            f"{_items(holds)} shed, about {kw} kW; this window will reach {mean} kW, within the limit of {limit} kW",
        )
    if seen.mean_kw > limit_kw:
        return Name(
            f"本時段預測 {mean} kW，超過上限 {limit} kW；確認趨勢中",
            f"This window would reach {mean} kW, above the limit of {limit} kW; waiting whether that lasts",
        )
    return Name(
        f"本時段預測 {mean} kW，低於上限 {limit} kW，不需卸載",
        f"This window will reach {mean} kW, below the limit of {limit} kW: nothing to shed",
    )


def _items(holds: Mapping[str, Hold]) -> str:
    return "1 item" if len(holds) == 1 else f"{len(holds)} items"


def excess(seen: Forecast, contract_kw: float, cost: float) -> str:
    """Return what the excess is and costs, for the alarm.

    `cost` is what the month pays more if this window becomes its highest, NT$; NaN or 0: not said.
    """
    over = max(0.0, seen.mean_kw - contract_kw)
    said = f"預測 {seen.mean_kw:,.0f} kW，契約 {contract_kw:,.0f} kW，超約 {over:,.0f} kW"
    english = f"forecast {seen.mean_kw:,.0f} kW, contract {contract_kw:,.0f} kW, {over:,.0f} kW over"
    if cost > 0.0:
        said += f"，若成為本月最高需量約 NT$ {cost:,.0f}"
        english += f", about NT$ {cost:,.0f} if it is the month's highest"
    return both(Name(said, english))


def unplanned(why: Name) -> Name:
    """Return a sentence that also says that no plan came."""
    return Name(
        f"{why.zh}；三小時計畫未更新，暫僅依本時段決定",
        f"{why.en}; no plan of the next three hours came, so this window alone decides",
    )


def figures(
    seen: Forecast | None, contract_kw: float, limit_kw: float, shed_kw: float, ahead_kw: float | None = None
) -> tuple[Figure, ...]:
    """Return the key numbers; `ahead_kw` is the highest window that a plan expects, None where nothing is planned."""
    none = math.nan
    planned = (
        ()
        if ahead_kw is None
        else (
            Figure(
                "ahead", Name("三小時內最高時段（依計畫）", "Highest window in three hours, by plan"), ahead_kw, "kW"
            ),
        )
    )
    return (
        Figure("forecast", Name("本時段預測", "Forecast of this window"), seen.mean_kw if seen else none, "kW"),
        Figure("used", Name("本時段至今平均", "Mean of this window so far"), seen.used_kw if seen else none, "kW"),
        Figure("power", Name("預期功率", "Expected power"), seen.power_kw if seen else none, "kW"),
        Figure("allowed", Name("本時段剩餘可用功率", "Allowed for the rest"), seen.allowed_kw if seen else none, "kW"),
        Figure("limit", Name("控制上限", "Limit"), limit_kw, "kW"),
        Figure("contract", Name("契約容量", "Contract capacity"), contract_kw, "kW"),
        Figure("shed", Name("已卸載（估計）", "Shed (estimate)"), shed_kw, "kW"),
        Figure("elapsed", Name("本時段已過", "Elapsed of this window"), seen.elapsed_s if seen else none, "s"),
        Figure("unseen", Name("本時段未量測", "Not measured in this window"), seen.unseen_s if seen else none, "s"),
        *planned,
    )


def part(item: Item, hold: Hold | None, said: Verdict, tired: str, seconds: float, starts: int, now: float) -> Part:
    """Return an item of the shed list with its state."""
    group = item.group
    note = said.why
    if hold is not None:
        state, note = "shed", hold.why
    elif tired:
        state, note = "resting", _TIRED[tired]
    else:
        state = said.word
    found = [
        Figure("minutes", Name("本小時已卸載", "Shed this hour"), seconds / 60.0, "min"),
        Figure("starts", Name("今日次數", "Times today"), float(starts)),
    ]
    if math.isfinite(said.margin_k):
        found.append(Figure("margin", Name("距舒適上限", "To the comfort limit"), said.margin_k, "K"))
    if hold is not None:
        found.append(Figure("kw", Name("卸載（估計）", "Shed (estimate)"), hold.kw, "kW"))
        found.append(Figure("level", Name("卸載量", "Level"), group.levels[hold.level - 1], group.unit))
        found.append(Figure("for", Name("已卸載", "Shed for"), (now - hold.since) / 60.0, "min"))
    return Part(item.point, item.name, state, (item.point,), note, tuple(found), group.name)
