"""strategy.toml to strategies: which there are, what each may touch, and how it is to run.

What nobody may configure away is checked here: the comfort limits of demand limiting (control reference 8.6), areas
that are never shed, and that everything a strategy sets goes back by itself.
"""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from controller.energy.excess import ExcessPrice
from controller.point.model import Name
from controller.settings.charging import ChargingRow, charging
from controller.settings.file import Pattern, Short, Word  # noqa: TC001 - pydantic reads the annotations
from controller.settings.problem import Problem, nearest
from controller.settings.shed import PointPattern, ShedRow, held_long, plan_faults
from controller.strategy.demand import Demand
from controller.strategy.reset import Coil, Machine, Reset
from controller.strategy.shed import Comfort, Group, Item, Owed, Stage
from controller.strategy.strategy import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from controller.energy.tariff import TariffPlan
    from controller.office import OfficeCalendar
    from controller.point.model import Equipment, Point
    from controller.settings.energy import Fleet
    from controller.settings.overlay import Change
    from controller.settings.read import Rows
    from controller.strategy.strategy import Mode

__all__ = ["MODES", "STRATEGY", "StrategyFile", "lay_strategies", "strategies", "strategy_key"]

STRATEGY = "strategy/"
"""Begin of the overlay's keys: `strategy/<id>`, a mode."""
MODES: tuple[Mode, ...] = ("run", "dry_run", "off")
_SHEDDABLE = ("ahu", "fcu", "chiller", "charger", "plant_header")
"""Classes of equipment that demand limiting may touch; fans of the car park, lifts, doors and fire never."""
_MOST_MINUTES, _MOST_TIMES, _MOST_K = 30.0, 3, 2.0
"""Control reference 8.6: a room is shed 15 to 30 minutes an hour, three times a day, by 2 K at most."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DemandRow(_Row):
    """`[demand]`: demand limiting against the contract capacity."""

    gone: ClassVar[Mapping[str, str]] = {
        "price_per_kw": "Delete this line: what an excess costs follows from [account] and [[table]] of tariff.toml."
    }
    mode: Literal["run", "dry_run", "off"] = "dry_run"
    """`run`, `dry_run` or `off`, until it is switched on the screen."""
    meter: PointPattern
    """Point with the power of the whole supply, kW."""
    check: Annotated[list[PointPattern], Field(max_length=50)] = []
    """Points whose sum must agree with the meter; else it steps back."""
    check_percent: Annotated[FiniteFloat, Field(gt=0, le=100)] = 10.0
    """How far apart they may be."""
    contract_kw: Annotated[FiniteFloat, Field(gt=0, le=1_000_000)] | None = None
    """Contract capacity (契約容量); without it the `regular_kw` of tariff.toml."""
    margin_percent: Annotated[FiniteFloat, Field(ge=0, le=20)] = 2.0
    """So far below the contract it aims."""
    restore_s: Annotated[FiniteFloat, Field(ge=60, le=600)] = 90.0
    """Between two items given back."""
    period_s: Annotated[FiniteFloat, Field(ge=1, le=20)] = 5.0
    """How often it decides."""
    never: Annotated[list[Word], Field(max_length=50)] = []
    """Areas in which nothing is ever shed."""
    shed: Annotated[list[ShedRow], Field(min_length=1, max_length=30)]


class MachineRow(_Row):
    """`[[reset.chillers]]`: chillers with the same states."""

    equipment: Annotated[list[Pattern], Field(min_length=1, max_length=50)]
    running: Annotated[list[int], Field(min_length=1, max_length=20)]
    """Values of the tag `state` in which it cools."""


class ResetRow(_Row):
    """`[reset]`: chilled-water reset by trim and respond."""

    mode: Literal["run", "dry_run", "off"] = "dry_run"
    """`run`, `dry_run` or `off`, until it is switched on the screen."""
    chillers: Annotated[list[MachineRow], Field(min_length=1, max_length=20)]
    coils: Annotated[list[Pattern], Field(min_length=1, max_length=100)]
    """Air handlers whose valves ask for colder water, by pattern."""
    pressure: Short = ""
    """Point of the header's pressure set-point; without it the water alone is reset."""
    coldest_c: Annotated[FiniteFloat, Field(ge=5, le=12)] = 7.0
    warmest_c: Annotated[FiniteFloat, Field(ge=5, le=12)] = 10.0
    least_kpa: Annotated[FiniteFloat, Field(ge=30, le=200)] = 60.0
    most_kpa: Annotated[FiniteFloat, Field(ge=30, le=200)] = 100.0
    humid_percent: Annotated[FiniteFloat, Field(ge=40, le=90)] = 65.0
    period_s: Annotated[FiniteFloat, Field(ge=5, le=300)] = 30.0


class StrategyFile(_Row):
    """strategy.toml."""

    demand: DemandRow | None = None
    reset: ResetRow | None = None
    charging: ChargingRow | None = None


def strategy_key(strategy: str) -> str:
    """Return the key of a strategy's mode in the overlay."""
    return f"{STRATEGY}{strategy}"


def lay_strategies(base: tuple[Entry, ...], changes: Iterable[Change]) -> tuple[Entry, ...]:
    """Return the strategies with the modes that were set on the screen."""
    wanted = {change.key: change.value for change in changes if change.key.startswith(STRATEGY)}
    found = []
    for entry in base:
        mode = wanted.get(strategy_key(entry.strategy.id))
        found.append(replace(entry, mode=mode) if mode in MODES else entry)
    return tuple(found)


def strategies(
    rows: Rows,
    equipment: Mapping[str, Equipment],
    points: Mapping[str, Point],
    areas: Iterable[str],
    timezone: str,
    fleet: Fleet,
    tariff: TariffPlan,
    office: OfficeCalendar,
    problems: list[Problem],
) -> tuple[Entry, ...]:
    """Return the strategies of strategy.toml; what is wrong is appended to `problems`."""
    maker = _Maker(rows, equipment, points, tuple(areas), timezone, tariff, problems)
    found: list[Entry] = []
    if (demand := rows.strategy.demand) is not None:
        found.append(Entry(maker.demand(demand), demand.mode))
    if (reset := rows.strategy.reset) is not None:
        found.append(Entry(maker.reset(reset), reset.mode))
    if (cars := rows.strategy.charging) is not None:
        contract_kw = maker.contract(cars.contract_kw, "charging")
        places = rows.strategy_places
        made = charging(
            cars, contract_kw, places, equipment, points, fleet, tariff, timezone, office, problems
        )  # fmt: skip
        found.append(Entry(made, cars.mode))
    maker.alone(found)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Maker:
    rows: Rows
    equipment: Mapping[str, Equipment]
    points: Mapping[str, Point]
    areas: tuple[str, ...]
    timezone: str
    tariff: TariffPlan
    problems: list[Problem]

    def demand(self, row: DemandRow) -> Demand:
        """Return demand limiting."""
        path: tuple[str | int, ...] = ("demand",)
        meter = self._power((*path, "meter"), "demand.meter", row.meter)
        check = [found for one in row.check for found in self._powers((*path, "check"), "demand.check", one)]
        for area in row.never:
            if area not in self.areas:
                todo = nearest(area, self.areas) or f"Known are {', '.join(self.areas)}."
                self._say((*path, "never"), "demand.never", f'"{area}"', "an area of site.toml", todo)
        items: list[Item] = []
        for at, shed in enumerate(row.shed):
            items += self._shed(row, shed, (*path, "shed", at))
        for fault in plan_faults(row.shed):
            self._say((*path, "shed", fault.row, fault.key), f"demand.shed.{fault.key}", fault.got, fault.wanted)
        return Demand(
            meter=meter,
            contract_kw=self.contract(row.contract_kw, "demand"),
            items=tuple(items),
            timezone=self.timezone,
            check=tuple(check),
            check_percent=float(row.check_percent),
            margin_percent=float(row.margin_percent),
            price=None if self.tariff.account is None else ExcessPrice(self.tariff, self.timezone),
            restore_s=float(row.restore_s),
            period_s=float(row.period_s),
        )

    def contract(self, own: float | None, section: str) -> float:
        """Return the contract capacity of a section, kW: its own, or that of the account; 1 where neither says."""
        account = self.rows.tariff.account
        if own is not None:
            return float(own)
        if account is not None:
            return float(account.regular_kw)
        self._say((section,), f"{section}.contract_kw", "nothing", "this key, or an [account] in tariff.toml")
        return 1.0

    def _shed(self, demand: DemandRow, row: ShedRow, path: tuple[str | int, ...]) -> list[Item]:
        if (row.higher is None) == (row.at_most is None):
            self._say(path, "demand.shed", "both" if row.higher else "neither", 'one of "higher" and "at_most"')
            return []
        self._comfortable(row, path, long=held_long(row, demand.shed))
        levels = tuple(map(float, row.higher or row.at_most or ()))
        rising = all(a < b for a, b in itertools.pairwise(levels)) and levels[0] > 0.0
        falling = all(a > b for a, b in itertools.pairwise(levels))
        key = "higher" if row.higher else "at_most"
        if not (rising if row.higher else falling):
            wanted = "rising values above 0" if row.higher else "falling values"
            self._say((*path, key), f"demand.shed.{key}", str(list(levels)), f"{wanted}, the mildest first")
        minutes = float(row.minutes_per_hour)
        found = self._commandable((*path, "points"), "demand.shed.points", row.points)
        unit = found[0].unit if found else ""
        group = Group(
            id=row.id,
            name=Name(row.name.zh, row.name.en),
            priority=row.priority,
            kind="raise" if row.higher else "at_most",
            levels=levels,
            unit="K" if row.higher and unit == "°C" else unit,
            kw=float(row.kw),
            kw_per_unit=float(row.kw_per_unit),
            step=float("inf") if row.step is None else float(row.step),
            step_s=float(row.step_s),
            minutes_per_hour=minutes if minutes < 60.0 else float("inf"),
            times_per_day=row.times_per_day,
            least_s=float(row.least_s),
            rest_s=float(row.rest_s),
            last=row.last,
            answer=tuple(map(float, row.answer)),
            answer_full=tuple(map(float, row.answer_full)),
            stages=tuple(Stage(float(one.minutes), one.level) for one in row.stages),
            beside=row.beside or "",
            owed=None if row.owed is None else Owed(**row.owed.model_dump()),
            follows=row.owed is None and held_long(row, demand.shed),
        )
        if row.owed is not None:
            self._water((*path, "owed", "water"), row.owed.water)
        # CO2 says whether a room has fresh air enough, and a chiller that does less takes none away: warmth counts.
        guards = [
            replace(room, co2="")
            for one in row.guards
            for room in self._rooms((*path, "guards"), "demand.shed.guards", one)
        ]
        items = []
        for point in found:
            piece = self.equipment[point.equipment]
            if not self._may_shed(demand, row, point, piece, path):
                continue
            if point.unit != unit:
                got = f"{point.address} in {point.unit or 'no unit'}"
                self._say((*path, "points"), "demand.shed.points", got, f"all in {unit or 'no unit'}, as the first")
            own = self._rooms((*path, "comfort"), "demand.shed.comfort", piece.address) if row.comfort else []
            items.append(
                Item(
                    point=point.address,
                    equipment=piece.address,
                    name=piece.name,
                    group=group,
                    comfort=(*own, *guards),
                    running=self._tag(path, "running", piece, row.running),
                    power=self._tag(path, "power", piece, row.power, feeder=True),
                    low=point.write.low if point.write else float("-inf"),
                    high=point.write.high if point.write else float("inf"),
                )
            )
        return items

    def _comfortable(self, row: ShedRow, path: tuple[str | int, ...], *, long: bool) -> None:
        """Refuse limits of comfort that are wider than the reference's; `long`: comfort alone says how long."""
        if not (row.comfort or row.guards):
            if row.kw_per_unit == 0.0 and row.kw == 0.0:
                self._say(path, "demand.shed.kw", "nothing", 'what it gives: "kw", or "power" with "kw_per_unit"')
            return
        for key, value, most, unit in (
            ("minutes_per_hour", row.minutes_per_hour, _MOST_MINUTES, "min"),
            ("times_per_day", row.times_per_day, _MOST_TIMES, "times"),
            ("higher", max(row.higher or [0.0]), _MOST_K, "K"),
        ):
            if value > most and not long:
                wanted = f"at most {most:g} {unit} where people sit"
                self._say((*path, key), f"demand.shed.{key}", f"{value:g}", wanted)
        if row.kw_per_unit == 0.0 and row.kw == 0.0:
            self._say(path, "demand.shed.kw", "nothing", 'what it gives: "kw", or "power" with "kw_per_unit"')

    def _water(self, path: tuple[str | int, ...], address: str) -> None:
        point = self.points.get(address)
        if point is None:
            self._say(path, "demand.shed.owed.water", f'"{address}"', "a point", nearest(address, self.points))
        elif point.unit != "°C":
            got = f"{address} in {point.unit or 'no unit'}"
            self._say(path, "demand.shed.owed.water", got, "the temperature of the water, °C")

    def _may_shed(
        self, demand: DemandRow, row: ShedRow, point: Point, piece: Equipment, path: tuple[str | int, ...]
    ) -> bool:
        places = (*path, "points")
        if piece.area in demand.never:
            got = f"{point.address} in the area {piece.area}"
            self._say(places, "demand.shed.points", got, 'no point of an area of "never"', "Name the others.")
            return False
        if piece.cls not in _SHEDDABLE:
            got = f"{point.address}, {piece.cls}"
            self._say(places, "demand.shed.points", got, f"equipment of {', '.join(_SHEDDABLE)}")
            return False
        if piece.cls in ("ahu", "fcu") and not row.comfort:
            got = f"{point.address} without comfort = true"
            self._say(places, "demand.shed.points", got, "comfort = true where people sit")
            return False
        if piece.cls in ("chiller", "plant_header") and not row.guards:
            got = f"{point.address} without guards"
            self._say(places, "demand.shed.points", got, "guards: the air handlers whose rooms it cools")
            return False
        return True

    def reset(self, row: ResetRow) -> Reset:
        """Return the chilled-water reset."""
        path = ("reset",)
        machines: list[Machine] = []
        for at, one in enumerate(row.chillers):
            where = (*path, "chillers", at, "equipment")
            for piece in self._pieces(where, "reset.chillers.equipment", one.equipment):
                state = self._of(where, "reset.chillers.equipment", piece, "state")
                address = f"{piece.address}.chw_setpoint"
                if self._commandable(where, "reset.chillers.equipment", [address]):
                    machines.append(Machine(piece.name, state, tuple(one.running), address))
        coils = []
        for piece in self._pieces((*path, "coils"), "reset.coils", row.coils):
            valve = self._of((*path, "coils"), "reset.coils", piece, "chw_valve_position")
            coils.append(
                Coil(
                    piece.name,
                    valve,
                    self._there(f"{piece.address}.fan_run"),
                    self._there(f"{piece.address}.supply_air_temp"),
                    self._there(f"{piece.address}.supply_air_temp_sp"),
                    self._there(f"{piece.address}.return_humidity"),
                )
            )
        pressure = ""
        if row.pressure:
            found = self._commandable((*path, "pressure"), "reset.pressure", [row.pressure])
            pressure = found[0].address if found else ""
        for low, high in (("coldest_c", "warmest_c"), ("least_kpa", "most_kpa")):
            if not getattr(row, low) < getattr(row, high):
                got = f"{getattr(row, low):g} and {high} {getattr(row, high):g}"
                self._say((*path, low), f"reset.{low}", got, f"{low} below {high}")
        return Reset(
            machines=tuple(machines),
            coils=tuple(coils),
            coldest_c=float(row.coldest_c),
            warmest_c=float(row.warmest_c),
            pressure=pressure,
            least_kpa=float(row.least_kpa),
            most_kpa=float(row.most_kpa),
            humid_percent=float(row.humid_percent),
            period_s=float(row.period_s),
        )

    def alone(self, entries: Sequence[Entry]) -> None:
        """Refuse two strategies that set one point at one slot."""
        taken: dict[tuple[str, int], str] = {}
        for entry in entries:
            strategy = entry.strategy
            for point in strategy.outputs:
                other = taken.setdefault((point, strategy.slot), strategy.id)
                if other != strategy.id or strategy.outputs.count(point) > 1:
                    got = f"{point} twice" if other == strategy.id else f"{point} of {other} too"
                    self._say((strategy.id,), strategy.id, got, "each point in one place")
                    return

    # -- finding -----------------------------------------------------------------------------------------------------

    def _power(self, path: tuple[str | int, ...], key: str, address: str) -> str:
        found = self._powers(path, key, address)
        if len(found) > 1:
            self._say(path, key, f"{len(found)} points", "one meter")
        return found[0] if found else ""

    def _powers(self, path: tuple[str | int, ...], key: str, pattern: str) -> list[str]:
        found = [address for address in self.points if fnmatch.fnmatchcase(address, pattern)]
        if not found:
            self._say(path, key, f'"{pattern}"', "a point of a meter", nearest(pattern, self.points))
        for address in found:
            if self.points[address].unit != "kW":
                self._say(path, key, f"{address} in {self.points[address].unit or 'no unit'}", "a point in kW")
                return found[:1]
        return found

    def _commandable(self, path: tuple[str | int, ...], key: str, patterns: Sequence[str]) -> list[Point]:
        """Return points that can be commanded and go back by themselves."""
        found: dict[str, Point] = {}
        for pattern in patterns:
            fitting = [point for address, point in self.points.items() if fnmatch.fnmatchcase(address, pattern)]
            if not fitting:
                self._say(path, key, f'"{pattern}"', "points of this site", nearest(pattern, self.points))
            for point in fitting:
                if point.write is None or point.write.momentary:
                    self._say(path, key, point.address, "points that can be commanded")
                    break
                if point.write.default is None:
                    todo = f"Give its device defaults = {{ {point.tag} = … }}, what it goes back to."
                    self._say(path, key, f"{point.address} without a relinquish default", "one that goes back", todo)
                    break
                found[point.address] = point
        return list(found.values())

    def _pieces(self, path: tuple[str | int, ...], key: str, patterns: Sequence[str]) -> list[Equipment]:
        found: dict[str, Equipment] = {}
        for pattern in patterns:
            fitting = {name: one for name, one in self.equipment.items() if fnmatch.fnmatchcase(name, pattern)}
            if not fitting:
                self._say(path, key, f'"{pattern}"', "equipment of this site", nearest(pattern, self.equipment))
            found |= fitting
        return list(found.values())

    def _rooms(self, path: tuple[str | int, ...], key: str, pattern: str) -> list[Comfort]:
        rooms = []
        for piece in self._pieces(path, key, [pattern]):
            temperature = self._of(path, key, piece, "zone_temp")
            setpoint = self._of(path, key, piece, "zone_temp_sp")
            rooms.append(Comfort(piece.name, temperature, setpoint, self._there(f"{piece.address}.return_co2")))
        return rooms

    def _of(self, path: tuple[str | int, ...], key: str, piece: Equipment, tag: str) -> str:
        address = f"{piece.address}.{tag}"
        if address not in self.points:
            self._say(path, key, f"{piece.address} without a point {tag}", f"equipment with {tag}")
        return address

    def _tag(
        self, path: tuple[str | int, ...], key: str, piece: Equipment, tag: str | None, *, feeder: bool = False
    ) -> str:
        if not tag:
            return ""
        fed_by = piece.parameters.get("fed_by", "") if feeder else ""
        for home in (piece.address, str(fed_by)):
            if f"{home}.{tag}" in self.points:
                return f"{home}.{tag}"
        self._say((*path, key), f"demand.shed.{key}", f"{piece.address} without a point {tag}", f"equipment with {tag}")
        return ""

    def _there(self, address: str) -> str:
        return address if address in self.points else ""

    def _say(self, path: Sequence[Any], key: str, got: str, wanted: str, todo: str = "") -> None:
        places = self.rows.strategy_places
        problem = Problem(places.name, places.line(tuple(path)), key, got, wanted, todo)
        if problem not in self.problems:
            self.problems.append(problem)
