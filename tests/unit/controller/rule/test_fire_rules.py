"""The rules of the fire panel as the site has them: what is not known is never normal."""

from __future__ import annotations

import numpy as np
import pytest

from controller.clock import VirtualClock
from controller.point.registry import Registry
from controller.point.table import PointTable
from controller.rule.engine import RuleEngine
from controller.settings.load import load
from controller.share import share_dir
from drivers.reading import Quality, Readings

PANEL = "cityhall.fire.panel"
NORMAL, FIRE, FAULT, UNKNOWN = 0.0, 1.0, 2.0, 3.0
INPUTS = {
    "beat": f"{PANEL}.heartbeat", "fire": f"{PANEL}.fire", "fault": f"{PANEL}.fault",
    "relay_fire": "cityhall.fire.relay.fire", "relay_fault": "cityhall.fire.relay.fault",
    "zone": "cityhall.fire.zone01.state",
}  # fmt: skip


class Panel:
    """The panel's points, told once a second, and its rules."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        made = load(share_dir("config") / "taipei-city-hall", Registry(), clock=self.clock, environment={})
        self.site = made.site
        self.table = PointTable(made.site, self.clock)
        mine = [rule for rule in made.rules if rule.id.startswith("fire-")]
        self.engine = RuleEngine(mine, made.site, self.clock)
        self.now = dict.fromkeys(INPUTS, 0.0)
        self.quality = dict.fromkeys(INPUTS, Quality.GOOD)

    async def run(self, seconds: int, *, beat: bool = True, silent: bool = False) -> dict[str, float]:
        """Let seconds pass, with or without a heartbeat, or without any answer; return what the rules say then."""
        said: dict[str, float] = {}
        for _ in range(seconds):
            await self.clock.advance(1.0)
            self.now["beat"] += beat
            if not silent:
                numbers = [self.site.points[INPUTS[name]].number for name in INPUTS]
                self.table.apply(
                    Readings(
                        np.array(numbers, np.int32),
                        np.array([self.now[name] for name in INPUTS]),
                        np.full(len(INPUTS), self.clock.now_ns()),
                        np.array([self.quality[name] for name in INPUTS], np.uint8),
                    )
                )
            self.table.expire()
            made = self.engine.evaluate(self.table)
            value = dict(
                zip(made.point.tolist(), np.where(made.quality < 64, made.value, np.nan).tolist(), strict=True)
            )
            said = {
                tag: value[self.site.points[f"{PANEL}.{tag}"].number]
                for tag in ("fire_status", "panel_lost", "fire_unlocated", "relay_disagrees")
            }
        return said


@pytest.fixture(scope="module")
def made() -> Panel:
    return Panel()


@pytest.fixture
async def panel(made: Panel) -> Panel:
    """The panel, normal for some seconds."""
    made.now |= dict.fromkeys([name for name in INPUTS if name != "beat"], 0.0)
    made.quality = dict.fromkeys(INPUTS, Quality.GOOD)
    assert (await made.run(30))["fire_status"] == NORMAL
    return made


async def test_a_start_is_unknown_but_no_alarm() -> None:
    fresh = Panel()
    for _ in range(2):
        said = await fresh.run(1)
        assert said["fire_status"] == UNKNOWN
        assert said["panel_lost"] == 0.0
    assert (await fresh.run(4))["fire_status"] == NORMAL


async def test_a_heartbeat_that_stands_still_is_unknown_within_ten_seconds(panel: Panel) -> None:
    assert (await panel.run(3, beat=False))["panel_lost"] == 0.0
    said = await panel.run(6, beat=False)
    assert (said["panel_lost"], said["fire_status"]) == (1.0, UNKNOWN)
    said = await panel.run(3)
    assert (said["panel_lost"], said["fire_status"]) == (0.0, NORMAL)


async def test_a_panel_that_does_not_answer_is_unknown_within_ten_seconds_and_stays_so(panel: Panel) -> None:
    assert (await panel.run(9, silent=True))["fire_status"] == UNKNOWN
    panel.quality = dict.fromkeys(INPUTS, Quality.BAD_COMM)
    said = await panel.run(120)
    assert (said["panel_lost"], said["fire_status"]) == (1.0, UNKNOWN)


async def test_a_fire_that_was_told_stays_one_when_the_heartbeat_stops(panel: Panel) -> None:
    panel.now["fire"] = panel.now["relay_fire"] = 1.0
    assert (await panel.run(1))["fire_status"] == FIRE
    said = await panel.run(20, beat=False)
    assert (said["fire_status"], said["panel_lost"]) == (FIRE, 1.0)


async def test_a_fault_and_a_fault_that_cannot_be_read_are_not_normal(panel: Panel) -> None:
    panel.now["fault"] = panel.now["relay_fault"] = 1.0
    assert (await panel.run(1))["fire_status"] == FAULT
    panel.quality["fault"] = Quality.BAD_DEVICE
    assert (await panel.run(1))["fire_status"] == FAULT


async def test_a_relay_that_says_something_else_for_ten_seconds_disagrees(panel: Panel) -> None:
    panel.now["relay_fire"] = 1.0
    assert (await panel.run(9))["relay_disagrees"] == 0.0
    assert (await panel.run(3))["relay_disagrees"] == 1.0


async def test_a_fire_whose_zones_cannot_be_read_is_told_as_such(panel: Panel) -> None:
    panel.now["fire"] = panel.now["relay_fire"] = 1.0
    assert (await panel.run(8))["fire_unlocated"] == 0.0
    panel.quality["zone"] = Quality.BAD_DEVICE
    assert (await panel.run(6))["fire_unlocated"] == 1.0
