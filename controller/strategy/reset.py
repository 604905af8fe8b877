"""Chilled-water reset (冰水設定值重置), slot 12: as warm and as low in pressure as the air handlers allow.

The plant reset u of Guideline 36 (`controller.strategy.trim`) is shared out as there: from 0 to 0.5 the pressure
set-point rises from its least to its most at the warmest water, from 0.5 to 1 the water falls from its warmest to its
coldest. In Taipei's humid air the warmest is 10 to 11 °C, or the coils no longer dry (control reference 8.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from controller.point.model import Name
from controller.strategy.strategy import Decision, Figure, Part, Target
from controller.strategy.trim import PLANT_RESET, Loop, Request, RequestMemory, Trim, requests, trimmed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.alarm.definition import AlarmDefinition
    from controller.strategy.strategy import Past, View

__all__ = ["Coil", "Machine", "Reset", "ResetMemory"]

SLOT = 12
_NAME = Name("冰水設定值重置", "Chilled-water reset")
_STAGING_S = 900.0
"""The set-point is held so long after a machine started or stopped (8.1: the longer of 15 min and the staging)."""
_WATER_STEP_K = 0.5
"""Largest change of the water's set-point a look, and so in 5 minutes (control reference 10)."""
_KNOWN_SHARE = 0.5
"""With fewer valves known than this share of those that run, nobody knows what is asked for."""
_ROGUE = 0.7
"""A coil that asks for more than this share of the time is a rogue: its valve, sensor or size wants a look (8.1)."""
_ROGUE_S = 4 * 3600.0


@dataclass(frozen=True, slots=True)
class Machine:
    """A chiller."""

    name: Name
    state: str
    """Point with its state."""
    running: tuple[int, ...]
    """States in which it cools."""
    setpoint: str
    """Point of its leaving-water set-point, °C."""


@dataclass(frozen=True, slots=True)
class Coil:
    """An air handler that may ask for colder water."""

    name: Name
    valve: str
    """Point of the valve's position, %."""
    fan: str = ""
    """Point that is 1 while its fan runs; empty: always."""
    supply: str = ""
    supply_setpoint: str = ""
    humidity: str = ""


@dataclass(frozen=True, slots=True)
class ResetMemory:
    """What the reset remembers."""

    trim: Trim
    coils: Mapping[str, RequestMemory] = field(default_factory=dict)
    water_c: float = math.nan
    """Set-point now in effect; NaN while there is none."""
    pressure_kpa: float = math.nan
    now: float = math.nan


@dataclass(frozen=True, slots=True)
class Reset:
    """The strategy, as the site configures it."""

    machines: tuple[Machine, ...]
    coils: tuple[Coil, ...]
    coldest_c: float = 7.0
    warmest_c: float = 10.0
    pressure: str = ""
    """Point of the header's pressure set-point, kPa; empty: the water alone is reset."""
    least_kpa: float = 60.0
    most_kpa: float = 100.0
    humid_percent: float = 65.0
    loop: Loop = PLANT_RESET
    period_s: float = 30.0
    name: Name = _NAME
    id: str = "reset"

    @property
    def slot(self) -> int:
        """Slot 12."""
        return SLOT

    @property
    def inputs(self) -> tuple[str, ...]:
        """States of the machines and positions of the valves."""
        return (*(machine.state for machine in self.machines), *(coil.valve for coil in self.coils))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The set-points of the machines and of the header's pressure."""
        return (*(machine.setpoint for machine in self.machines), *((self.pressure,) if self.pressure else ()))

    @property
    def alarms(self) -> tuple[AlarmDefinition, ...]:
        """None of its own."""
        return ()

    def begin(self, view: View, past: Sequence[Past]) -> ResetMemory:  # noqa: ARG002 - the shape of the contract
        """Return the first memory: as if the plant were off."""
        return ResetMemory(Trim(self.loop.start))

    def decide(self, view: View, memory: ResetMemory) -> tuple[Decision, ResetMemory]:
        """Return the set-points, and why."""
        states = [view.value(machine.state) for machine in self.machines]
        if all(map(math.isnan, states)):
            why = Name("所有冰水主機狀態不明，已退讓", "The state of no chiller is known: stepped back")
            return Decision("stepped_back", why), self.begin(view, ())
        stage = sum(state in machine.running for state, machine in zip(states, self.machines, strict=True))
        asked, coils, known = self._asked(view, memory)
        doubt = [one.name for one, state in zip(self.machines, states, strict=True) if math.isnan(state)]
        if stage == 0 and doubt:
            # It may be the one that cools: whoever says that none runs would be guessing.
            zh, en = f"{doubt[0].zh}狀態不明，其他主機未運轉", f"The state of {doubt[0].en} is not known, no other"
            why = Name(f"{zh}，已退讓", f"{en} chiller runs: stepped back")
            return Decision("stepped_back", why, parts=self._parts(asked, coils)), self.begin(view, ())
        if stage and len(known) < _KNOWN_SHARE * max(1, sum(one.word != "off" for one in asked.values())):
            why = Name("多數空調箱閥位不明，已退讓", "Most valve positions are not known: stepped back")
            return Decision("stepped_back", why, parts=self._parts(asked, coils)), self.begin(view, ())
        total = sum(one.number for one in asked.values())
        trim = trimmed(self.loop, memory.trim, view.now, stage, total, _STAGING_S)
        if stage == 0:
            why = Name("冰水主機未運轉，不設定", "No chiller runs: nothing to set")
            memory = ResetMemory(trim, coils, now=view.now)
            return Decision("watching", why, figures=self._figures(memory, total, stage)), memory
        water, pressure = self._set_points(trim.value)
        if not math.isnan(memory.water_c) and trim.due != memory.trim.due:
            water = min(max(water, memory.water_c - _WATER_STEP_K), memory.water_c + _WATER_STEP_K)
        elif not math.isnan(memory.water_c):
            water, pressure = memory.water_c, memory.pressure_kpa
        memory = replace(memory, trim=trim, coils=coils, water_c=water, pressure_kpa=pressure, now=view.now)
        return self._decision(view, memory, asked, total, stage), memory

    def _asked(self, view: View, memory: ResetMemory) -> tuple[dict[str, Request], dict[str, RequestMemory], list[str]]:
        asked: dict[str, Request] = {}
        after: dict[str, RequestMemory] = {}
        known = []
        passed = min(max(0.0, view.now - memory.now), 2.0 * self.period_s) if not math.isnan(memory.now) else 0.0
        for coil in self.coils:
            before = memory.coils.get(coil.valve, RequestMemory())
            if coil.fan and view.value(coil.fan) == 0.0:
                asked[coil.valve] = Request(0, "off")
                after[coil.valve] = RequestMemory(asked_s=before.asked_s, seen_s=before.seen_s)
                continue
            above = view.value(coil.supply) - view.value(coil.supply_setpoint) if coil.supply else math.nan
            humid = view.value(coil.humidity) if coil.humidity else math.nan
            found, new = requests(before, view.now, view.value(coil.valve), above, humid, self.humid_percent)
            asked[coil.valve] = found
            after[coil.valve] = replace(
                new, seen_s=before.seen_s + passed, asked_s=before.asked_s + (passed if found.number else 0.0)
            )
            if found.word != "unknown":
                known.append(coil.valve)
        return asked, after, known

    def _set_points(self, u: float) -> tuple[float, float]:
        """Return water and pressure for a plant reset, rounded to what is worth a write."""
        water = self.warmest_c - max(0.0, 2.0 * u - 1.0) * (self.warmest_c - self.coldest_c)
        pressure = self.least_kpa + min(1.0, 2.0 * u) * (self.most_kpa - self.least_kpa)
        return round(water, 1), round(pressure)

    # -- saying ------------------------------------------------------------------------------------------------------

    def _decision(
        self, view: View, memory: ResetMemory, asked: Mapping[str, Request], total: int, stage: int
    ) -> Decision:
        water, pressure = memory.water_c, memory.pressure_kpa
        kpa = f"、{pressure:g} kPa" if self.pressure else ""
        kpa_en = f" and {pressure:g} kPa" if self.pressure else ""
        if total > self.loop.ignored:
            zh, en = f"{total} 個需求要求較冷的冰水", f"{total} requests ask for colder water"
        else:
            zh, en = (
                f"需求 {total} 個，未超過 {self.loop.ignored} 個",
                f"{total} requests, no more than {self.loop.ignored}",
            )
        if view.now < memory.trim.held_until:
            zh, en = "主機加減載中，維持設定值", "a chiller started or stopped: held"
        elif view.now < memory.trim.on_since + self.loop.delay_s:
            zh, en = "主機啟動未滿 15 分鐘，維持最低水溫", "the plant runs for less than 15 minutes: coldest water"
        why = Name(f"冰水設定值 {water:g} °C{kpa}：{zh}", f"Chilled water at {water:g} °C{kpa_en}: {en}")
        targets = [Target(machine.setpoint, water, why) for machine in self.machines]
        if self.pressure:
            targets.append(Target(self.pressure, pressure, why))
        return Decision(
            "acting", why, tuple(targets), self._figures(memory, total, stage), self._parts(asked, memory.coils)
        )

    def _figures(self, memory: ResetMemory, total: int, stage: int) -> tuple[Figure, ...]:
        return (
            Figure("water", Name("冰水設定值", "Chilled-water set-point"), memory.water_c, "°C"),
            *(
                (Figure("pressure", Name("壓差設定值", "Pressure set-point"), memory.pressure_kpa, "kPa"),)
                if self.pressure
                else ()
            ),
            Figure("requests", Name("需求數", "Requests"), float(total)),
            Figure("reset", Name("重置值（0 最省，1 最冷）", "Reset (0 saves most, 1 coldest)"), memory.trim.value),
            Figure("machines", Name("運轉主機", "Chillers running"), float(stage)),
        )

    def _parts(self, asked: Mapping[str, Request], coils: Mapping[str, RequestMemory]) -> tuple[Part, ...]:
        """Return the coils that ask or are not known, those that ask most first."""
        found = []
        for coil in self.coils:
            request, memory = asked[coil.valve], coils[coil.valve]
            if request.word in ("none", "off"):
                continue
            share = memory.asked_s / memory.seen_s if memory.seen_s else 0.0
            rogue = share > _ROGUE and memory.seen_s > _ROGUE_S
            note = Name(
                "長時間要求冷水，請檢查閥、感測器或容量", "asks nearly all the time: look at valve, sensor, size"
            )
            found.append(
                Part(
                    coil.valve,
                    coil.name,
                    request.word,
                    (coil.valve,),
                    note if rogue else None,
                    (
                        Figure("requests", Name("需求數", "Requests"), float(request.number)),
                        Figure("share", Name("要求時間比例", "Share of time asking"), 100.0 * share, "%"),
                    ),
                )
            )
        return tuple(sorted(found, key=lambda part: (-part.figures[0].value, part.id)))
