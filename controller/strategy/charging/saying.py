"""What the charging strategy says, in both languages: why, and its alarms."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from controller.alarm.definition import AlarmDefinition
from controller.point.model import Name
from controller.point.reason import both
from controller.strategy.charging.bay import SHORT_KWH
from controller.strategy.charging.demand import Rank
from controller.strategy.strategy import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import tzinfo

    from controller.strategy.charging.charger import Charger
    from controller.strategy.charging.declaration import Declared
    from controller.strategy.charging.demand import Demand
    from controller.strategy.charging.fallback import StepBack
    from controller.strategy.charging.outlook import Outlook

__all__ = [
    "ALARMS",
    "HELD",
    "NAME",
    "RANKS",
    "at_risk",
    "figure",
    "figures",
    "instructed",
    "lost",
    "reason",
    "sentence",
    "unbalanced",
]

NAME = Name("智慧充電", "Smart charging")
RANKS = {
    Rank.FIRST: Name("優先", "first"),
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
    "first": Name("優先車輛電量", "energy of cars declared first"),
}
HELD = Name("較高優先權掌握中，保留原值待其釋放", "a stronger slot holds it; this value waits for its release")
_NAMED = 4


def _alarm(word: str, priority: int, text: Name, consequence: Name, action: Name) -> AlarmDefinition:
    name = f"strategy#charging-{word}"
    return AlarmDefinition(
        name, "system", device=name, priority=priority, on_delay_s=60.0, off_delay_s=60.0, text=text,
        consequence=consequence, action=action, respond_s=1800.0, system="ev",
    )  # fmt: skip


ALARMS = (
    _alarm(
        "unbalance",
        4,
        Name("充電三相不平衡超過設定", "Charging is less balanced between phases than set"),
        Name(
            "中性線電流與電壓不平衡增加；各相電流仍在迴路上限內",
            "More current in the neutral; each phase keeps its limit",
        ),
        Name(
            "1. 請單相充電之車輛換至其他相之充電樁 2. 長期發生則調整 unbalance_a 或配線",
            "1. Move cars that charge on one phase to chargers on another 2. If it goes on, look at unbalance_a or the "
            "wiring",
        ),
    ),
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


def figure(word: str, zh: str, en: str, value: float, unit: str) -> Figure:
    """Return a key number, to two decimals."""
    return Figure(word, Name(zh, en), round(value, 2), unit)


def instructed(said: Declared | None, zone: tzinfo, now_ns: int) -> Name | None:
    """Return why a car is not charged that somebody stopped or put off; None where nobody did."""
    if said is None:
        return None
    if said.how == "stop":
        return Name(f"{said.who} 指示停止充電：{said.why}", f"stopped by {said.who}: {said.why}")
    if said.waits_ns > now_ns:
        time = datetime.fromtimestamp(said.waits_ns // 1_000_000_000, zone).strftime("%m/%d %H:%M")
        return Name(f"{said.who} 指示延後至 {time} 充電：{said.why}", f"put off until {time} by {said.who}: {said.why}")
    return None


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


_STEPPED = {
    "safe": Name("各充電樁限安全電流（三相 {kw:.1f} kW），已知的迴路上限仍守", "chargers get the safe current (three "
                 "phases {kw:.1f} kW) and circuits that are known bind"),
    "pause": Name("充電樁全部暫停", "all chargers pause"),
    "default": Name("充電樁回到預設值", "chargers go to their defaults"),
}  # fmt: skip


def lost(meter: str, how: StepBack, safe_kw: float) -> Name:
    """Return why it steps back, the meter of the contract, and what chargers get meanwhile."""
    what = _STEPPED[how]
    zh, en = what.zh.format(kw=safe_kw), what.en.format(kw=safe_kw)
    return Name(
        f"契約電表 {meter} 讀值不可信，已退讓；{zh}", f"the meter of the contract, {meter}, is not to be believed; {en}"
    )


def sentence(cars: int, kw: float, room_kw: float, outlook: Outlook | None, *, waits: bool) -> Name:
    """Return why, in one sentence with the numbers that decided."""
    if not cars:
        return Name("沒有車輛需要充電", "No car wants energy")
    zh = f"{cars} 輛車需充電，目前給 {kw:,.0f} kW，契約可用 {room_kw:,.0f} kW"
    who = "1 car wants energy; it gets" if cars == 1 else f"{cars} cars want energy; they get"
    en = f"{who} {kw:,.0f} kW of the {room_kw:,.0f} kW that the contract leaves"
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
    return Name(f"{zh}；計畫電費 {plan.cost:,.0f} 元", f"{en}; the plan costs NT$ {plan.cost:,.0f}")


def figures(cars: int, kw: float, room_kw: float, outlook: Outlook | None) -> tuple[Figure, ...]:
    """Return the key numbers."""
    found = [
        figure("cars", "需充電車輛", "cars that want energy", cars, ""),
        figure("given", "目前給予", "given now", kw, "kW"),
        figure("room", "契約可用", "room under the contract", room_kw, "kW"),
    ]
    if outlook is not None:
        plan = outlook.plan
        if outlook.price:
            found.append(figure("cost", "計畫電費", "cost of the plan", plan.cost, "NT$"))
        found += [
            figure("short", "將缺電量", "energy at risk", float(plan.short_kwh.sum()), "kWh"),
            Figure("gap", Name("與最佳解差距上限", "distance from the optimum, at most"), 100.0 * plan.gap, "%"),
        ]
    return tuple(found)


def unbalanced(outlook: Outlook | None) -> str:
    """Return that the plan had to give up the balance of phases, for the alarm; empty when it had not."""
    if outlook is None or "unbalance" not in outlook.plan.relaxed:
        return ""
    return both(Name("計畫放寬三相平衡以維持充電", "the plan gave up the balance of phases to charge the cars"))


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
        if short >= SHORT_KWH and (short - hopeless >= SHORT_KWH or demand.rank <= Rank.FLEET)
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
