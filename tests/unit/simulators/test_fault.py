"""Faults of one device: what a reboot forgets, and counters that are replaced or go round."""

from __future__ import annotations

import pytest

from simulators.fault import Board, FaultError, View
from simulators.site import SimulatedSite
from simulators.world import World

COMMANDS = {
    "ch1-unit": {"chw_setpoint": (9.0, 7.0), "demand_limit": (60.0, 100.0)},
    "ch4-unit": {"chw_setpoint": (9.0, 7.0), "demand_limit": (60.0, 100.0)},
    "header-io": {"differential_pressure_setpoint": (60.0, 100.0)},
    "ahu-05f-w": {"zone_temp_sp": (22.0, 26.0), "mode": (2.0, 1.0)},
}
"""Device -> quantity -> (what is written, what the machine has by itself)."""


@pytest.fixture(scope="module")
def world(small_site: SimulatedSite, start_ns: int) -> World:
    return World(small_site, 1, start_ns, warm=False)


@pytest.fixture
def board(world: World) -> Board:
    return Board(world.devices, 1)


def second(world: World, board: Board, times: int = 1) -> None:
    for _ in range(times):
        world.step(1.0)
        board.step()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_device_comes_back_from_a_reboot_with_its_own_set_points(world: World, board: Board, name: str) -> None:
    told: list[tuple[str, bool]] = []
    board.changed.append(lambda view: told.append((view.device.id, view.fault.disconnected)))
    view = board.views[name]
    for quantity, (wanted, _) in COMMANDS[name].items():
        view.write(quantity, wanted)
    second(world, board)
    for quantity, (wanted, _) in COMMANDS[name].items():
        assert view.state()[quantity] == pytest.approx(wanted)
    board.apply("reboot", name, ["3"])
    assert view.fault.disturbs
    second(world, board, 2)
    assert view.fault.disconnected
    second(world, board)
    assert not view.fault.disturbs
    assert told == [(name, True), (name, False)]
    assert view.device.commanded == {}
    for quantity, (_, own) in COMMANDS[name].items():
        assert view.state()[quantity] == pytest.approx(own)


def test_a_drive_that_rebooted_follows_the_plant_again(world: World, board: Board) -> None:
    view = board.views["chwp1-drive"]
    column = 0
    view.write("run_cmd", 1.0)
    view.write("speed_cmd", 42.0)
    assert world.plant.drives.on_bus[column]
    board.apply("reboot", "chwp1-drive", ["1"])
    second(world, board)
    assert not world.plant.drives.on_bus[column]
    assert not view.fault.disconnected


def test_a_cleared_reboot_is_over_at_once(world: World, board: Board) -> None:
    board.apply("reboot", "main-meter")
    assert board.faults() == {"main-meter": {"disconnected": True}}
    board.apply("clear", "main-meter")
    second(world, board, 2)
    assert board.faults() == {}


def counter(view: View) -> float:
    return view.state()["energy_import"]


def test_a_replaced_counter_goes_on_from_its_new_value(world: World, board: Board) -> None:
    view = board.views["main-meter"]
    before = counter(view)
    board.apply("restart", "main-meter", ["energy_import"])
    assert before > 1.0
    assert counter(view) == pytest.approx(0.0, abs=1e-6)
    second(world, board, 60)
    grown = counter(view)
    assert 1.0 < grown < 200.0
    board.apply("restart", "main-meter", ["energy_import", "500"])
    assert counter(view) == pytest.approx(500.0)
    board.apply("clear", "main-meter")
    assert counter(view) == pytest.approx(before + grown, rel=1e-6)


def test_a_counter_goes_round(world: World, board: Board) -> None:
    view = board.views["main-meter"]
    board.apply("restart", "main-meter", ["energy_import", "999999.9"])
    board.apply("wrap", "main-meter", ["energy_import", "1000000"])
    assert counter(view) == pytest.approx(999_999.9)
    second(world, board, 60)
    assert 0.0 < counter(view) < 200.0


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("reboot", ["-1"], "wanted 1 to 3600"),
        ("restart", [], "wanted restart DEVICE"),
        ("wrap", ["energy_import", "0"], "wanted 1"),
        ("wrap", ["nothing", "10"], "has no"),
        ("clock", ["soon"], "wanted a number"),
        ("repeat", ["twice"], "wanted repeat DEVICE"),
        ("namespaces", ["-3"], "wanted 0 to 100"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(board: Board, command: str, arguments: list[str], message: str) -> None:
    with pytest.raises(FaultError, match=message):
        board.apply(command, "main-meter", arguments)
    assert board.faults() == {}
