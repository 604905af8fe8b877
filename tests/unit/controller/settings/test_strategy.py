"""strategy.toml: what it builds, and what it refuses with its line; the comfort limits cannot be configured away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.settings.difference import compare
from controller.settings.overlay import Change, lay_over
from controller.settings.strategy import strategy_key
from controller.share import share_dir
from controller.strategy.demand import Demand
from controller.strategy.reset import Reset

Folder = Any

EQUIPMENT = """
[[equipment]]
id = "main.hvac.ahu{n}"
for = { n = "1..3" }
class = "ahu"
name = { zh = "{n} 號空調箱", en = "Air handler {n}" }
floor = "1F"
area = "office"
each = { "3" = { area = "childcare" } }

[[equipment]]
id = "main.plant.ch1"
class = "chiller"
name = { zh = "冰水主機", en = "Chiller" }
floor = "1F"
area = "office"

[[equipment]]
id = "main.carpark.fan1"
class = "car_park_fan"
name = { zh = "排風機", en = "Fan" }
floor = "1F"
area = "office"
"""
DEVICES = """
[[device]]
id = "ahu{n}"
for = { n = "1..3" }
equipment = "main.hvac.ahu{n}"
profile = "site-standard-ahu"
endpoint = "opc.tcp://192.0.2.20:4840"
defaults = { zone_temp_sp = 26.0 }
options = { node_prefix = "AHU/{n}" }
secrets = { user_env = "A", password_env = "B", certificate_env = "C", private_key_env = "D", ca_env = "E" }

[[device]]
id = "ch1"
equipment = "main.plant.ch1"
profile = "site-standard-chiller"
endpoint = "tcp://192.0.2.30:502"

[[device]]
id = "fan1"
equipment = "main.carpark.fan1"
profile = "abb-ach580-fan"
endpoint = "rtu+tcp://192.0.2.31:4001"
defaults = { speed_cmd = 60.0 }
"""
DEMAND = """[demand]
mode = "run"
meter = "main.electrical.meter1.power"
contract_kw = 500
never = ["childcare"]

[[demand.shed]]
id = "rooms"
name = { zh = "房間", en = "Rooms" }
points = ["main.hvac.ahu1.zone_temp_sp", "main.hvac.ahu2.zone_temp_sp"]
priority = 1
higher = [0.5, 1.0, 2.0]
kw = 12
running = "fan_run"
comfort = true

[[demand.shed]]
id = "chillers"
name = { zh = "主機", en = "Chillers" }
points = ["main.plant.ch1.demand_limit"]
priority = 2
at_most = [90, 80]
power = "power"
kw_per_unit = 2.6
guards = ["main.hvac.ahu*"]
"""
RESET = """
[reset]
coils = ["main.hvac.ahu*"]
[[reset.chillers]]
equipment = ["main.plant.ch1"]
running = [2]
"""


@pytest.fixture
def house(folder: Folder) -> Folder:
    site = folder.text("site.toml")
    if '"office"' not in site:
        site += '\n[[area]]\nid = "office"\nname = { zh = "辦公", en = "Office" }\nbuilding = "main"\n'
    site += '\n[[area]]\nid = "childcare"\nname = { zh = "托嬰", en = "Childcare" }\nbuilding = "main"\n'
    folder.write("site.toml", site)
    folder.write("equipment.toml", folder.text("equipment.toml") + EQUIPMENT)
    folder.write("devices/air.toml", DEVICES)
    folder.write("strategy.toml", DEMAND + RESET)
    return folder


def test_a_site_without_the_file_has_no_strategies(folder: Folder) -> None:
    assert folder.load().strategies == ()


def test_the_file_builds_strategies_with_their_rooms_guards_and_ranges(house: Folder) -> None:
    demand, reset = house.load().strategies
    assert (demand.mode, reset.mode) == ("run", "dry_run")
    strategy = demand.strategy
    assert isinstance(strategy, Demand)
    assert (strategy.contract_kw, strategy.limit_kw) == (500.0, 490.0)
    room, _, chiller = strategy.items
    assert (room.running, room.low, room.high) == ("main.hvac.ahu1.fan_run", 18.0, 28.0)
    assert [one.co2 for one in room.comfort] == ["main.hvac.ahu1.return_co2"]
    assert len(chiller.comfort) == 3, "the childcare centre guards the chiller, though it is never shed itself"
    assert chiller.power == "main.plant.ch1.power"
    assert isinstance(reset.strategy, Reset)
    assert reset.strategy.outputs == ("main.plant.ch1.chw_setpoint",)


def test_a_default_of_the_site_is_where_a_point_goes_back_to(house: Folder) -> None:
    write = house.load().site.points["main.hvac.ahu1.zone_temp_sp"].write
    assert write is not None
    assert write.default == 26.0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("contract_kw = 500", "contract_kw = 0", "strategy.toml:4: demand.contract_kw: got 0, wanted more than 0"),
        ("contract_kw = 500", 'contract_kw = "500"', 'demand.contract_kw: got "500", wanted a number'),
        ("contract_kw = 500", "", "demand.contract_kw: got nothing, wanted this key, or an [account] in tariff.toml"),
        ("meter1.power", "meter1.powr", "strategy.toml:3: demand.meter"),
        (
            'meter = "main.electrical.meter1.power"',
            'meter = "main.electrical.meter1.voltage_l1n"',
            "strategy.toml:3: demand.meter: got main.electrical.meter1.voltage_l1n in V, wanted a point in kW",
        ),
        ('mode = "run"', 'mode = "on"', "strategy.toml:2: demand.mode"),
        ('never = ["childcare"]', 'never = ["nursery"]', 'demand.never: got "nursery", wanted an area of site.toml'),
        ("main.hvac.ahu2.zone_temp_sp", "main.hvac.ahu9.zone_temp_sp", "strategy.toml:10: demand.shed.points"),
        (
            "main.hvac.ahu2.zone_temp_sp",
            "main.hvac.ahu2.zone_temp",
            "strategy.toml:10: demand.shed.points: got main.hvac.ahu2.zone_temp, wanted points that can be commanded",
        ),
        (
            "main.hvac.ahu2.zone_temp_sp",
            "main.hvac.ahu2.supply_static_pressure_sp",
            (
                "got main.hvac.ahu2.supply_static_pressure_sp without a relinquish default, wanted one that goes back. "
                "Give its device defaults = { supply_static_pressure_sp = … }"
            ),
        ),
        (
            "main.hvac.ahu2.zone_temp_sp",
            "main.hvac.ahu3.zone_temp_sp",
            'got main.hvac.ahu3.zone_temp_sp in the area childcare, wanted no point of an area of "never"',
        ),
        ("main.hvac.ahu2.zone_temp_sp", "main.carpark.fan1.speed_cmd", "main.carpark.fan1.speed_cmd, car_park_fan"),
        ("higher = [0.5, 1.0, 2.0]", "higher = [0.5, 3.0]", "higher: got 3, wanted at most 2 K where people sit"),
        ("higher = [0.5, 1.0, 2.0]", "higher = [1.0, 0.5]", "demand.shed.higher: got [1.0, 0.5], wanted rising values"),
        ("higher = [0.5, 1.0, 2.0]", "", 'demand.shed: got neither, wanted one of "higher" and "at_most"'),
        ("at_most = [90, 80]", "at_most = [80, 90]", "demand.shed.at_most: got [80.0, 90.0], wanted falling values"),
        ("comfort = true", "comfort = true\nminutes_per_hour = 45", "got 45, wanted at most 30 min where people sit"),
        ("comfort = true", "comfort = true\ntimes_per_day = 4", "got 4, wanted at most 3 times where people sit"),
        ("comfort = true", "", "got main.hvac.ahu1.zone_temp_sp without comfort = true, wanted comfort = true"),
        ('guards = ["main.hvac.ahu*"]', "", "got main.plant.ch1.demand_limit without guards, wanted guards"),
        ('guards = ["main.hvac.ahu*"]', 'guards = ["main.plant.ch1"]', "main.plant.ch1 without a point zone_temp"),
        ("kw = 12", "", 'demand.shed.kw: got nothing, wanted what it gives: "kw", or "power" with "kw_per_unit"'),
        ('power = "power"', 'power = "watts"', "demand.shed.power: got main.plant.ch1 without a point watts"),
        ("priority = 1", "rank = 1", 'demand.shed.rank: got an unknown key'),
        (
            "contract_kw = 500",
            "contract_kw = 500\nprice_per_kw = 223.6",
            (
                "strategy.toml:5: demand.price_per_kw: got a key that is no more, wanted nothing here. "
                "Delete this line: what an excess costs follows from [account] and [[table]] of tariff.toml."
            ),
        ),
        ('id = "rooms"', 'id = "rooms"\nstep_s = -1', "demand.shed.step_s: got -1, wanted at least 0"),
        ('coils = ["main.hvac.ahu*"]', 'coils = ["main.hvac.nobody*"]', 'reset.coils: got "main.hvac.nobody*"'),
        ("running = [2]", 'running = [2]\n[reset.more]\nx = 1', "reset.more: got an unknown key"),
        (
            'coils = ["main.hvac.ahu*"]',
            'coils = ["main.hvac.ahu*"]\ncoldest_c = 10\nwarmest_c = 9',
            "reset.coldest_c: got 10 and warmest_c 9, wanted coldest_c below warmest_c",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_its_place(house: Folder, old: str, new: str, said: str) -> None:
    house.change("strategy.toml", old, new)
    assert any(said in str(problem) for problem in house.problems()), [str(one) for one in house.problems()]


PLANNED = """comfort = true
minutes_per_hour = 30
stages = [{ minutes = 10, level = 2 }, { minutes = 10, level = 1 }]
answer = [7, 14, 8, -5, -5]
"""


def test_a_planned_group_has_its_answer_and_stages(house: Folder) -> None:
    house.change("strategy.toml", "comfort = true\n", PLANNED)
    strategy = house.load().strategies[0].strategy
    assert isinstance(strategy, Demand)
    group = strategy.items[0].group
    assert (group.answer, group.beside, group.planned) == ((7.0, 14.0, 8.0, -5.0, -5.0), "", True)
    assert [(stage.minutes, stage.level) for stage in group.stages] == [(10.0, 2), (10.0, 1)]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "answer = [7, 14, 8, -5, -5]",
            "",
            'stages: got no answer, wanted an "answer", or a group that names this one',
        ),
        ("answer = [7, 14, 8, -5, -5]", "answer = [-7]", "answer: got nothing above 0, wanted kW that one item gives"),
        ("stages = [{ minutes = 10, level = 2 }, { minutes = 10, level = 1 }]", "", "stages: got nothing, wanted what"),
        ("level = 1 }]", "level = 4 }]", "demand.shed.stages: got level 4, wanted 1 to 3, the levels of this group"),
        (
            "minutes = 10, level = 1",
            "minutes = 25, level = 1",
            "stages: got 35 min, wanted at most minutes_per_hour, 30",
        ),
        ("comfort = true", 'comfort = true\nbeside = "chillers"', 'beside: got "chillers", wanted a group of the list'),
        (
            "answer = [7, 14, 8, -5, -5]",
            'beside = "chillers"',
            'beside: got no answer, wanted this key beside "answer" or "owed" only',
        ),
        ("level = 2 }", "level = 3 }", "stages: got 2 at once, wanted at most step, 1"),
        (
            "level = 2 }, { minutes = 10, level = 1 }",
            "level = 1 }, { minutes = 10, level = 2 }",
            "stages: got 0.5 after 10 min, wanted at most step, 1, and step_s, 900 s, apart",
        ),
    ],
)
def test_a_planned_group_that_cannot_be_is_refused(house: Folder, old: str, new: str, said: str) -> None:
    house.change("strategy.toml", "comfort = true\n", PLANNED + "step = 1.0\nstep_s = 900\n")
    house.change("strategy.toml", old, new)
    found = [str(problem) for problem in house.problems()]
    assert any(said in problem for problem in found), found


OWED = """guards = ["main.hvac.ahu*"]
minutes_per_hour = 60
times_per_day = 1000
[demand.shed.owed]
water = "main.plant.ch1.chw_supply_temp"
k_per_kwh = 0.1
hours = 0.5
kw_per_k = 9
most_k = 4
most_kw = 150
"""


def test_a_group_whose_limit_is_moved_may_be_held_for_as_long_as_comfort_allows(house: Folder) -> None:
    house.change("strategy.toml", 'guards = ["main.hvac.ahu*"]\n', OWED)
    strategy = house.load().strategies[0].strategy
    assert isinstance(strategy, Demand)
    group = strategy.items[-1].group
    assert group.owed is not None
    assert group.planned
    assert (group.owed.water, group.owed.most_k, group.owed.most_kw) == ("main.plant.ch1.chw_supply_temp", 4.0, 150.0)
    assert strategy.items[-1].comfort


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("chw_supply_temp", "nothing", 'owed.water: got "main.plant.ch1.nothing", wanted a point'),
        ("chw_supply_temp", "power", "owed.water: got main.plant.ch1.power in kW, wanted the temperature of the water"),
        ('power = "power"', "", 'owed: got no power, wanted "at_most", "power" and "kw_per_unit"'),
        ('guards = ["main.hvac.ahu*"]\nminutes', "minutes", 'owed: got no guards, wanted "guards"'),
        ("times_per_day", 'beside = "rooms"\ntimes_per_day', "without answer, stages, owed and comfort"),
        ("times_per_day", 'beside = "nobody"\ntimes_per_day', 'beside: got "nobody", wanted a group of the list'),
        ("times_per_day", "answer = [5, -5]\ntimes_per_day", "owed: got answer or stages too"),
        ("k_per_kwh = 0.1", "k_per_kwh = 0", "owed.k_per_kwh"),
    ],
)
def test_a_limit_that_cannot_be_moved_so_is_refused(house: Folder, old: str, new: str, said: str) -> None:
    house.change("strategy.toml", 'guards = ["main.hvac.ahu*"]\n', OWED)
    house.change("strategy.toml", old, new)
    found = [str(problem) for problem in house.problems()]
    assert any(said in problem for problem in found), found


def test_one_group_at_most_has_its_limit_moved(house: Folder) -> None:
    house.change("strategy.toml", 'guards = ["main.hvac.ahu*"]\n', OWED)
    text = house.text("strategy.toml")
    at = text.index('[[demand.shed]]\nid = "chillers"')
    end = text.index("\n[reset]")
    house.write("strategy.toml", text[:end] + text[at:end].replace('id = "chillers"', 'id = "more"') + text[end:])
    assert any("owed: got a second one" in str(problem) for problem in house.problems())


def test_a_default_that_is_none_of_the_profile_s_or_out_of_range_is_refused(house: Folder) -> None:
    house.change("devices/air.toml", "zone_temp_sp = 26.0", "zone_temp = 26.0")
    assert 'device.defaults.zone_temp: got "zone_temp", wanted a tag of the profile' in str(house.problems()[0])
    house.change("devices/air.toml", "zone_temp = 26.0", "zone_temp_sp = 60.0")
    assert "device.defaults.zone_temp_sp: got 60, wanted 18 to 28" in str(house.problems()[0])


def test_one_point_is_in_one_place(house: Folder) -> None:
    house.change("strategy.toml", '"main.hvac.ahu2.zone_temp_sp"]', '"main.hvac.ahu*1.zone_temp_sp"]')
    assert house.load().strategies[0].strategy.outputs.count("main.hvac.ahu1.zone_temp_sp") == 1
    more = (
        DEMAND.split("[[demand.shed]]")[1]
        .replace('"rooms"', '"again"')
        .replace("higher = [0.5, 1.0, 2.0]", "higher = [1.0]")
    )
    house.write("strategy.toml", DEMAND + "[[demand.shed]]" + more)
    assert "main.hvac.ahu1.zone_temp_sp twice, wanted each point in one place" in str(house.problems()[0])


def test_a_mode_of_the_screen_lies_over_the_files_and_what_is_no_mode_does_nothing(house: Folder) -> None:
    base = house.load()
    changes = [
        Change(strategy_key("demand"), "off"),
        Change(strategy_key("reset"), "nonsense"),
        Change(strategy_key("gone"), "off"),
    ]
    laid = lay_over(base, changes, 0, 2)
    assert [entry.mode for entry in laid.strategies] == ["off", "dry_run"]
    assert laid.strategies[0].strategy is base.strategies[0].strategy


def test_apply_tells_what_a_changed_file_would_change(house: Folder) -> None:
    before = house.load()
    house.change("strategy.toml", "contract_kw = 500", "contract_kw = 600")
    difference = compare(before, house.load())
    assert difference.strategies.changed == ("demand",)
    assert bool(difference)
    assert not compare(before, replace(before, notices=("x",)))


def test_the_contract_is_that_of_the_account_unless_the_section_has_its_own(house: Folder) -> None:
    tariff = (share_dir("config") / "taipei-city-hall" / "tariff.toml").read_text("utf-8")
    house.write("tariff.toml", tariff.replace("regular_kw = 5000", "regular_kw = 640"))
    house.change("strategy.toml", "contract_kw = 500\n", "")
    demand = house.load().strategies[0].strategy
    assert isinstance(demand, Demand)
    assert demand.contract_kw == 640.0
    assert demand.price is not None
    # A summer weekday at 17:00: 64 kW at twice 223.60 and 36 kW at three times, with the coefficient 1.017.
    assert demand.price.cost(1_784_106_000_000_000_000, 740.0) == pytest.approx(1.017 * 223.6 * (128 + 108))


def test_a_changed_price_leaves_a_strategy_what_it_is_and_no_tariff_leaves_the_cost_out(house: Folder) -> None:
    without = house.load().strategies[0].strategy
    assert isinstance(without, Demand)
    assert without.price is None
    tariff = (share_dir("config") / "taipei-city-hall" / "tariff.toml").read_text("utf-8")
    house.write("tariff.toml", tariff)
    before = house.load()
    house.change("tariff.toml", "coefficient = 1.017", "coefficient = 1.0")
    difference = compare(before, house.load())
    assert (difference.strategies.changed, bool(difference)) == ((), True)
    assert before.strategies[0].strategy == without
