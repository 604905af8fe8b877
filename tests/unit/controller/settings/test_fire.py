"""fire.toml: whoever says fire can only be read, every zone has a cause, and every mistake has its place."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from controller.point.model import Name
from controller.safety.cause import Call
from controller.settings.difference import compare
from controller.share import share_dir
from tests.services.fire import DEVICES, FIRE, PANEL

Folder = Any
PROFILES = share_dir("config") / "profiles"


SEEN = 'points = ["main.hvac.ahu1.fan_run"]\nvalue = 0\n'
VALVE = "main.hvac.ahu1.chw_valve_position"


@pytest.fixture
def burning(folder: Folder) -> Folder:
    folder.write("equipment/fire.toml", PANEL)
    folder.write("devices/fire.toml", DEVICES)
    folder.write("fire.toml", FIRE)
    return folder


def test_a_table_is_read_with_its_points_and_feedback(burning: Folder) -> None:
    table = burning.load().fire
    assert (table.panel, table.relay, len(table.zones), table.batch, table.pause_s) == (
        "main.fire.panel",
        "",
        64,
        8,
        20.0,
    )
    (cause,) = table.causes
    assert cause.zones == table.zones
    assert "main.hvac.ahu1.fan_cmd" in cause.points
    assert "main.hvac.ahu1.fan_run" not in cause.points, "only what can be commanded is held"
    assert [(effect.point, effect.low, effect.high) for effect in cause.effects] == [
        ("main.hvac.ahu1.fan_run", 0.0, 0.0)
    ]


def test_address_entrance_and_calls_are_read_and_may_be_left_out(burning: Folder) -> None:
    table = burning.load().fire
    assert (table.address, table.entrance, table.calls) == (None, None, ())
    burning.change(
        "fire.toml",
        "[fire]\n",
        '[fire]\naddress = { zh = "市府路 1 號", en = "No. 1" }\nentrance = { zh = "東門", en = "East gate" }\n'
        'calls = [{ name = { zh = "消防局", en = "Fire" }, number = "119" }, '
        '{ name = { zh = "中控室", en = "Room" } }]\n',
    )
    table = burning.load().fire
    assert (table.address, table.entrance) == (Name("市府路 1 號", "No. 1"), Name("東門", "East gate"))
    assert table.calls == (Call(Name("消防局", "Fire"), "119"), Call(Name("中控室", "Room")))


def test_a_number_that_cannot_be_dialled_and_a_name_in_one_language_are_refused(burning: Folder) -> None:
    text = burning.text("fire.toml")
    bad = 'calls = [{ name = { zh = "甲", en = "a" }, number = "ask the guard" }]'
    burning.write("fire.toml", text.replace("[fire]\n", f"[fire]\n{bad}\n", 1))
    assert 'fire.toml:2: fire.calls.number: got "ask the guard"' in burning.problem()
    burning.write("fire.toml", text.replace("[fire]\n", '[fire]\naddress = { zh = "市府路 1 號" }\n', 1))
    assert "fire.toml:2: fire.address.en: " in burning.problem()


def test_a_site_without_the_file_has_no_watch(folder: Folder) -> None:
    assert folder.load().fire.panel == ""


def test_the_city_reads_its_panel_four_times_a_second_and_its_relay_twice_both_urgent() -> None:
    """The wait for the poll is most of the time from a fire to the band on the screens (1 s at the 99th percentile)."""
    text = (share_dir("config") / "taipei-city-hall" / "devices" / "fire.toml").read_text("utf-8")
    devices = {row["id"]: row for row in tomllib.loads(text)["device"]}
    assert devices["fire-panel"]["period_s"] <= 0.25
    assert devices["fire-relay"]["period_s"] <= 0.5
    assert all(row["urgent"] for row in devices.values())


def test_apply_tells_what_of_it_changed(burning: Folder) -> None:
    before = burning.load()
    burning.change("fire.toml", "within_s = 30", "within_s = 45")
    burning.change("fire.toml", "[[hold]]", "[[hold]]  # more")
    assert compare(before, burning.load()).fire.changed == ("cause house",)
    burning.change("fire.toml", 'zones = ["main.fire.zone*"]\n\n', 'zones = ["main.fire.zone*"]\npause_s = 5\n\n')
    assert compare(before, burning.load()).fire.changed == ("fire", "cause house")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('panel = "main.fire.panel"', 'panel = "main.fire.panle"',
         '2: fire.panel: got "main.fire.panle", wanted equipment of class fire_panel. Did you mean "main.fire.panel"?'),
        ('panel = "main.fire.panel"', 'panel = "main.hvac.ahu1"',
         "2: fire.panel: got main.hvac.ahu1 of class ahu, wanted equipment of class fire_panel"),
        ('zones = ["main.fire.zone*"]\n\n', 'zones = ["main.hvac.*"]\n\n',
         "3: fire.zones: got main.hvac.*, wanted equipment of class fire_zone"),
        ('zones = ["main.fire.zone*"]\nfloors', 'zones = ["main.fire.zone0*"]\nfloors',
         "3: fire.zones: got main.fire.zone10, wanted each zone in a cause"),
        ('points = ["main.hvac.*.*"]', 'points = ["main.hvac.ahu1.fan_run"]',
         "7: hold.points: got main.hvac.ahu1.fan_run, which cannot be commanded, wanted points that can be commanded"),
        ('points = ["main.hvac.ahu1.fan_run"]', 'points = ["main.hvac.ahu1.fan_rum"]',
         '12: effect.points: got "main.hvac.ahu1.fan_rum", wanted points of this site'),
        ("value = 0\n", "", '9: effect.value: wanted either "value", or "low" and "high"'),
        ("value = 0\n", "low = 5\nhigh = 1\n", "13: effect.low: got 5, wanted at most high, 1"),
        ("value = 0\n", "value = 7\n", "13: effect.value: got 7, wanted a state of main.hvac.ahu1.fan_run (0, 1)"),
        ("value = 0\n", "low = 0\n",
         "13: effect.low: got 0 to inf, wanted less than everything that main.hvac.ahu1.fan_run can be (0, 1)"),
        (SEEN, f'points = ["{VALVE}"]\nlow = 130\n',
         f"13: effect.low: got 130 to inf, wanted a part of the range of {VALVE}, 0 to 100"),
        (SEEN, f'points = ["{VALVE}"]\nlow = -50\n',
         f"13: effect.low: got -50 to inf, wanted less than everything that {VALVE} can be, 0 to 100"),
        ('floors = ["1F"]', 'floors = ["B1"]',
         "22: cause.effects: got stopped, of which nothing is on B1, wanted at least one effect"),
        ("within_s = 30", "within_s = 0", "14: effect.within_s: got 0, wanted more than 0.0"),
        ('holds = ["air"]', 'holds = ["aire"]',
         '21: cause.holds: got "aire", wanted the id of a row [[hold]]. Did you mean "air"?'),
        ('effects = ["stopped"]', "effects = []",
         "22: cause.effects: got nothing, wanted at least one effect that shows the building's answer"),
        ('floors = ["1F"]', 'floors = ["7F"]', '20: cause.floors: got "7F", wanted a floor of main with equipment'),
        ("[fire]\n", "[fire]\nreset = true\n", None),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place(burning: Folder, old: str, new: str, expected: str | None) -> None:
    burning.change("fire.toml", old, new)
    said = [str(problem) for problem in burning.problems()]
    if expected is None:
        assert "fire.toml:2: fire.reset: got an unknown key" in said[0]
    else:
        assert any(line.startswith(f"fire.toml:{expected}") for line in said), said


def test_whoever_says_fire_must_come_over_a_transport_that_only_reads(burning: Folder) -> None:
    """A message on a broker, or a device that can be written to, may not say that there is no fire."""
    text = burning.text("devices/fire.toml")
    burning.write("devices/fire.toml", text.replace('profile = "site-standard-fire"', 'profile = "spoofed-fire"'))
    profile = (PROFILES / "fire-panel" / "site-standard-fire.toml").read_text("utf-8")
    spoofed = profile.replace('id = "site-standard-fire"', 'id = "spoofed-fire"').replace("read_only = true\n", "")
    burning.write("profiles/spoofed-fire.toml", spoofed)
    assert (
        "fire.toml:3: fire.zones: got main.fire.zone01.state by profile spoofed-fire, wanted a profile with read_only "
        "= true in [profile.wire]. Nothing that can be written to, or spoofed, may say fire."
    ) in [str(problem) for problem in burning.problems()]


@pytest.mark.parametrize("with_table", [True, False])
def test_a_commandable_point_on_fire_equipment_is_refused(burning: Folder, with_table: bool) -> None:
    """Neither a profile of the panel can have one, nor a device of another kind that stands for a part of it."""
    text = burning.text("devices/fire.toml")
    profile = (PROFILES / "fire-panel" / "site-standard-fire.toml").read_text("utf-8")
    writable = profile.replace('id = "site-standard-fire"', 'id = "writable-fire"').replace("read_only = true\n", "")
    writable = writable.replace('zh = "消音"\n', 'zh = "消音"\nwrite = { low = 0, high = 1 }\n')
    burning.write("profiles/writable-fire.toml", writable)
    burning.write("devices/fire.toml", text.replace('profile = "site-standard-fire"', 'profile = "writable-fire"'))
    assert any("a fire_panel has no command of this name" in str(problem) for problem in burning.problems())
    drive = """\
[[device]]
id = "fan-drive"
equipment = "main.carpark.fan1"
profile = "abb-ach580-fan"
endpoint = "tcp://192.0.2.22:502"
parts = { "run" = "main.fire.zone01" }
"""
    burning.write("devices/fire.toml", text + drive)
    fan = '[[equipment]]\nid = "main.carpark.fan1"\nclass = "exhaust_fan"\nname = { zh = "風機", en = "Fan" }\n'
    burning.write("equipment/fan.toml", fan)
    if not with_table:
        (burning.path / "fire.toml").unlink()
    assert any(
        "device: got main.fire.zone01.cmd, which can be written, wanted no commandable point on equipment of class "
        "fire_zone. The fire panel is watched and never commanded." in str(problem)
        for problem in burning.problems()
    )


def test_a_commanded_device_does_not_share_the_panels_line(burning: Folder) -> None:
    text = burning.text("devices/fire.toml")
    drive = """\
[[device]]
id = "fan-drive"
equipment = "main.carpark.fan1"
profile = "abb-ach580-fan"
endpoint = "tcp://192.0.2.20:502"
unit = 2
"""
    burning.write("devices/fire.toml", text + drive)
    fan = '[[equipment]]\nid = "main.carpark.fan1"\nclass = "exhaust_fan"\nname = { zh = "風機", en = "Fan" }\n'
    burning.write("equipment/fan.toml", fan)
    assert any(
        "fire-panel must never be written to, and fan-drive is commanded: give them a line each" in str(problem)
        for problem in burning.problems()
    )
