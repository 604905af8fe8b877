from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from controller.clock import VirtualClock
from controller.point.model import Equipment, Name, Point, Site
from controller.point.table import PointTable
from controller.rule.definition import RuleDefinition, RuleError, RuleInput, VirtualPoint
from controller.rule.engine import RuleEngine
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

NAME = Name("名", "Name")
SECOND = 1_000_000_000
# tag, kind, unit of the measured and the virtual points of every transformer
MEASURED = (
    ("s", "analog", "kVA"),
    ("t_a", "analog", "°C"),
    ("t_b", "analog", "degF"),
    ("closed", "binary", ""),
    ("tap", "multistate", ""),
    ("energy", "counter", "kWh"),
)
VIRTUAL = (("load", "analog", "%"), ("hot", "analog", "°C"), ("late", "binary", ""), ("mean", "analog", "kVA"))


def site(count: int = 3) -> Site:
    equipment, points = {}, {}
    number = 1
    for k in range(1, count + 1):
        address = f"hall.electrical.tx{k}"
        parameters: dict[str, float | str] = {"rated_kva": 1000.0 * k, "feeds": "lv1"}
        equipment[address] = Equipment(address, "transformer", NAME, "hall", "electrical", parameters=parameters)
        for tag, kind, unit in (*MEASURED, *VIRTUAL):
            low, high = (0.0, 150.0) if tag == "load" else (-math.inf, math.inf)
            points[f"{address}.{tag}"] = Point(
                number, f"{address}.{tag}", kind, unit, NAME, address, low=low, high=high
            )
            number += 1
    equipment["hall.plant.header"] = Equipment("hall.plant.header", "header", NAME, "hall", "plant")
    for tag, unit in (("outdoor", "°C"), ("season", ""), ("a", ""), ("b", "")):
        points[f"hall.plant.header.{tag}"] = Point(
            number, f"hall.plant.header.{tag}", "analog", unit, NAME, "hall.plant.header"
        )
        number += 1
    return Site("hall", NAME, "Asia/Taipei", 1, {}, {}, equipment, points)


def rule(
    expression: str, tag: str = "load", unit: str = "%", kind: str = "analog", **inputs: RuleInput
) -> RuleDefinition:
    return RuleDefinition(
        f"rule-{tag}", inputs, expression, VirtualPoint(tag, unit, kind), cls="transformer", file="rules.toml", line=3
    )


S = RuleInput("s", unit="kVA")
RATED = RuleInput(parameter="rated_kva", unit="kVA")
LOAD = rule("s / rated", s=S, rated=RATED)


class Rig:
    def __init__(self, *definitions: RuleDefinition, workday: Callable[[date], bool] | None = None) -> None:
        self.site = site()
        # 2026-01-01 is a Thursday; 00:00 UTC is 08:00 in Taipei.
        self.clock = VirtualClock()
        self.table = PointTable(self.site, self.clock)
        self.engine = RuleEngine(definitions, self.site, self.clock, workday)

    def put(self, values: dict[str, float], quality: int = 0) -> None:
        numbers = [self.site.points[f"hall.{address}"].number for address in values]
        self.table.apply(Readings.of(numbers, list(values.values()), self.clock.now_ns(), quality))

    def run(self) -> dict[str, tuple[float, int]]:
        readings = self.engine.evaluate(self.table)
        by_number = self.site.by_number()
        assert (readings.time_ns == self.clock.now_ns()).all()
        return {
            by_number[number].address.removeprefix("hall.electrical."): (value, quality)
            for number, value, quality in zip(
                readings.point.tolist(), readings.value.tolist(), readings.quality.tolist(), strict=True
            )
        }


def test_one_rule_for_all_its_equipment() -> None:
    rig = Rig(LOAD)
    rig.put({"electrical.tx1.s": 500.0, "electrical.tx2.s": 500.0, "electrical.tx3.s": 3000.0})
    assert rig.run() == {"tx1.load": (50.0, 0), "tx2.load": (25.0, 0), "tx3.load": (100.0, 0)}
    assert math.isnan(rig.table.value[rig.site.points["hall.electrical.tx1.load"].number])  # the caller applies


def test_units_of_points_are_converted_and_temperatures_stay_as_they_are() -> None:
    rig = Rig(rule("max(a, b)", "hot", "°C", a=RuleInput("t_a", unit="degC"), b=RuleInput("t_b", unit="degC")))
    rig.put(
        {
            "electrical.tx1.t_a": 80.1,
            "electrical.tx1.t_b": 50.0,
            "electrical.tx2.t_a": 80.1,
            "electrical.tx2.t_b": 212.0,
        }
    )
    found = rig.run()
    assert found["tx1.hot"] == (80.1, 0)  # to the last bit
    assert found["tx2.hot"][0] == pytest.approx(100.0, abs=1e-12)


def test_unknown_inputs_make_the_result_unknown() -> None:
    rig = Rig(LOAD)
    rig.put({"electrical.tx1.s": 500.0, "electrical.tx2.s": 500.0})
    rig.put({"electrical.tx2.s": math.nan}, Quality.BAD_DEVICE)
    rig.put({"electrical.tx1.s": 400.0}, Quality.UNCERTAIN_SUBSTITUTE)
    found = rig.run()
    assert [quality for _, quality in found.values()] == [Quality.BAD_COMM, Quality.BAD_DEVICE, Quality.BAD_COMM]
    assert all(math.isnan(value) for value, _ in found.values())
    rig.put({"electrical.tx1.s": 400.0})
    rig.clock.move(31.0)
    assert rig.run()["tx1.load"] == (40.0, 0)
    rig.table.expire()
    assert rig.run()["tx1.load"][1] == Quality.BAD_COMM


def test_a_result_that_good_inputs_do_not_give() -> None:
    rig = Rig(rule("s / (s - kVA(5))", s=S))
    rig.put({"electrical.tx1.s": 5.0})
    value, quality = rig.run()["tx1.load"]
    assert math.isnan(value)
    assert quality == Quality.BAD_SENSOR


def test_the_plausible_range_of_the_point() -> None:
    rig = Rig(LOAD)
    rig.put({"electrical.tx1.s": 1600.0, "electrical.tx2.s": 3000.0})
    found = rig.run()
    assert found["tx1.load"] == (160.0, Quality.UNCERTAIN_RANGE)
    assert found["tx2.load"] == (150.0, 0)


def test_rules_use_the_points_of_rules_whatever_their_order() -> None:
    late = rule(
        "load > percent(80) and closed",
        "late",
        "",
        "binary",
        load=RuleInput("load", unit="%"),
        closed=RuleInput("closed"),
    )
    rig = Rig(late, LOAD)
    rig.put(
        {
            "electrical.tx1.s": 900.0,
            "electrical.tx1.closed": 1.0,
            "electrical.tx2.s": 900.0,
            "electrical.tx2.closed": 1.0,
        }
    )
    found = rig.run()
    assert list(found)[:3] == ["tx1.load", "tx2.load", "tx3.load"]
    assert (found["tx1.late"], found["tx2.late"]) == ((1.0, 0), (0.0, 0))
    assert found["tx3.late"][1] == Quality.BAD_COMM
    rig.put({"electrical.tx1.s": 1600.0})  # its load is doubtful now, so it is not used
    assert rig.run()["tx1.late"][1] == Quality.BAD_COMM


def test_a_point_of_other_equipment_and_states() -> None:
    inputs = {
        "out": RuleInput("hall.plant.header.outdoor", unit="degC"),
        "tap": RuleInput("tap"),
        "a": RuleInput("t_a", unit="degC"),
    }
    rig = Rig(rule("a - out > K(40) and tap == 3", "late", "", "binary", **inputs))
    rig.put({"plant.header.outdoor": 30.0, "electrical.tx1.t_a": 71.0, "electrical.tx1.tap": 3.0})
    rig.put({"electrical.tx2.t_a": 71.0, "electrical.tx2.tap": 2.0})
    found = rig.run()
    assert (found["tx1.late"][0], found["tx2.late"][0]) == (1.0, 0.0)


def test_local_time_and_workdays() -> None:
    expression = "workday and hour >= 8.5 and weekday == 4"
    rig = Rig(rule(expression, "late", "", "binary"))
    assert rig.run()["tx1.late"] == (0.0, 0)
    rig.clock.move(1800.0)
    assert rig.run()["tx1.late"] == (1.0, 0)
    rig.clock.move(16 * 3600.0)  # after midnight in Taipei: Friday
    assert rig.run()["tx1.late"] == (0.0, 0)
    days: list[date] = []

    def holiday(day: date) -> bool:
        days.append(day)
        return False

    rig = Rig(rule(expression, "late", "", "binary"), workday=holiday)
    rig.clock.move(1800.0)
    assert rig.run()["tx1.late"] == (0.0, 0)
    assert days == [date(2026, 1, 1)]
    weekend = Rig(rule("workday", "late", "", "binary"))
    weekend.clock.move(2 * 86_400.0)
    assert weekend.run()["tx1.late"] == (0.0, 0)


def test_a_condition_held_for_ten_minutes() -> None:
    rig = Rig(rule("for_at_least(s > kVA(900), minutes(10))", "late", "", "binary", s=S))
    rig.put({"electrical.tx1.s": 100.0})
    assert rig.run()["tx1.late"] == (0.0, 0)
    rig.put({"electrical.tx1.s": 1000.0})
    seen = []
    for _ in range(4):
        seen.append(rig.run()["tx1.late"][0])
        rig.clock.move(290.0)
        rig.clock.jump(7200.0)
    assert seen == [0.0, 0.0, 0.0, 1.0]


MEAN = rule("s", "mean", "kVA", s=RuleInput("s", unit="kVA", window="mean_15min"))


def test_a_window() -> None:
    rig = Rig(MEAN)
    values = []
    for minute in range(31):
        rig.put({"electrical.tx1.s": 100.0 if minute < 16 else 400.0})
        values.append(rig.run()["tx1.mean"])
        rig.clock.move(60.0)
    assert values[6][1] == Quality.BAD_SENSOR  # covered for less than half
    assert values[8] == (100.0, 0)
    assert values[23][0] == pytest.approx(100 + 300 * 7 / 15, abs=10)
    assert values[30][0] == pytest.approx(380.0, abs=6)


@dataclass
class Series:
    number: int
    time_ns: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    before: tuple[int, float, int] | None = None


class History:
    def __init__(self, series: list[Series]) -> None:
        self.series = series
        self.asked: list[tuple[list[int], int, int]] = []

    async def raw(self, numbers: Sequence[int], start_ns: int, end_ns: int, limit: int = 100_000) -> Sequence[Series]:
        self.asked.append((list(numbers), start_ns, end_ns))
        return self.series


async def test_windows_are_filled_from_history() -> None:
    rig = Rig(MEAN)
    now = rig.clock.now_ns()
    number = {k: rig.site.points[f"hall.electrical.tx{k}.s"].number for k in (1, 2, 3)}
    history = History(
        [
            Series(
                number[1],
                np.array([now - 300 * SECOND]),
                np.array([400.0]),
                np.zeros(1, np.uint8),
                (now - 3600 * SECOND, 100.0, 0),
            ),
            Series(number[2], np.array([now - 600 * SECOND]), np.array([7.0]), np.full(1, 64, np.uint8)),
            Series(12345, np.array([now]), np.array([7.0]), np.zeros(1, np.uint8)),
        ]
    )
    await rig.engine.refill(history)
    assert history.asked == [(sorted(number.values()), now - 900 * SECOND, now)]
    rig.put({"electrical.tx1.s": 400.0})
    found = rig.run()
    assert found["tx1.mean"][0] == pytest.approx(200.0, abs=2)
    assert found["tx1.mean"][1] == 0
    assert found["tx2.mean"][1] == Quality.BAD_COMM
    assert rig.engine.window_spans() == dict.fromkeys(number.values(), 900.0)


async def test_without_windows_history_is_not_asked() -> None:
    rig = Rig(LOAD)
    history = History([])
    await rig.engine.refill(history)
    assert history.asked == []


def test_without_rules() -> None:
    rig = Rig()
    assert len(rig.engine.evaluate(rig.table)) == 0
    assert len(rig.engine.numbers) == 0


def test_a_rule_for_an_address_pattern() -> None:
    definition = RuleDefinition("r", {"s": S}, "s", VirtualPoint("mean", "kVA"), equipment="hall.electrical.tx[12]")
    rig = Rig(definition)
    assert list(rig.run()) == ["tx1.mean", "tx2.mean"]
    assert [piece.address for piece in definition.matched(rig.site.equipment.values())] == [
        "hall.electrical.tx1",
        "hall.electrical.tx2",
    ]


def with_inputs(
    expression: str, tag: str = "load", unit: str = "%", kind: str = "analog", **changes: Any
) -> RuleDefinition:
    return rule(expression, tag, unit, kind, **{name: RuleInput(**value) for name, value in changes.items()})


@pytest.mark.parametrize(
    ("definition", "line", "column", "words"),
    [
        (
            with_inputs("1 +\n  s", s={"point": "ss"}),
            2,
            3,
            r"no point hall\.electrical\.tx1\.ss; did you mean hall\.electrical\.tx1\.s",
        ),
        (with_inputs("s", s={"point": "hall.none.x.y"}), 1, 1, "there is no point hall.none.x.y"),
        (with_inputs("s", s={"point": "s", "unit": "kW"}), 1, 1, "is in kVA, which is not of the kind of kW"),
        (with_inputs("s", s={"point": "s"}), 1, 1, "is in kVA, which is not of the kind of a pure number"),
        (with_inputs("s", s={"point": "t_a", "unit": "K"}), 1, 1, "is in °C, which is not of the kind of K"),
        (with_inputs("s", s={"point": "s", "unit": "kVAA"}), 1, 1, "unit 'kVAA' is unknown"),
        (with_inputs("s", s={"point": "closed", "unit": "kW"}), 1, 1, "is binary; the unit 'kW' does not go"),
        (with_inputs("s", s={"point": "tap", "window": "mean_1h"}), 1, 1, "is multistate; the window 'mean_1h'"),
        (with_inputs("s", s={"point": "s", "unit": "kVA", "window": "mean_1d"}), 1, 1, "window 'mean_1d'"),
        (with_inputs("s", s={"point": "s", "unit": "kVA", "window": "rate_1h"}), 1, 1, "the result is a quantity"),
        (with_inputs("s", s={}), 1, 1, "either a point or a parameter"),
        (with_inputs("s", s={"point": "s", "parameter": "x"}), 1, 1, "either a point or a parameter"),
        (with_inputs("s", s={"parameter": "rated_kv"}), 1, 1, "no parameter 'rated_kv'; did you mean rated_kva"),
        (with_inputs("s", s={"parameter": "zzz"}), 1, 1, "it has feeds, rated_kva"),
        (with_inputs("s", s={"parameter": "feeds"}), 1, 1, "is the text 'lv1'; a number is wanted"),
        (with_inputs("s", s={"parameter": "rated_kva", "window": "mean_1h"}), 1, 1, "a parameter has no window"),
        (
            with_inputs("closed > 3", "late", "", "binary", closed={"point": "closed"}),
            1,
            1,
            "a yes/no value and a pure number",
        ),
        (with_inputs("1", s={"point": "s", "unit": "kVA"}), None, 1, "the input 's' is not used"),
        (with_inputs("load", load={"point": "load", "unit": "%"}), None, 1, "needs its own point"),
        (with_inputs("1", "nothing"), None, 1, "none of its 3 pieces of equipment has its point"),
        (
            RuleDefinition("r", {}, "1", VirtualPoint("x"), cls="tramsformer"),
            None,
            1,
            "no equipment of class 'tramsformer'",
        ),
        (RuleDefinition("r", {}, "1", VirtualPoint("x"), equipment="a.b.*"), None, 1, "no equipment with the address"),
    ],
)
def test_what_does_not_suit_the_site_is_refused(
    definition: RuleDefinition, line: int | None, column: int, words: str
) -> None:
    with pytest.raises(RuleError, match=words) as caught:
        Rig(definition)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_equipment_of_one_class_with_different_kinds() -> None:
    whole = site()
    points = dict(whole.points)
    odd = points["hall.electrical.tx2.s"]
    points["hall.electrical.tx2.s"] = Point(odd.number, odd.address, "binary", "", NAME, odd.equipment)
    changed = Site(whole.id, NAME, whole.timezone, 1, {}, {}, whole.equipment, points)
    with pytest.raises(RuleError, match=r"tx1\.s is analog and hall\.electrical\.tx2\.s is binary"):
        RuleEngine([LOAD], changed, VirtualClock())


def test_a_circle_is_refused_with_the_names() -> None:
    inputs = {name: {"point": name, "unit": unit} for name, unit in (("load", "%"), ("hot", "degC"), ("mean", "kVA"))}
    rules = [
        with_inputs("m / kVA(1)", "load", "%", m=inputs["mean"]),
        with_inputs("degC(1) + load * K(1)", "hot", "°C", load=inputs["load"]),
        with_inputs("(hot - degC(0)) / K(1) * kVA(1)", "mean", "kVA", hot=inputs["hot"]),
    ]
    with pytest.raises(RuleError, match=r"circle: rule-.* → rule-.* → rule-.* → rule-") as caught:
        Rig(*rules)
    for name in ("rule-load", "rule-hot", "rule-mean"):
        assert name in str(caught.value)


def test_two_rules_for_one_point_are_refused() -> None:
    with pytest.raises(RuleError, match="makes the point load that rule rule-load makes too"):
        Rig(LOAD, LOAD)
