from __future__ import annotations

import numpy as np
import pytest

from controller.point.unit import UnitError, compatible, convert, dimension, parse_unit

SHOWN = """kW kvar kVA V A Hz % °C K kWh kvarh kPa Pa L/s L/min mm µS/cm ppm µg/m³ mg/m³ hPa s h lx"""


@pytest.mark.parametrize("shown", SHOWN.split(" "))
def test_every_unit_of_the_screens_is_known(shown: str) -> None:
    unit = parse_unit(shown)
    assert unit.shown == shown
    assert unit.factor > 0
    assert convert(12.5, shown, shown) == 12.5


@pytest.mark.parametrize(
    ("value", "source", "target", "wanted"),
    [
        (1.0, "RT", "kW", 3.5168528),
        (100.0, "RT", "RT", 100.0),
        (26.0, "°C", "K", 299.15),
        (212.0, "degF", "°C", 100.0),
        (0.0, "degC", "degF", 32.0),
        (50.0, "%", "", 0.5),
        (1.0, "kWh", "MJ", 3.6),
        (1.0, "MVA", "kVA", 1000.0),
        (2.0, "kvarh", "varh", 2000.0),
        (60.0, "L/min", "L/s", 1.0),
        (3.6, "m³/h", "L/s", 1.0),
        (1.0, "bar", "kPa", 100.0),
        (1013.0, "hPa", "kPa", 101.3),
        (1.0, "mg/m³", "μg/m³", 1000.0),
        (400.0, "ppm", "%", 0.04),
        (1.0, "mS/cm", "µS/cm", 1000.0),
        (2.0, "h", "min", 120.0),
        (3000.0, "rpm", "Hz", 50.0),
    ],
)
def test_conversion(value: float, source: str, target: str, wanted: float) -> None:
    assert convert(value, source, target) == pytest.approx(wanted, rel=1e-12)
    assert convert(wanted, target, source) == pytest.approx(value, rel=1e-12)


def test_conversion_of_arrays() -> None:
    np.testing.assert_allclose(convert(np.array([0.0, 26.0]), "°C", "degF"), [32.0, 78.8])


def test_quantities() -> None:
    assert dimension("kW") == dimension("RT") == dimension("kVA")
    assert dimension("%") == dimension("") == ()
    assert dimension("°C") == (("[temperature]", 1.0),)
    assert parse_unit("°C").absolute
    assert not parse_unit("K").absolute


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ("kW", "RT", True),
        ("kW", "kvar", False),
        ("kW", "kVA", False),
        ("kVA", "kvar", False),
        ("kWh", "kvarh", False),
        ("kWh", "GJ", True),
        ("kW", "kWh", False),
        ("°C", "K", True),
        ("", "%", True),
        ("", "kW", False),
    ],
)
def test_compatible(first: str, second: str, wanted: bool) -> None:
    assert compatible(first, second) is wanted
    assert compatible(second, first) is wanted


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("kilowat", "unknown"),
        ("RX", "unknown"),
        ("kW+kW", "cannot be read"),
        ("3 kW", "cannot be read"),
        ("__import__('os')", "cannot be read"),
        ("m**99", "cannot be read"),
        ("k" * 50, "cannot be read"),
        ("°C**2", "write K"),
        ("W/°C", "write K"),
    ],
)
def test_wrong_units_are_refused(unit: str, words: str) -> None:
    with pytest.raises(UnitError, match=words):
        parse_unit(unit)


def test_wrong_conversions_are_refused() -> None:
    with pytest.raises(UnitError, match="kW cannot be converted to a pure number"):
        convert(1.0, "kW", "")
    with pytest.raises(UnitError, match="kvar cannot be converted to kW"):
        convert(1.0, "kvar", "kW")
