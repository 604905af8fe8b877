"""Energy and vehicle rows to what the rest uses: carbon factors, meters of the site and of uses, official vehicles."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from controller.energy.carbon import Factor
from controller.energy.load import Counter
from controller.energy.meter import Meters
from controller.energy.statement import Books
from controller.energy.statement import EndUse as UseMeters
from controller.point.model import Name
from controller.settings.problem import Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.energy.tariff import TariffPlan
    from controller.point.model import Equipment, Point, Site
    from controller.settings.read import Rows

__all__ = ["COUNTER", "EndUse", "EnergyPlan", "Fleet", "Vehicle", "books_of", "energy_plan", "vehicles"]

_REACTIVE, _REACTIVE_POWER = "reactive_energy_import", "reactive_power"
COUNTER = "energy_import"
"""Tag of a meter's energy counter, kWh."""


@dataclass(frozen=True, slots=True)
class EndUse:
    """What energy is used for, and the counters that measure it."""

    id: str
    name: Name
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnergyPlan:
    """What the site measures of its energy, and the factors for its carbon."""

    factors: tuple[Factor, ...] = ()
    main: tuple[str, ...] = ()
    """Addresses of the counters that measure all electricity, each once."""
    uses: tuple[EndUse, ...] = ()
    outdoor: str = ""
    """Address of the point of the outdoor temperature; empty: none."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """An official vehicle (公務車) as chargers know it."""

    id: str
    plate: str
    unit: str
    """The office that runs it."""
    battery_kwh: float
    max_kw: float
    departure: str = ""
    """`HH:MM` on working days; empty when it has no fixed time."""
    rfid: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The official vehicles, to be found by what a charger reports."""

    vehicles: tuple[Vehicle, ...] = ()
    by_plate: Mapping[str, Vehicle] = field(default_factory=dict)
    by_rfid: Mapping[str, Vehicle] = field(default_factory=dict)

    def find(self, reported: str) -> Vehicle | None:
        """Return the vehicle of a plate or card number, however it is spaced and spelt; None for anybody else's."""
        key = _plain(reported)
        return self.by_plate.get(key) or self.by_rfid.get(key)


def energy_plan(
    rows: Rows, equipment: Mapping[str, Equipment], points: Mapping[str, Point], problems: list[Problem]
) -> EnergyPlan:
    """Return what energy.toml says; what is wrong is appended to `problems`."""
    places, row = rows.energy_places, rows.energy

    def counters(patterns: Sequence[str], path: tuple[str | int, ...], key: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for pattern in patterns:
            pieces = [address for address in equipment if fnmatch.fnmatchcase(address, pattern)]
            fitting = [f"{address}.{COUNTER}" for address in pieces if f"{address}.{COUNTER}" in points]
            if not fitting:
                got = f'"{pattern}"' if not pieces else f"{pieces[0]} without a point {COUNTER}"
                todo = nearest(pattern, equipment)
                problems.append(Problem(places.name, places.line(path), key, got, f"meters with {COUNTER}", todo))
            found |= dict.fromkeys(fitting)
        return tuple(found)

    years: dict[int, int] = {}
    for at, factor in enumerate(row.carbon):
        line = places.line(("carbon", at, "year"))
        if factor.year in years:
            todo = f"It is at line {years[factor.year]} too."
            problems.append(Problem(places.name, line, "carbon.year", str(factor.year), "each year once", todo))
        years.setdefault(factor.year, line)
    uses: dict[str, EndUse] = {}
    measured: dict[str, str] = {}
    for at, use in enumerate(row.use):
        if use.id in uses:
            line = places.line(("use", at, "id"))
            problems.append(Problem(places.name, line, "use.id", f'"{use.id}" twice', "each use once"))
        found = counters(use.meters, ("use", at, "meters"), "use.meters")
        for address in found:
            other = measured.setdefault(address, use.id)
            if other != use.id:
                line = places.line(("use", at, "meters"))
                todo = f'It counts for "{other}".'
                problems.append(Problem(places.name, line, "use.meters", address, "each meter in one use", todo))
                break
        uses[use.id] = EndUse(use.id, Name(use.name.zh, use.name.en), found)
    if row.outdoor and getattr(points.get(row.outdoor), "unit", "") != "°C":
        got = f'"{row.outdoor}"' if row.outdoor not in points else f"{row.outdoor} in {points[row.outdoor].unit}"
        line, todo = places.line(("outdoor",)), nearest(row.outdoor, points)
        problems.append(Problem(places.name, line, "outdoor", got, "a point in °C", todo))
    return EnergyPlan(
        factors=tuple(Factor(one.year, float(one.kg_per_kwh), one.source, one.note) for one in row.carbon),
        main=counters(row.main, ("main",), "main"),
        uses=tuple(uses.values()),
        outdoor=row.outdoor,
    )


def books_of(
    plan: EnergyPlan, tariff: TariffPlan, site: Site, visible: Callable[[Point], bool] = lambda _: True
) -> Books:
    """Return what statements are made of, of the meters that are `visible`.

    The main meters stand for the whole site together: where one of them is not visible there is none, and no bill.
    """
    points = site.points

    def meters(addresses: Sequence[str]) -> Meters:
        mine = [points[address] for address in addresses if address in points and visible(points[address])]
        pieces = [point.equipment for point in mine]
        reactive = [points.get(f"{piece}.{_REACTIVE}") for piece in pieces]
        power = [points.get(f"{piece}.{_REACTIVE_POWER}") for piece in pieces]
        counters = tuple(Counter(point.number, point.wrap_at) for point in reactive if point is not None)
        numbers = tuple(point.number for point in power if point is not None)
        whole = len(counters) == len(mine)
        return Meters(
            tuple(Counter(point.number, point.wrap_at) for point in mine),
            counters if whole else (),
            numbers if not whole and len(numbers) == len(mine) else (),
        )

    main = meters(plan.main)
    whole = len(main.energy) == len(plan.main)
    outdoor = points.get(plan.outdoor)
    return Books(
        zone=ZoneInfo(site.timezone),
        main=main if whole else Meters(()),
        uses=tuple(UseMeters(use.id, use.name, meters(use.points)) for use in plan.uses),
        factors=plan.factors,
        tariff=tariff if whole and tariff.account is not None else None,
        outdoor=outdoor.number if outdoor is not None and visible(outdoor) else None,
    )


def vehicles(rows: Rows, problems: list[Problem]) -> Fleet:
    """Return the official vehicles; what is wrong is appended to `problems`."""
    seen: dict[tuple[str, str], str] = {}
    found = []
    for placed in rows.vehicles:
        row = placed.row
        for key, value in (("id", row.id), ("plate", _plain(row.plate)), ("rfid", _plain(row.rfid))):
            place = f"{placed.file}:{placed.line}"
            other = seen.setdefault((key, value), place) if value else place
            if other != place:
                got, todo = f'"{getattr(row, key)}"', f"It is at {other} too."
                line = placed.line_of(key)
                problems.append(Problem(placed.file, line, f"vehicle.{key}", got, "a vehicle of its own", todo))
        found.append(
            Vehicle(
                row.id,
                row.plate,
                row.unit,
                float(row.battery_kwh),
                float(row.max_kw),
                row.departure or "",
                row.rfid,
                row.note,
            )
        )
    return Fleet(
        tuple(found),
        {_plain(vehicle.plate): vehicle for vehicle in found},
        {_plain(vehicle.rfid): vehicle for vehicle in found if vehicle.rfid},
    )


def _plain(text: str) -> str:
    return "".join(char for char in text[:64].upper() if char.isalnum())
