"""Equipment and devices of the screen over those of the files: built by the same rules, and set aside for the files."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from controller.errors import NotFoundError
from controller.settings.amendment import DEVICE, EQUIPMENT, RETIRED
from controller.settings.build import Endpoints
from controller.settings.inventory import Inventory, export
from controller.settings.load import read_files
from controller.settings.overlay import Change
from controller.settings.suggestion import fill, suggest
from controller.settings.toml import to_toml

Folder = Any
METER = "main.electrical.meter2"
PIECE: dict[str, Any] = {
    "id": METER,
    "class": "meter",
    "name": {"zh": "電表 2", "en": "Meter 2"},
    "floor": "1F",
    "area": "office",
    "parameters": {"limit_kw": 20},
}
ROW: dict[str, Any] = {
    "id": "meter2",
    "equipment": METER,
    "profile": "eastron-sdm630",
    "endpoint": "tcp://192.0.2.11:502",
    "names": {"power": {"zh": "租戶用電", "en": "Tenant power"}},
}
FILES = {"id": "meter1", "equipment": "main.electrical.meter1", "profile": "eastron-sdm630", "period_s": 5.0}


def made(key: str, row: dict[str, Any], base: dict[str, Any] | None = None, time_ns: int = 1) -> Change:
    return Change(key, {"row": row, "base": base}, "lin.yc", "tenant", None, time_ns)


NEW = [made(EQUIPMENT + METER, PIECE), made(DEVICE + "meter2", ROW)]


def in_files(endpoint: str = "tcp://192.0.2.10:502", **more: Any) -> dict[str, Any]:
    return {**FILES, "endpoint": endpoint, **more}


def test_a_new_device_is_built_like_those_of_the_files(folder: Folder) -> None:
    before = folder.load()
    found = folder.load(changes=NEW)

    assert not found.aside
    assert [device.id for device in found.devices] == ["meter1", "meter2"]
    assert found.site.points[f"{METER}.power"].name.zh == "租戶用電"
    assert found.site.points[f"{METER}.power"].area == "office"
    (high,) = [alarm for alarm in found.alarms if alarm.id == f"{METER}.power#high"]
    assert high.limit == 20.0, "an alarm of the class, with the parameter of the new equipment"
    assert "meter2#communication" in {alarm.id for alarm in found.alarms}
    kept = {address: found.site.points[address].number for address in before.site.points}
    assert kept == {address: point.number for address, point in before.site.points.items()}


@pytest.mark.parametrize(
    ("changed", "key", "got"),
    [
        ({"profile": "eastron-sdm360"}, "device.profile", '"eastron-sdm360"'),
        ({"equipment": "main.electrical.meter9"}, "device.equipment", '"main.electrical.meter9"'),
        ({"endpoint": "tcp://192.0.2.10:502"}, "device.unit", "tcp://192.0.2.10:502 unit 1"),
        ({"endpoint": "opc.tcp://192.0.2.10:4840"}, "device.endpoint", '"opc.tcp://192.0.2.10:4840"'),
        ({"options": {"wordorder": "be"}}, "device.options.wordorder", "an unknown option"),
        ({"options": {"word_order": "middle"}}, "device", '"meter2" with profile'),
        ({"unit": 300}, "device.unit", "300"),
        ({"names": {"powr": {"zh": "甲", "en": "a"}}}, "device.names.powr", '"powr"'),
        ({"names": {"power": {"zh": "甲" * 1_000_000, "en": "a"}}}, "device.names.power.zh", '"甲甲'),
        ({"perod_s": 5}, "device.perod_s", "an unknown key"),
        ({"equipment": "main.electrical.meter1"}, "device", "28 points of main.electrical.meter1"),
    ],
)
def test_a_mistake_is_found_by_the_rules_of_the_files(
    folder: Folder, changed: dict[str, Any], key: str, got: str
) -> None:
    found = folder.load(changes=[NEW[0], made(DEVICE + "meter2", {**ROW, **changed})])

    (problem,) = found.aside[DEVICE + "meter2"]
    assert (problem.key, problem.got[: len(got)]) == (key, got)
    assert len(str(problem)) < 1_000
    assert [device.id for device in found.devices] == ["meter1"], "the rest runs on"


def test_an_alarm_that_a_new_equipment_cannot_have_is_its_own_mistake(folder: Folder) -> None:
    poor = {key: value for key, value in PIECE.items() if key != "parameters"}
    found = folder.load(changes=[made(EQUIPMENT + METER, poor), NEW[1]])

    assert "has no such number among its parameters" in str(found.aside[EQUIPMENT + METER][0])
    assert found.notices[0].startswith(f"equipment/{METER} is set aside: alarms.toml:")


def test_files_that_have_the_same_name_by_now_win(folder: Folder) -> None:
    folder.write(
        "devices/b.toml", to_toml("device", [{**in_files("tcp://192.0.2.12:502"), "id": "meter2", "prefix": "b_"}])
    )
    found = folder.load(changes=NEW)

    assert found.aside[DEVICE + "meter2"][0].todo.startswith("The files' row is in effect (devices/b.toml:1)")
    (device,) = [device for device in found.devices if device.id == "meter2"]
    assert device.endpoint == "tcp://192.0.2.12:502"


def test_files_that_took_the_address_by_now_win(folder: Folder) -> None:
    taken = {**in_files(ROW["endpoint"]), "id": "taken", "prefix": "b_"}
    folder.write("devices/z.toml", to_toml("device", [taken]))
    found = folder.load(changes=NEW)

    assert found.aside[DEVICE + "meter2"][0].key == "device.unit"
    assert {device.id for device in found.devices} == {"meter1", "taken"}


def test_a_row_of_the_files_is_changed_until_the_files_change_it(folder: Folder) -> None:
    base = in_files()
    changes = [made(DEVICE + "meter1", in_files("tcp://192.0.2.20:502"), base)]
    assert [device.endpoint for device in folder.load(changes=changes).devices] == ["tcp://192.0.2.20:502"]

    folder.change("devices/meter.toml", "period_s = 5", "period_s = 4")
    found = folder.load(changes=changes)
    assert [device.endpoint for device in found.devices] == ["tcp://192.0.2.10:502"]
    assert "the files have changed since" in found.aside[DEVICE + "meter1"][0].got

    folder.change("devices/meter.toml", "period_s = 4", "period_s = 5")
    folder.change("devices/meter.toml", "192.0.2.10", "192.0.2.20")
    assert folder.load(changes=changes).same == (DEVICE + "meter1",)

    (folder.path / "devices" / "meter.toml").unlink()
    folder.write("alarms.toml", "")
    found = folder.load(changes=changes)
    assert (found.devices, list(found.aside)) == ((), [DEVICE + "meter1"])


def test_a_retired_device_gives_way_and_its_points_stay(folder: Folder) -> None:
    retired = Change(RETIRED + "meter1", {}, "lin.yc", "broken", None, 7)
    found = folder.load(changes=[retired])

    assert found.devices == ()
    assert found.retired[0].message == "taken out of service by lin.yc: broken"
    assert "main.electrical.meter1.power" in found.site.points
    assert found.alarms == (), "what is out of service raises nothing"

    other = {**in_files(), "id": "meter1b"}
    found = folder.load(changes=[retired, made(DEVICE + "meter1b", other)])
    assert not found.aside
    assert found.site.points["main.electrical.meter1.power"].device == "meter1b"
    assert not (found.retired[0].device.numbers >= 0).any()
    assert "main.electrical.meter1.power#high" in {alarm.id for alarm in found.alarms}

    found = folder.load(changes=[made(DEVICE + "meter1b", other)])
    assert list(found.aside) == [DEVICE + "meter1b"], "the files' device is back, and the other one must wait"
    assert list(folder.load(changes=[Change(RETIRED + "gone", {})]).aside) == [RETIRED + "gone"]


def test_files_with_a_mistake_of_their_own_are_refused_as_ever(folder: Folder) -> None:
    folder.change("devices/meter.toml", 'profile = "eastron-sdm630"', 'profile = "eastron"')

    with pytest.raises(Exception, match=r'devices/meter.toml:7: device.profile: got "eastron"'):
        folder.load(changes=NEW)


def inventory(folder: Folder, changes: list[Change]) -> Inventory:
    return Inventory(
        read_files(folder.path), {change.key: change for change in changes}, folder.load(changes=changes), Endpoints()
    )


def test_exported_files_say_the_same_and_end_the_changes(folder: Folder) -> None:
    row = {**ROW, "period_s": 2.5, "omit": ["frequency"], "options": {"word_order": "le-word"}}
    changes = [
        NEW[0],
        made(DEVICE + "meter2", row),
        made(DEVICE + "meter1", in_files("tcp://192.0.2.20:502"), in_files()),
    ]
    before = folder.load(changes=changes)

    files = export(inventory(folder, changes), 1_782_867_600_000_000_000)
    for name, text in files.items():
        folder.write(name, text)

    assert list(files) == [
        "equipment/screen-20260701-090000.toml",
        "devices/screen-20260701-090000.toml",
        "READ-ME.txt",
    ]
    assert (
        "Replaces the row at devices/meter.toml:4: take it out there." in files["devices/screen-20260701-090000.toml"]
    )
    assert "devices/meter.toml:4: take out meter1" in files["READ-ME.txt"]
    (folder.path / "devices" / "meter.toml").unlink()
    after = folder.load(changes=changes)
    assert set(after.same) == {change.key for change in changes}
    assert {device.id: device.options for device in after.devices} == {d.id: d.options for d in before.devices}
    assert after.site.points == before.site.points


def test_toml_that_is_written_reads_back() -> None:
    row = {
        "id": "a", "text": 'quotes " and \\ back, a line\n end, \x07 bell, 市府 🏛', "yes": True, "n": -3, "x": 1.5e-07,
        "list": ["a", "b"], "table": {"a key": {"in": 1}, "word": ""},
    }  # fmt: skip

    assert tomllib.loads(to_toml("device", [row, {"id": "b"}], ["a head\nof two lines"])) == {
        "device": [row, {"id": "b"}]
    }


def test_suggestions_follow_the_largest_family_and_skip_what_is_taken(folder: Folder) -> None:
    folder.write(
        "equipment.toml",
        '[[equipment]]\nid = "main.meter.em{n:03}"\nfor = { n = "1..9" }\nclass = "meter"\n'
        'name = { zh = "電表 EM-{n:03}", en = "Meter EM-{n:03}" }\nfloor = "1F"\nparameters = { limit_kw = 9 }\n'
        '[[equipment]]\nid = "main.electrical.meter1"\nclass = "meter"\nname = { zh = "總電表", en = "Main meter" }\n'
        "parameters = { limit_kw = 50 }\n",
    )
    folder.write(
        "devices/m.toml",
        '[[device]]\nid = "em{n:03}-meter"\nfor = { n = "1..9" }\nequipment = "main.meter.em{n:03}"\n'
        'profile = "eastron-sdm630"\nendpoint = "tcp://192.0.2.30:502"\nunit = "{n}"\n',
    )
    taken = made(EQUIPMENT + "main.meter.em010", {**PIECE, "id": "main.meter.em010"})
    stock = inventory(folder, [taken])

    found = suggest(stock, "meter")
    assert (found.number, fill(found.address, 11), fill(found.device, 11)) == (11, "main.meter.em011", "em011-meter")
    assert (fill(found.zh, 11), fill(found.en, 11)) == ("電表 EM-011", "Meter EM-011")
    assert found.equipment == {"floor": "1F", "parameters": {"limit_kw": 9}}
    assert suggest(stock, "meter", like="main.electrical.meter1").address == "main.electrical.meter{n}"
    first = suggest(stock, "vfd", "main")
    assert (first.address, first.zh) == ("main.vfd.vfd{n}", "變頻器 {n}")
    with pytest.raises(NotFoundError):
        stock.sheet(DEVICE + "nobody")
