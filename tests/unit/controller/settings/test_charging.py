"""`[charging]` of strategy.toml: chargers, circuits, cars, and whose prices, and what is refused at its line."""

from __future__ import annotations

import math
from typing import Any

import pytest

from controller.share import share_dir
from controller.strategy.charging.strategy import ChargingStrategy

Folder = Any

TARIFF = (share_dir("config") / "taipei-city-hall" / "tariff.toml").read_text("utf-8")
WEDNESDAY_17_NS = 1_784_106_000_000_000_000
"""2026-07-15 17:00 in Taipei: summer, peak."""
EQUIPMENT = """
[[equipment]]
id = "main.electrical.tx1"
class = "transformer"
name = { zh = "變壓器", en = "Transformer" }
floor = "1F"
area = "office"
parameters = { rated_kva = 1000 }

[[equipment]]
id = "main.electrical.feeder1"
class = "meter"
name = { zh = "饋線", en = "Feeder" }
floor = "1F"
area = "office"
parameters = { fed_by = "main.electrical.tx1" }

[[equipment]]
id = "main.ev.charger{n}"
for = { n = "1..3" }
class = "charger"
name = { zh = "{n} 號充電樁", en = "Charger {n}" }
floor = "1F"
area = "office"
parameters = { fed_by = "main.electrical.feeder1" }
"""
DEVICES = """
[[device]]
id = "tx1"
equipment = "main.electrical.tx1"
profile = "eastron-sdm630"
endpoint = "tcp://192.0.2.11:502"

[[device]]
id = "ev1"
equipment = "main.ev.charger1"
profile = "alfen-ng910"
endpoint = "tcp://192.0.2.21:502"
defaults = { current_limit = 32.0 }

[[device]]
id = "ev2"
equipment = "main.ev.charger2"
profile = "keba-p30"
endpoint = "tcp://192.0.2.22:502"
defaults = { current_limit = 32.0, enable = 1 }

[[device]]
id = "ev3"
equipment = "main.ev.charger3"
profile = "alpitronic-hyc50"
endpoint = "tcp://192.0.2.23:502"
defaults = { power_limit = 50.0 }
"""
VEHICLES = """id,plate,unit,battery_kwh,max_kw,departure,rfid,note
car-07,XEV-0007,office,40,7.4,07:30,F1EE7007,
car-08,XEV-0008,office,40,11,,,
"""
CHARGING = """[charging]
mode = "run"
chargers = ["main.ev.charger*"]
priority = ["main.ev.charger3"]
meter = "main.electrical.meter1.power"
contract_kw = 500
branch_a = 80

[charging.assumed]
kwh = 12
"""


@pytest.fixture
def site(folder: Folder) -> Folder:
    folder.write("equipment.toml", folder.text("equipment.toml") + EQUIPMENT)
    site = folder.text("site.toml")
    if '"office"' not in site:
        site += '\n[[area]]\nid = "office"\nname = { zh = "辦公", en = "Office" }\nbuilding = "main"\n'
    folder.write("site.toml", site)
    folder.write("devices/cars.toml", DEVICES)
    folder.write("vehicles.csv", VEHICLES)
    folder.write("strategy.toml", CHARGING)
    return folder


def charging(site: Folder) -> ChargingStrategy:
    (entry,) = site.load().strategies
    assert entry.mode == "run"
    assert isinstance(entry.strategy, ChargingStrategy)
    return entry.strategy


def test_each_model_is_limited_and_paused_in_its_own_way(site: Folder) -> None:
    alfen, keba, alpitronic = charging(site).chargers
    assert (alfen.unit, alfen.least, alfen.most, alfen.pause, alfen.enable) == ("A", 6.0, 32.0, 0.0, "")
    assert (keba.least, keba.pause, keba.enable) == (6.0, None, "main.ev.charger2.enable")
    assert (alpitronic.unit, alpitronic.least, alpitronic.pause) == ("kW", 5.0, 1.0)
    assert alpitronic.direct
    assert [one.priority for one in (alfen, keba, alpitronic)] == [False, False, True]
    assert "main.ev.charger2.enable" in charging(site).outputs


def test_circuits_are_the_contract_the_branch_and_the_transformer(site: Folder) -> None:
    contract, branch, transformer = charging(site).supplies
    assert (contract.id, contract.limit_kw, contract.meter) == ("contract", 490.0, "main.electrical.meter1.power")
    assert (branch.id, branch.limit_a, branch.meter) == ("main.electrical.feeder1", 80.0, "")
    assert math.isinf(branch.limit_kw)
    assert (transformer.limit_kw, transformer.meter) == (900.0, "main.electrical.tx1.apparent_power")
    assert len(contract.chargers) == len(branch.chargers) == len(transformer.chargers) == 3


def test_official_cars_are_known_by_number_and_card(site: Folder) -> None:
    garage = charging(site).garage
    assert garage.numbers[7].departure == 450
    assert garage.numbers[8].departure is None
    assert garage.cards[0xF1EE7007].plate == "XEV-0007"
    assert (garage.assumption.kwh, garage.assumption.visit_h) == (12.0, 2.0)


def test_energy_costs_what_the_sites_tariff_says(site: Folder) -> None:
    site.write("tariff.toml", TARIFF)
    prices = charging(site).prices
    assert prices.at(WEDNESDAY_17_NS) == 9.39
    site.write("tariff.toml", TARIFF.replace("peak = 9.39", "peak = 10.11"))
    assert prices.at(WEDNESDAY_17_NS) == 9.39
    assert charging(site).prices.at(WEDNESDAY_17_NS) == 10.11


def test_without_a_tariff_no_price_is_known(site: Folder) -> None:
    assert math.isnan(charging(site).prices.at(WEDNESDAY_17_NS))


def test_a_table_of_prices_beside_the_tariff_is_refused(site: Folder) -> None:
    site.write("strategy.toml", CHARGING + "\n[[charging.price]]\nnt_kwh = 2.5\n")
    assert "charging.price" in "\n".join(str(problem) for problem in site.problems())


def test_the_same_files_are_the_same_strategy(site: Folder) -> None:
    assert charging(site) == charging(site)
    before = charging(site)
    site.write("tariff.toml", TARIFF)
    assert charging(site) != before, "another tariff is another strategy: shifu apply swaps it"


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("contract_kw = 500", "contract_kw = 0", "strategy.toml:6: charging.contract_kw: got 0"),
        ("charger*", "charge", 'strategy.toml:3: charging.chargers: got "main.ev.charge"'),
        (
            "main.ev.charger*",
            "main.electrical.tx1",
            "got main.electrical.tx1, transformer, wanted equipment of the class",
        ),
        ("meter1.power", "meter1.voltage_l1n", "charging.meter: got main.electrical.meter1.voltage_l1n in V"),
        ("meter1.power", "meter9.power", 'strategy.toml:5: charging.meter: got "main.electrical.meter9.power"'),
        ("branch_a = 80", "branch_a = 5", "charging.branch_a: got 5"),
        ("[charging.assumed]", "[charging.assume]", "charging.assume"),
    ],
)
def test_a_mistake_is_refused_at_its_line(site: Folder, old: str, new: str, wanted: str) -> None:
    site.change("strategy.toml", old, new)
    said = "\n".join(str(problem) for problem in site.problems())
    assert wanted in said
    assert "strategy.toml:" in said


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (", enable = 1 }", " }", "main.ev.charger2.enable without a relinquish default"),
        ("defaults = { power_limit = 50.0 }\n", "", "main.ev.charger3.power_limit without a relinquish default"),
    ],
)
def test_a_charger_that_does_not_go_back_by_itself_is_refused(site: Folder, old: str, new: str, wanted: str) -> None:
    site.change("devices/cars.toml", old, new)
    said = "\n".join(str(problem) for problem in site.problems())
    assert wanted in said
    assert "Give its device defaults" in said


def test_a_charger_that_nobody_feeds_is_refused(site: Folder) -> None:
    site.change("equipment.toml", 'parameters = { fed_by = "main.electrical.feeder1" }\n', "")
    assert "the parameter fed_by" in "\n".join(str(problem) for problem in site.problems())
