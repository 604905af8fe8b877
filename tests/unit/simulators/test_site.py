from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulators.site import SimulatedSite, SiteError, read_site

if TYPE_CHECKING:
    from pathlib import Path

SITE = """
[site]
id = "s"
timezone = "Asia/Taipei"
[[building]]
id = "b"
floors = ["1F", "2F"]
[simulation]
seed = 3
"""
EQUIPMENT = """
[[equipment]]
id = "b.electrical.feeder{n:02}"
for = { n = "1..10" }
class = "meter"
floor = "{(n-1)%2+1}F"
parameters = { rated_a = 630, fed_by = "b.electrical.lv{(n-1)//8+1}" }
each = { "9" = { floor = "RF", parameters = { rated_a = 1000 } } }

[[equipment]]
id = "b.hvac.ahu_{n}f_{w}"
for = { n = "1..2", w = ["w", "sw"] }
class = "ahu"
"""


def test_equipment_may_lie_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "equipment").mkdir()
    (tmp_path / "equipment" / "air.toml").write_text('[[equipment]]\nid = "b.hvac.fcu_1"\nclass = "fcu"\n', "utf-8")
    site = make(tmp_path)
    assert len(site.equipment) == 15
    assert site.equipment["b.hvac.fcu_1"].cls == "fcu"


def make(folder: Path, devices: str = "", csv: str = "", equipment: str = EQUIPMENT) -> SimulatedSite:
    (folder / "devices").mkdir()
    (folder / "site.toml").write_text(SITE, "utf-8")
    (folder / "equipment.toml").write_text(equipment, "utf-8")
    if devices:
        (folder / "devices" / "a.toml").write_text(devices, "utf-8")
    if csv:
        (folder / "devices" / "b.csv").write_text(csv, "utf-8")
    return read_site(folder)


def test_ranges_lists_sums_and_single_differences(tmp_path: Path) -> None:
    site = make(tmp_path)
    assert len(site.equipment) == 14
    assert site.equipment["b.electrical.feeder08"].parameters == {"rated_a": 630, "fed_by": "b.electrical.lv1"}
    ninth = site.equipment["b.electrical.feeder09"]
    assert (ninth.floor, ninth.parameters["rated_a"], ninth.parameters["fed_by"]) == ("RF", 1000, "b.electrical.lv2")
    assert site.equipment["b.electrical.feeder02"].floor == "2F"
    assert {"b.hvac.ahu_1f_w", "b.hvac.ahu_2f_sw"} <= set(site.equipment)
    assert site.simulation["seed"] == 3
    assert site.buildings[0].floors == ("1F", "2F")


def test_devices_from_toml_and_csv(tmp_path: Path) -> None:
    site = make(
        tmp_path,
        """
[[device]]
id = "f{n:02}"
for = { n = "1..9" }
equipment = "b.electrical.feeder{n:02}"
profile = "delta-dpm-c530a"
endpoint = "rtu+tcp://10.0.0.{50+(n-1)//12}:4001"
unit = "{n+8}"
omit = ["demand"]
options = { word_order = "be" }
""",
        "id,equipment,profile,endpoint,unit,option.dev_eui,omit\n"
        "x,b.electrical.feeder10,eastron-sdm630,tcp://h:502,7,24e1,demand power\n",
    )
    by_id = {device.id: device for device in site.devices}
    assert len(by_id) == 10
    assert (by_id["f09"].unit, by_id["f09"].endpoint) == (17, "rtu+tcp://10.0.0.50:4001")
    assert by_id["f09"].options == {"word_order": "be"}
    assert by_id["f01"].parameters["rated_a"] == 630
    assert (by_id["x"].unit, by_id["x"].options, by_id["x"].omit) == (7, {"dev_eui": "24e1"}, ("demand", "power"))


@pytest.mark.parametrize(
    ("devices", "wanted"),
    [
        ('[[device]]\nid="a"\nequipment="b.no"\nprofile="p"\nendpoint="e"\n', "wanted an id of equipment.toml"),
        ('[[device]]\nid="a"\nequipment="b.electrical.feeder01"\nprofile="p"\n', "endpoint: got None"),
        ('[[device]]\nid="a{m}"\nfor={n="1..2"}\nequipment="e"\nprofile="p"\nendpoint="e"\n', '"{m}"'),
        ('[[device]]\nid="a{n**9}"\nfor={n="1..2"}\nequipment="e"\nprofile="p"\nendpoint="e"\n', "cannot work out"),
        ('[[device]]\nid="a"\nfor={n="1-2"}\nequipment="e"\nprofile="p"\nendpoint="e"\n', 'wanted a range "1..40"'),
        ('[[device]]\nid="a"\nfor={n="1..2"}\nequipment="b.electrical.feeder01"\nprofile="p"\nendpoint="e"\n', "twice"),
        ("[[device]\n", "not TOML"),
    ],
)
def test_a_wrong_file_is_named_with_what_was_wanted(tmp_path: Path, devices: str, wanted: str) -> None:
    with pytest.raises(SiteError) as caught:
        make(tmp_path, devices)
    assert wanted in str(caught.value)
    assert "a.toml" in str(caught.value)


def test_the_city_hall_is_read_whole(city_hall: SimulatedSite) -> None:
    kinds: dict[str, int] = {}
    for device in city_hall.devices:
        kinds[device.profile] = kinds.get(device.profile, 0) + 1
    assert kinds["eastron-sdm630"] == 70 + 6  # the Xinyi building has its own
    assert kinds["milesight-am319"] == 100 + 10
    assert kinds["site-standard-ahu"] == 12 * 4 + 2
    assert kinds["site-standard-fcu"] == 40
    assert kinds["aerasgard-rftm"] == 20
    assert kinds["site-standard-iaq-station"] == 12
    assert kinds["delta-dpm-c530a"] + kinds["schneider-pm5320"] == 40
