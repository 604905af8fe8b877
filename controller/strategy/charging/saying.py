"""What the charging strategy says, in both languages: why, each charger's state, its alarms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from controller.alarm.definition import AlarmDefinition
from controller.point.model import Name
from controller.strategy.charging.demand import Rank
from controller.strategy.strategy import Figure, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import tzinfo

    from controller.strategy.charging.charger import Charger
    from controller.strategy.charging.demand import Demand
    from controller.strategy.charging.outlook import Outlook
    from controller.strategy.charging.session import Session

__all__ = ["ALARMS", "HELD", "NAME", "RANKS", "Row", "at_risk", "figures", "lost", "reason", "sentence"]

NAME = Name("智慧充電", "Smart charging")
RANKS = {
    Rank.FLEET: Name("公務車", "official car"),
    Rank.PRIORITY: Name("托育或身心障礙車位", "childcare or disabled bay"),
    Rank.STAFF: Name("員工", "staff"),
    Rank.VISITOR: Name("訪客", "visitor"),
}
_RELAXED = {
    "smoothness": Name("功率平順", "smoothness"),
    "unbalance": Name("三相平衡", "phase balance"),
    "visitor": Name("訪客電量", "energy of visitors"),
    "staff": Name("員工電量", "energy of staff"),
    "priority": Name("托育與身心障礙車位電量", "energy of childcare and disabled bays"),
    "fleet": Name("公務車電量", "energy of official cars"),
}
HELD = Name("較高優先權掌握中，保留原值待其釋放", "a stronger slot holds it; this value waits for its release")
_SHORT_KWH = 0.5
"""Less than this that a car will lack is not worth an alarm."""
_NAMED = 4


def _alarm(word: str, priority: int, text: Name, consequence: Name, action: Name) -> AlarmDefinition:
    name = f"strategy#charging-{word}"
    return AlarmDefinition(
        name, "system", device=name, priority=priority, on_delay_s=60.0, off_delay_s=60.0, text=text,
        consequence=consequence, action=action, respond_s=1800.0, system="ev",
    )  # fmt: skip


ALARMS = (
    _alarm(
        "short",
        3,
        Name("有車輛離場前充不飽", "Cars will not be charged when they leave"),
        Name("容量不足，所列車輛將缺少所列電量", "There is not enough room; the cars named will lack the energy named"),
        Name(
            "1. 確認離場時間 2. 公務車改派或改用直流充電樁 3. 檢查限制迴路的其他負載",
            "1. Check the departure times 2. Send another official car or use a DC charger 3. Look at other loads of "
            "the circuit that limits",
        ),
    ),
    _alarm(
        "plan",
        4,
        Name("充電計畫無法更新", "The charging plan cannot be renewed"),
        Name(
            "依序位與餘裕時間分配，仍守所有上限，但不求最省",
            "Cars are served by rank and by who has least time; all limits hold, the cost is not the least",
        ),
        Name(
            "依原因檢查工作程序；可先停用此策略", "See the reason and the job process; the strategy can be switched off"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A charger and what is known of it."""

    charger: Charger
    name: Name
    there: bool | None
    """A car is plugged in; None: not known."""
    masked: bool
    """A stronger slot holds it."""
    session: Session | None = None
    demand: Demand | None = None
    rank: Rank | None = None
    leaves_ns: int = 0
    planned_kw: float | None = None
    value: float | None = None
    """What it is told, in its unit."""
    short_kwh: float = 0.0

    def state(self) -> str:
        """Return its word: `unknown`, `held`, `free`, `short`, `charging`, `waiting` or `content`."""
        if self.there is None:
            return "unknown"
        if self.masked:
            return "held"
        if not self.there or self.session is None:
            return "free"
        if self.demand is None:
            return "content"
        if self.short_kwh >= _SHORT_KWH:
            return "short"
        return "charging" if self.value else "waiting"

    def part(self, zone: tzinfo, now_ns: int) -> Part:
        """Return it as a part of the decision."""
        session, demand = self.session, self.demand
        rows = []
        if session is not None:
            rows.append(_figure("delivered", "已充", "delivered", session.kwh, "kWh"))
        if session is not None and demand is not None:
            rows.append(_figure("wanted", "尚需", "still wanted", demand.kwh, "kWh"))
            rows.append(_figure("leaves", "距離場", "leaves in", (self.leaves_ns - now_ns) / 3.6e12, "h"))
            rows.append(_figure("planned", "計畫功率", "planned", self._planned(), "kW"))
            rows.append(_figure("short", "將缺", "will lack", self.short_kwh, "kWh"))
        points = tuple(one for one in (self.charger.limit, self.charger.enable) if one)
        return Part(self.charger.id, self.name, self.state(), points, self._note(zone), tuple(rows))

    def _planned(self) -> float:
        return math.nan if self.planned_kw is None else self.planned_kw

    def _note(self, zone: tzinfo) -> Name | None:
        if self.session is None or self.rank is None:
            return None
        who, car = RANKS[self.rank], self.session.car
        plate = f" {car.plate}" if car is not None else ""
        leaves = datetime.fromtimestamp(self.leaves_ns // 1_000_000_000, zone).strftime("%m/%d %H:%M")
        return Name(f"{who.zh}{plate}，{leaves} 離場", f"{who.en}{plate}, leaves {leaves}")


def _figure(word: str, zh: str, en: str, value: float, unit: str) -> Figure:
    return Figure(word, Name(zh, en), round(value, 2), unit)


def reason(charger: Charger, demand: Demand | None, planned_kw: float | None, value: float) -> Name:
    """Return why a charger has its value now."""
    if demand is None:
        if value > 0.0:
            return Name("無充電需求，給最小值備用", "Nobody wants energy: the least, ready for who comes")
        return Name("無充電需求，且無餘裕", "Nobody wants energy, and there is no room")
    who = RANKS[demand.rank]
    want_zh, want_en = f"尚需 {demand.kwh:.1f} kWh", f"{demand.kwh:.1f} kWh wanted"
    if planned_kw is None:
        return Name(f"{who.zh}，{want_zh}；計畫尚未算出", f"{who.en}, {want_en}; no plan yet")
    unit = charger.unit
    if value <= 0.0:
        if planned_kw <= 0.0:
            return Name(f"{who.zh}，{want_zh}；計畫稍後再充", f"{who.en}, {want_en}; the plan has it later")
        return Name(f"{who.zh}，{want_zh}；目前迴路無餘裕", f"{who.en}, {want_en}; its circuit has no room now")
    return Name(
        f"{who.zh}，{want_zh}；計畫 {planned_kw:.1f} kW，設 {value:g} {unit}",
        f"{who.en}, {want_en}; planned {planned_kw:.1f} kW, set to {value:g} {unit}",
    )


def lost(meter: str) -> Name:
    """Return why it steps back: the meter of the contract."""
    return Name(
        f"契約電表 {meter} 讀值不可信，已退讓；充電樁回到預設值",
        f"the meter of the contract, {meter}, is not to be believed; chargers go to their defaults",
    )


def sentence(cars: int, kw: float, room_kw: float, outlook: Outlook | None, *, waits: bool) -> Name:
    """Return why, in one sentence with the numbers that decided."""
    if not cars:
        return Name("沒有車輛需要充電", "No car wants energy")
    zh = f"{cars} 輛車需充電，目前給 {kw:.0f} kW，契約可用 {room_kw:.0f} kW"
    en = f"{cars} cars want energy; they get {kw:.0f} kW of the {room_kw:.0f} kW that the contract leaves"
    if outlook is None:
        if waits:
            return Name(f"{zh}；計畫計算中", f"{en}; the plan is being made")
        return Name(f"{zh}；無計畫，依序位與餘裕時間分配", f"{en}; without a plan, by rank and by who has least time")
    plan = outlook.plan
    if plan.relaxed:
        zh += "；放寬" + "、".join(_RELAXED[one].zh for one in plan.relaxed)
        en += "; relaxed: " + ", ".join(_RELAXED[one].en for one in plan.relaxed)
    if not outlook.price:
        return Name(
            f"{zh}；計畫期間無有效電價表，不計電費，能充就早充",
            f"{en}; no tariff is valid for all of the plan: it charges as early as it can, whatever that costs",
        )
    return Name(f"{zh}；計畫電費 {plan.cost:.0f} 元", f"{en}; the plan costs NT$ {plan.cost:.0f}")


def figures(cars: int, kw: float, room_kw: float, outlook: Outlook | None) -> tuple[Figure, ...]:
    """Return the key numbers."""
    found = [
        _figure("cars", "需充電車輛", "cars that want energy", cars, ""),
        _figure("given", "目前給予", "given now", kw, "kW"),
        _figure("room", "契約可用", "room under the contract", room_kw, "kW"),
    ]
    if outlook is not None:
        plan = outlook.plan
        if outlook.price:
            found.append(_figure("cost", "計畫電費", "cost of the plan", plan.cost, "NT$"))
        found += [
            _figure("short", "將缺電量", "energy at risk", float(plan.short_kwh.sum()), "kWh"),
            Figure("gap", Name("與最佳解差距上限", "distance from the optimum, at most"), 100.0 * plan.gap, "%"),
        ]
    return tuple(found)


def at_risk(outlook: Outlook | None, names: Mapping[str, Name]) -> str:
    """Return who will be short and by how much, for the alarm; empty when nobody is, by the fault of limits.

    A visitor who is assumed to leave before any plan could serve him raises no alarm; an official car does.
    """
    if outlook is None:
        return ""
    plan = outlook.plan
    rows = [
        (demand, float(short))
        for demand, short, hopeless in zip(outlook.demands, plan.short_kwh, plan.hopeless_kwh, strict=True)
        if short >= _SHORT_KWH and (short - hopeless >= _SHORT_KWH or demand.rank == Rank.FLEET)
    ]
    if not rows:
        return ""
    total = sum(short for _, short in rows)
    listed = ", ".join(_named(rows, names))
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return f"{total:.1f} kWh at risk: {listed}{more}"


def _named(rows: list[tuple[Demand, float]], names: Mapping[str, Name]) -> Iterable[str]:
    for demand, short in sorted(rows, key=lambda row: (row[0].rank, -row[1]))[:_NAMED]:
        name = names.get(demand.charger)
        yield f"{name.en if name else demand.charger} ({RANKS[demand.rank].en}) {short:.1f} kWh"
