"""Devices that stand for several pieces of equipment."""

from __future__ import annotations

import pytest

from controller.settings.part import part_of
from simulators.site import SimulatedDevice, point_address
from tests.unit.controller.settings.conftest import Folder

PARTS = {"zone_*": "b.fire.zone*", "ch_1": "b.water.wm05"}
COUNTER = """\
[[device]]
id = "counter"
equipment = "main.electrical.meter1"
profile = "site-standard-pulse-counter"
endpoint = "tcp://192.0.2.11:502"
parts = { PARTS }
"""
WATER = """
[[equipment]]
id = "main.water.wm{n}"
for = { n = "1..3" }
class = "water_meter_pulse"
name = { zh = "水表 {n}", en = "Water meter {n}" }
area = "office"
"""


@pytest.mark.parametrize(
    ("tag", "address"),
    [
        ("zone_07_state", "b.fire.zone07.state"),
        ("zone_07_first_detector", "b.fire.zone07.first_detector"),
        ("ch_1_pulses", "b.water.wm05.pulses"),
        ("ch_10_pulses", "b.fire.panel.pre_ch_10_pulses"),
        ("zone_state", "b.fire.panel.pre_zone_state"),
        ("zones_in_fire", "b.fire.panel.pre_zones_in_fire"),
    ],
)
def test_a_point_belongs_where_its_tag_says_in_both_readers(tag: str, address: str) -> None:
    found = part_of(tag, PARTS)
    assert (f"{found.address}.{found.tag}" if found else f"b.fire.panel.pre_{tag}") == address
    row = SimulatedDevice("d", "b.fire.panel", "p", "tcp://127.0.0.1:502", prefix="pre_", parts=PARTS)
    assert point_address(row, tag) == address


def test_points_of_a_counter_are_those_of_the_meters_behind_it(folder: Folder) -> None:
    folder.write("equipment.toml", folder.text("equipment.toml") + WATER)
    parts = ", ".join(f'ch_{n} = "main.water.wm{n}"' for n in (1, 2, 3))
    folder.write("devices/counter.toml", COUNTER.replace("PARTS", parts))
    site = folder.load().site
    pulses = site.points["main.water.wm2.pulses"]
    assert (pulses.equipment, pulses.area, pulses.device, pulses.tag) == (
        "main.water.wm2", "office", "counter", "ch_2_pulses"
    )  # fmt: skip
    assert site.points["main.electrical.meter1.ch_4_pulses"].equipment == "main.electrical.meter1"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ('ch_1 = "main.water.wm9"', 'device.parts: got "main.water.wm9", wanted an address of equipment.toml'),
        ('zone_1 = "main.water.wm1"', 'device.parts: got "zone_1", wanted what tags of the profile'),
    ],
)
def test_a_part_that_is_not_there_is_said(folder: Folder, parts: str, message: str) -> None:
    folder.write("equipment.toml", folder.text("equipment.toml") + WATER)
    folder.write("devices/counter.toml", COUNTER.replace("PARTS", parts))
    assert message in str(folder.problems()[0])
