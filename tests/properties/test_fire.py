"""Real signals in any order, seeded: whatever panel, links, people, programs, journal and restarts do, a fire is kept.

The rules are checked in `tests.virtual.fire` from the panel's truth and the devices' own ledgers.
"""

from __future__ import annotations

import numpy as np
import pytest

from controller.safety.fire import FireStatus
from controller.safety.response import Phase
from simulators.plant.firepanel import FIRE
from tests.virtual.fire import FIRE_DEVICES, FireHouse

SEEDS = range(200)
GROUPS = 8


HAPPENINGS = (
    *("fire",) * 4, "pre_alarm", "zone_fault", "zone_test", "mend", *("reset",) * 2, *("link",) * 2, "freeze", "deny",
    *("clear",) * 2, *("operator",) * 2, "emergency", *("stand_down",) * 3, "restart", "journal", "machine", "clock",
    *("again",) * 2, "jam",
)  # fmt: skip
"""What can happen, as often as it is likely."""


async def act(house: FireHouse) -> None:
    """Do one thing of what can happen."""
    plant, dice = house.plant, house.random
    kind = dice.choice(HAPPENINGS)
    zone = dice.randint(9, 28)
    match kind:
        case "fire":
            house.burn(dice.choice(["3F", "4F", "B1"]))
        case "pre_alarm" | "zone_fault" | "zone_test" | "mend":
            if plant.panel.zone[zone - 1] != FIRE:
                house.happen(kind, zone=zone)
        case "reset":
            house.happen("reset")
        case "link":
            plant.deaf ^= {dice.choice(FIRE_DEVICES)}
        case "freeze":
            plant.forced["fire-panel", "heartbeat"] = 7.0
        case "deny":
            plant.forced["fire-panel", "fire"] = 0.0
        case "clear":
            plant.forced.clear()
        case "operator":
            house.ask("cityhall.hvac.ahu_03f_n.fan_cmd", 8, float(dice.randint(0, 1)), "operator")
            house.ask("cityhall.access.n_03f_1.mode", 8, 0.0, "guard")
        case "emergency":
            house.ask("cityhall.carpark.fan01.run_cmd", 7, float(dice.randint(0, 1)), "officer")
        case "stand_down":
            house.stand_down()
        case "restart":
            if not house.journal.down:
                await house.restart()
        case "journal":
            house.journal.down = not house.journal.down
            house.journal.flush()
        case "machine":
            plant.deaf ^= {dice.choice(["ahu-03f-n", "fan01-drive", "door-n-03f-1"])}
        case "again":
            # The whole way, as it goes in a building: out, reset, stood down, and then it burns somewhere else.
            plant.deaf.discard("fire-relay")
            house.happen("reset")
            await house.run(6.0)
            house.stand_down()
            await house.run(dice.choice([0.5, 1.0, 2.0, 4.0]))
            house.burn(dice.choice(["3F", "4F", "B1"]))
        case "jam":
            house.happen("jam", output="gas_valve_1")
        case "clock":
            house.clock.jump(dice.choice([-3600.0, 3600.0]))


async def play(seed: int) -> FireHouse:
    house = await FireHouse(seed).open()
    await house.run(4.0)
    for _ in range(house.random.randint(6, 14)):
        await act(house)
        await house.run(house.random.choice([0.5, 0.5, 2.0, 5.0, 12.0]))
    # In the end everything is well again, and an officer stands down: the building must be given back whole.
    lost = bool(house.plant.deaf)
    house.plant.deaf.clear()
    house.plant.forced.clear()
    house.journal.down = False
    house.journal.flush()
    house.plant.panel.zone[:] = 0.0
    house.happen("reset")
    await house.run(35.0 if lost else 8.0)
    assert house.fire.picture.status is FireStatus.NORMAL, (seed, house.fire.picture)
    if house.fire.response.phase is Phase.ACTIVE:
        assert house.stand_down(), seed
    await house.run(8.0)
    house.done()
    return house


@pytest.mark.parametrize("group", range(GROUPS))
async def test_whatever_happens_the_rules_of_fire_are_kept(group: int) -> None:
    refused = taken = stood_down = again = 0
    for seed in SEEDS[group::GROUPS]:
        house = await play(seed)
        assert not house.wrong, (seed, house.wrong[:5])
        assert house.fire.response.phase is Phase.IDLE, seed
        assert not house.fire.unrecorded, seed
        before = house.commanded()
        for _ in range(11):  # what the schedule wants changes every 20 s
            if house.commanded() == before:
                await house.run(2.0)
        assert house.commanded() > before, (seed, "the building is not given back: nothing is written")
        refused, taken, stood_down = refused + house.refused, taken + house.taken, stood_down + house.stood_down
        again += house.again
        await house.kill()
    # The rules mean something only where they were put to the test.
    assert refused > 1000
    assert taken > 1000
    assert stood_down > len(SEEDS[group::GROUPS]) // 2
    assert again > len(SEEDS[group::GROUPS]) // 8


def test_the_house_would_notice() -> None:
    """The oracle itself: a write to a device that the fire has, or to the panel, is noticed."""
    house = FireHouse(1)
    house.must_hold.add("ahu-03f-n")
    house._written("ahu-03f-n", "fan_cmd", 1.0)
    house._written("fire-panel", "fire", 0.0)
    house._written("ch1-unit", "chw_setpoint", 7.0)
    assert len(house.wrong) == 2
    assert np.isfinite(house.clock.monotonic())
