"""What the profiles say of writes, against the simulated machines: ranges, push-buttons, what stays when we die."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.share import share_dir
from drivers.errors import ProfileError
from drivers.profile import Profile, ProfilePoint, load_profile, parse_profile
from simulators.plant.chiller import MINIMUM_OFF_S, MINIMUM_ON_S
from simulators.plant.device import RefusedError
from simulators.site import SimulatedSite, read_site
from simulators.world import World

PROFILES = {path.stem: load_profile(path) for path in (share_dir("config") / "profiles").glob("*/*.toml")}
WRITABLE = [
    pytest.param(profile, point, id=f"{profile.id}-{point.tag}")
    for profile in sorted(PROFILES.values(), key=lambda profile: profile.id)
    for point in profile.points
    if point.write is not None
]
START_NS = 1_784_080_800_000_000_000


@pytest.fixture(scope="module")
def site() -> SimulatedSite:
    return read_site(Path(__file__).parents[2] / "config" / "taipei-city-hall")


@pytest.fixture(scope="module")
def world(site: SimulatedSite) -> World:
    return World(site, 1, START_NS, warm=False)


@pytest.mark.parametrize(("profile", "point"), WRITABLE)
def test_the_machine_takes_every_value_of_the_range_as_it_is(
    world: World, profile: Profile, point: ProfilePoint
) -> None:
    write = point.write
    assert write is not None
    device = next(device for device in world.devices.values() if device.profile == profile.id)
    for value in (write.low, (write.low + write.high) / 2.0, write.high):
        wanted = round(value) if point.kind != "analog" else value
        effect = device.write(point.tag, wanted)
        if not write.momentary:
            assert effect == pytest.approx(wanted, abs=write.tolerance), value
    # And it takes no more, so that the range of the profile is not narrower than need be: it clips, or says no.
    for beyond in (write.low - 2.0, write.high + 2.0):
        try:
            effect = device.write(point.tag, beyond)
        except RefusedError:
            continue
        assert write.momentary or abs(effect - beyond) > write.tolerance, beyond


def test_push_buttons_are_written_once_and_hold_nothing() -> None:
    written = [(profile.id, point.tag, point.write) for profile in PROFILES.values() for point in profile.points]
    buttons = {(name, tag) for name, tag, write in written if write is not None and write.momentary}
    doors = {("site-standard-door", "momentary_unlock"), ("site-standard-door", "ack_alarm")}
    tests = {("deep-sea-dse8xxx", "test_start"), ("deep-sea-dse8xxx", "test_cancel")}
    assert buttons == {("site-standard-chiller", "alarm_reset")} | doors | tests
    assert buttons >= {(name, tag) for name, tag, write in written if write is not None and "reset" in tag}


@pytest.mark.parametrize(("tag", "fail"), [("run_cmd", "hold"), ("speed_cmd", "watchdog")])
def test_a_chilled_water_pump_falls_back_to_its_safe_speed_and_runs_on(world: World, tag: str, fail: str) -> None:
    point = PROFILES["abb-ach580"].point(tag)
    assert point.write is not None
    assert point.write.fail == fail
    pump = world.devices["chwp1-drive"]
    pump.write("run_cmd", 1.0)
    pump.write("speed_cmd", 90.0)
    pump.heard()
    world.step(20.0)
    running = pump.state["speed"]
    world.step(120.0)
    assert pump.state["run"] == 1.0
    assert pump.state["speed"] == pytest.approx(60.0, abs=1.0)
    assert running > 60.0


@pytest.mark.parametrize("name", ["cwp1-drive", "ct1-drive"])
def test_drives_without_a_watchdog_hold_their_last_command(world: World, name: str) -> None:
    drive = world.devices[name]
    for tag in ("run_cmd", "speed_cmd"):
        write = PROFILES[drive.profile].point(tag).write
        assert write is not None
        assert write.fail == "hold"
    drive.write("run_cmd", 1.0)
    drive.write("speed_cmd", 70.0)
    drive.heard()
    world.step(200.0)
    assert drive.state["speed"] == pytest.approx(70.0, abs=0.5)


def test_the_controller_knows_the_machines_own_minimum_times(site: SimulatedSite) -> None:
    for number in range(1, 5):
        parameters = site.equipment[f"cityhall.plant.ch{number}"].parameters
        assert (parameters["minimum_on_s"], parameters["minimum_off_s"]) == (MINIMUM_ON_S, MINIMUM_OFF_S)
        assert parameters["fed_by"]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        ({"low": 0, "high": 1, "momentary": 1}, "momentary: got 1, wanted true or false"),
        ({"low": 0, "high": 1, "momentary": True, "default": 0}, "a push-button holds no value"),
        ({"low": 0, "high": 1, "default": 2}, "default: got 2"),
    ],
)
def test_a_write_that_contradicts_itself_is_refused(write: dict[str, Any], message: str) -> None:
    head = {"id": "test", "equipment": "chiller", "protocol": "modbus", "vendor": "v", "model": "m", "source": "s"}
    row = {"tag": "reset", "kind": "binary", "zh": "復歸", "en": "Reset", "write": write}
    with pytest.raises(ProfileError, match=message):
        parse_profile({"profile": head, "point": [row]}, "test.toml")
