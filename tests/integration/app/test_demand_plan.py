"""Demand limiting by plan in a whole controller: asked of the job process, begun, brought through its stages, shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.strategy import planner
from tests.services.city import wait_for
from tests.services.handlers import handled
from tests.services.hurry import Hurry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from controller.app import Controller

METER = "main.electrical.meter1.power"
ROOMS = tuple(f"main.hvac.ahu{n}" for n in range(1, 7))
STRATEGY = """[demand]
mode = "run"
meter = "main.electrical.meter1.power"
contract_kw = 500

[[demand.shed]]
id = "fans"
name = { zh = "風管靜壓", en = "Duct pressure" }
points = ["main.hvac.ahu*.supply_static_pressure_sp"]
priority = 1
at_most = [200, 150]
kw = 2
running = "fan_run"
comfort = true
minutes_per_hour = 30
stages = [{ minutes = 6, level = 2 }]

[[demand.shed]]
id = "rooms"
name = { zh = "區域溫度設定值", en = "Room set-points" }
points = ["main.hvac.ahu*.zone_temp_sp"]
priority = 2
higher = [0.5, 1.0]
kw = 12
running = "fan_run"
comfort = true
minutes_per_hour = 30
beside = "fans"
stages = [{ minutes = 3, level = 2 }, { minutes = 2, level = 1 }]
answer = [12, 12, 8, -6, -6, -4]
"""


def test_a_plan_comes_from_the_job_process_and_is_carried_out_stage_by_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Forty times faster, a job process that takes five seconds to start has taken more than three minutes.
    monkeypatch.setattr(planner, "_STALE_S", 1e9)
    handled(tmp_path, len(ROOMS), STRATEGY, "{ zone_temp_sp = 26.0, supply_static_pressure_sp = 250.0 }")
    house = {"kw": 430.0}
    seen: list[tuple[float, float]] = []

    def values(controller: Controller) -> Mapping[str, float]:
        slots = controller.parts.arbiter.slots
        shed = [slots(f"{room}.zone_temp_sp")[8] for room in ROOMS]
        for room, slot in zip(ROOMS, shed, strict=True):
            if slot is not None:
                other = slots(f"{room}.supply_static_pressure_sp")[8]
                seen.append((slot.value, -1.0 if other is None else other.value))
        rows = {METER: house["kw"] - 12.0 * sum(slot is not None for slot in shed)}
        for room in ROOMS:
            rows |= {f"{room}.zone_temp": 25.0, f"{room}.return_co2": 700.0, f"{room}.fan_run": 1.0}
            rows |= {f"{room}.zone_temp_sp": 26.0, f"{room}.supply_static_pressure_sp": 250.0}
        return rows

    with Hurry(tmp_path, values, speed=40.0) as running:
        strategies = running.controller.strategies

        def figure(name: str) -> float:
            return {one.id: one.value for one in strategies.status("demand").decision.figures}.get(name, -1.0)

        wait_for(lambda: figure("power") > 400.0, 30, "it never decided")
        assert strategies.status("demand").held == ()
        house["kw"] = 520.0
        wait_for(lambda: figure("ahead") > 400.0, 60, "no plan came from the job process")
        wait_for(lambda: strategies.status("demand").held, 60, "nothing was begun")
        said = strategies.status("demand").decision
        assert "依未來三小時預測之計畫" in said.targets[0].why.zh
        assert "by plan for the next three hours" in said.targets[0].why.en
        house["kw"] = 430.0
        wait_for(lambda: not strategies.status("demand").held, 90, "stages never ended")
        assert strategies.faults == 0
    assert (27.0, 150.0) in seen, "the first stage, and the fan beside it"
    assert (26.5, 150.0) in seen, "the second"
