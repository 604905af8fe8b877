"""`[charging]` of strategy.toml to the charging strategy: chargers, the circuits that feed them, and cars.

What energy costs, tariff.toml says. Circuits are found by the parameter `fed_by`, from each charger up: what hangs on
one feeder shares its branch, what is below one transformer shares that. A charger that could not go back by itself is
refused.
"""

from __future__ import annotations

import fnmatch
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from controller.point.model import Name
from controller.settings.file import Clock, Pattern  # noqa: TC001 - pydantic reads the annotations
from controller.settings.problem import Problem, nearest
from controller.strategy.charging.charger import Charger
from controller.strategy.charging.demand import LEAST_A, PHASE_KV, Effort
from controller.strategy.charging.price import TariffPrices
from controller.strategy.charging.session import Assumption, Car, Garage
from controller.strategy.charging.strategy import ChargingStrategy, Setting
from controller.strategy.charging.supply import Supply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.energy.tariff import TariffPlan
    from controller.office import OfficeCalendar
    from controller.point.model import Equipment, Point
    from controller.settings.energy import Fleet
    from controller.settings.source import Source

__all__ = ["ChargingRow", "charging"]

_PATH = "charging"
_SUPPLY_MOST = 8
"""Steps from a charger up to the supply, at the most."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ChargingAssumedRow(_Row):
    """`[charging.assumed]`: what is taken where nobody says."""

    fleet_charge_percent: Annotated[FiniteFloat, Field(ge=0, le=100)] = 40.0
    """State of charge with which an official car comes back."""
    fleet_departure: Clock = "08:00"
    """Of an official car without a time of its own, on the next workday."""
    commuter_from: Clock = "06:00"
    """Who plugs in from this time on a workday is taken to work here."""
    commuter_until: Clock = "10:00"
    """… and before this time."""
    commuter_departure: Clock = "17:30"
    """When they leave."""
    visit_h: Annotated[FiniteFloat, Field(gt=0, le=24)] = 2.0
    """Stay of everybody else, h."""
    kwh: Annotated[FiniteFloat, Field(ge=0, le=200)] = 15.0
    """What a car that nobody knows wants."""
    kw: Annotated[FiniteFloat, Field(ge=4, le=350)] = 7.0
    """What it takes of alternating current, until it takes more."""
    battery_kwh: Annotated[FiniteFloat, Field(gt=0, le=500)] = 60.0
    """Its battery, where the charger tells its state of charge."""


class ChargingRow(_Row):
    """`[charging]`: charging of cars under the contract and the circuits that feed them."""

    mode: Literal["run", "dry_run", "off"] = "dry_run"
    """`run`, `dry_run` or `off`, until it is switched on the screen."""
    chargers: Annotated[list[Pattern], Field(min_length=1, max_length=100)]
    """Chargers that are planned, by pattern."""
    priority: Annotated[list[Pattern], Field(max_length=100)] = []
    """Chargers at bays for childcare or disabled people."""
    meter: Pattern
    """Point with the power of the whole supply, kW."""
    contract_kw: Annotated[FiniteFloat, Field(gt=0, le=1_000_000)] | None = None
    """Contract capacity (契約容量); without it the `regular_kw` of tariff.toml."""
    margin_percent: Annotated[FiniteFloat, Field(ge=0, le=50)] = 2.0
    """So far below the contract cars and building stay."""
    transformer_percent: Annotated[FiniteFloat, Field(gt=0, le=150)] = 90.0
    """Of its rated kVA, all load together."""
    branch_a: Annotated[FiniteFloat, Field(ge=6, le=10_000)]
    """What the chargers on one feeder may take together, of each phase."""
    safe_a: Annotated[FiniteFloat, Field(ge=6, le=63)] = 8.0
    """For each car of a circuit whose meter is not to be believed."""
    step_back: Literal["safe", "pause", "default"] = "safe"
    """While the meter of the contract is not to be believed: `safe_a` for each car, a pause, or their defaults."""
    unbalance_a: Annotated[FiniteFloat, Field(ge=6, le=10_000)] = 40.0
    """Between any two phases, by cars on one phase."""
    ramp_kw: Annotated[FiniteFloat, Field(ge=10, le=100_000)] | None = None
    """Change of all cars together from quarter to quarter; without it any."""
    dwell_s: Annotated[FiniteFloat, Field(ge=60, le=7200)] = 900.0
    """A car that begins or pauses does so for at least this long."""
    least_dc_kw: Annotated[FiniteFloat, Field(gt=0, le=100)] = 5.0
    """Least power of a charger with direct current."""
    period_s: Annotated[FiniteFloat, Field(ge=5, le=60)] = 15.0
    """How often it decides."""
    replan_s: Annotated[FiniteFloat, Field(ge=60, le=3600)] = 300.0
    """How old a plan may get."""
    search_s: Annotated[FiniteFloat, Field(gt=0, le=30)] = 1.0
    """Time of one plan."""
    assumed: ChargingAssumedRow | None = None
    """What is taken where nobody says."""


def charging(
    row: ChargingRow,
    contract_kw: float,
    places: Source,
    equipment: Mapping[str, Equipment],
    points: Mapping[str, Point],
    fleet: Fleet,
    tariff: TariffPlan,
    timezone: str,
    office: OfficeCalendar,
    problems: list[Problem],
) -> ChargingStrategy:
    """Return the strategy; what is wrong is appended to `problems`."""
    return _Maker(row, contract_kw, places, equipment, points, fleet, tariff, timezone, office, problems).strategy()


@dataclass(frozen=True, slots=True)
class _Maker:
    row: ChargingRow
    contract_kw: float
    places: Source
    equipment: Mapping[str, Equipment]
    points: Mapping[str, Point]
    fleet: Fleet
    tariff: TariffPlan
    timezone: str
    office: OfficeCalendar
    problems: list[Problem]

    def strategy(self) -> ChargingStrategy:
        row = self.row
        if row.meter not in self.points:
            self._say(("meter",), f'"{row.meter}"', "a point of a meter", nearest(row.meter, self.points))
        elif self.points[row.meter].unit != "kW":
            self._say(("meter",), f"{row.meter} in {self.points[row.meter].unit or 'no unit'}", "a point in kW")
        priority = set(self._pieces("priority", row.priority))
        chargers: list[Charger] = []
        for address in self._pieces("chargers", row.chargers):
            if self.equipment[address].cls != "charger":
                self._say(("chargers",), f"{address}, {self.equipment[address].cls}", "equipment of the class charger")
                continue
            made = self._charger(address, len(chargers), priority=address in priority)
            if made is not None:
                chargers.append(made)
        for address in priority - {one.id for one in chargers}:
            self._say(("priority",), address, 'chargers of "chargers"')
        zone = ZoneInfo(self.timezone)
        return ChargingStrategy(
            tuple(chargers),
            {one.id: self.equipment[one.id].name for one in chargers},
            self._supplies(chargers),
            TariffPrices(self.tariff, zone),
            zone,
            self._garage(),
            setting=Setting(
                period_s=float(row.period_s),
                replan_s=float(row.replan_s),
                limit_s=float(row.search_s) + 10.0,
                effort=Effort(nodes=None, seconds=float(row.search_s)),
                dwell_s=float(row.dwell_s),
                ramp_kw=math.inf if row.ramp_kw is None else float(row.ramp_kw),
                unbalance_a=float(row.unbalance_a),
                step_back=row.step_back,
            ),
        )

    def _charger(self, address: str, place: int, *, priority: bool) -> Charger | None:
        limit = next((self.points[name] for tag in ("current_limit", "power_limit")
                      if (name := f"{address}.{tag}") in self.points), None)  # fmt: skip
        if limit is None or limit.write is None:
            self._say(("chargers",), f"{address} without a limit", "a commandable current_limit or power_limit")
            return None
        for tag in ("power", "state"):
            if f"{address}.{tag}" not in self.points:
                self._say(("chargers",), f"{address} without a point {tag}", f"chargers with {tag}")
                return None
        write = limit.write
        enable = self.points.get(f"{address}.enable")
        pauses = enable is not None and enable.write is not None and limit.unit == "A" and write.low >= LEAST_A
        for point in (limit, enable) if pauses and enable is not None else (limit,):
            if point.write is None or point.write.default is None:
                todo = f"Give its device defaults = {{ {point.tag} = … }}, what it goes back to."
                self._say(("chargers",), f"{point.address} without a relinquish default", "one that goes back", todo)
                return None
        if limit.unit == "A":
            least, pause, step, direct = LEAST_A, None if pauses else write.low, 1.0, False
            if not pauses and write.low > 0.0:
                self._say(("chargers",), f"{limit.address} from {write.low:g} A", "0 A or a point enable for a pause")
        else:
            direct = f"{address}.soc" in self.points
            least = float(self.row.least_dc_kw) if direct else LEAST_A * PHASE_KV
            pause, step = write.low, 0.5 if direct else 0.1
        return Charger(
            address, limit.address, limit.unit, write.high, least, pause,
            f"{address}.enable" if pauses else "", step, (), place % 3, direct, priority,
        )  # fmt: skip

    def _supplies(self, chargers: Sequence[Charger]) -> tuple[Supply, ...]:
        row = self.row
        safe_kw = 3.0 * PHASE_KV * float(row.safe_a)
        every = frozenset(one.id for one in chargers)
        limit_kw = self.contract_kw * (1.0 - float(row.margin_percent) / 100.0)
        found = [Supply("contract", Name("契約容量", "Contract"), every, limit_kw, row.meter, safe_kw=safe_kw)]
        below: dict[str, set[str]] = {}
        for one in chargers:
            for address in self._up(one.id):
                below.setdefault(address, set()).add(one.id)
        feeders = {str(self.equipment[one.id].parameters.get("fed_by", "")) for one in chargers}
        for address, members in sorted(below.items()):
            piece = self.equipment[address]
            rated = piece.parameters.get("rated_kva")
            meter = f"{address}.apparent_power"
            if isinstance(rated, (int, float)) and meter in self.points:
                most = float(rated) * float(row.transformer_percent) / 100.0
                found.append(Supply(address, piece.name, frozenset(members), most, meter, safe_kw=safe_kw))
            elif address in feeders:
                branch = float(row.branch_a)
                found.append(Supply(address, piece.name, frozenset(members), limit_a=branch, safe_kw=safe_kw))
        return tuple(found)

    def _up(self, address: str) -> list[str]:
        """Return what feeds a charger, the nearest first."""
        found: list[str] = []
        while len(found) < _SUPPLY_MOST:
            address = str(self.equipment[address].parameters.get("fed_by", ""))
            if address not in self.equipment or address in found:
                break
            found.append(address)
        if not found:
            self._say(("chargers",), "a charger without fed_by", "the parameter fed_by of each, a feeder of the site")
        return found

    def _garage(self) -> Garage:
        numbers, cards = {}, {}
        for vehicle in self.fleet.vehicles:
            departure = _minutes(vehicle.departure) if vehicle.departure else None
            car = Car(vehicle.id, vehicle.plate, vehicle.battery_kwh, vehicle.max_kw, departure)
            if (digits := re.search(r"\d+$", vehicle.id)) is not None:
                numbers[int(digits.group())] = car
            if re.fullmatch(r"[0-9A-Fa-f]{1,8}", vehicle.rfid):
                cards[int(vehicle.rfid, 16)] = car
        row = self.row.assumed or ChargingAssumedRow()
        return Garage(
            numbers,
            cards,
            Assumption(
                fleet_charge=float(row.fleet_charge_percent) / 100.0,
                fleet_departure=_minutes(row.fleet_departure),
                commuter_until=_minutes(row.commuter_until),
                commuter_from=_minutes(row.commuter_from),
                commuter_departure=_minutes(row.commuter_departure),
                visit_h=float(row.visit_h),
                kwh=float(row.kwh),
                kw=float(row.kw),
                battery_kwh=float(row.battery_kwh),
            ),
            self.office,
        )

    def _pieces(self, key: str, patterns: Sequence[str]) -> list[str]:
        found: dict[str, None] = {}
        for pattern in patterns:
            fitting = [address for address in self.equipment if fnmatch.fnmatchcase(address, pattern)]
            if not fitting:
                self._say((key,), f'"{pattern}"', "equipment of this site", nearest(pattern, self.equipment))
            found |= dict.fromkeys(fitting)
        return list(found)

    def _say(self, path: tuple[str | int, ...], got: str, wanted: str, todo: str = "") -> None:
        key = ".".join([_PATH, *(str(one) for one in path if isinstance(one, str))])
        problem = Problem(self.places.name, self.places.line((_PATH, *path)), key, got, wanted, todo)
        if problem not in self.problems:
            self.problems.append(problem)


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
