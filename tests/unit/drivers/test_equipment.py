"""Classes of equipment and what a profile of each must have."""

from __future__ import annotations

from typing import Any

import pytest

from controller.share import share_dir
from drivers.equipment import EQUIPMENT, check_profile
from drivers.errors import ProfileError
from drivers.profile import Profile, load_profile, parse_profile

POWER = {"tag": "power", "unit": "kW"}
ENERGY = {"tag": "energy_import", "kind": "counter", "unit": "kWh"}


def profile(equipment: str, *points: dict[str, Any]) -> Profile:
    head = {"id": "test", "equipment": equipment, "protocol": "modbus", "vendor": "v", "model": "m", "source": "s"}
    return parse_profile({"profile": head, "point": [{"zh": "點", "en": "p"} | point for point in points]}, "test.toml")


def test_the_shipped_profiles_keep_to_their_class() -> None:
    paths = sorted((share_dir("config") / "profiles").glob("*/*.toml"))
    assert len(paths) >= 18
    for path in paths:
        made = load_profile(path)
        check_profile(made)
        assert path.stem == made.id
        assert path.parent.name.replace("-", "_") == made.equipment


def test_points_beyond_the_class_are_allowed() -> None:
    check_profile(profile("meter", POWER, ENERGY, {"tag": "inner_temp", "unit": "°C"}))


@pytest.mark.parametrize(
    ("equipment", "points", "message"),
    [
        ("metre", [POWER, ENERGY], 'no class of equipment; did you mean "meter"'),
        ("meter", [POWER], "must have energy_import"),
        ("meter", [{"tag": "power", "unit": "W"}, ENERGY], 'unit: got "W", a meter has "kW"'),
        ("meter", [POWER, {"tag": "energy_import", "unit": "kWh"}], "kind: got analog, a meter has counter"),
        ("meter", [POWER | {"write": {"low": 0, "high": 1}}, ENERGY], "no command of this name"),
        ("environment", [{"tag": "battery", "unit": "%"}], "at least one of temperature"),
    ],
)
def test_a_profile_that_does_not_keep_to_its_class_is_refused(
    equipment: str, points: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ProfileError, match=message):
        check_profile(profile(equipment, *points))


def test_every_class_has_names_in_both_languages_and_requires_points_that_it_knows() -> None:
    for cls in EQUIPMENT.values():
        assert cls.zh
        assert cls.en
        assert set(cls.required) <= set(cls.points)
