"""What the relays of dry-type transformers show, as somebody who stands before them would expect it."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.plant.transformer import TransformerBank, winding_reading_rise

ROWS = TransformerBank.relay_rows


def settled(load: float, outdoor_c: float = 25.0) -> dict[str, float]:
    """The means of eight transformers after two days at one load, so that the errors of the sensors cancel out."""
    n = 8
    bank = TransformerBank(1, np.full(n, 2000.0))
    shares = np.full((3, n), 1.0 / 3.0)
    for _ in range(2 * 24 * 12):
        bank.step(300.0, outdoor_c, 1.0, np.full(n, 2000.0 * load), np.zeros(n), shares, np.full(n, 5.0))
    bank.show()
    return {tag: float(bank.relay[row].mean()) for tag, row in ROWS.items()} | {"ambient": bank.ambient_c}


def test_without_load_the_core_warms_the_windings() -> None:
    shown = settled(0.0)
    assert 8.0 < shown["winding_temp_a"] - shown["ambient"] < 18.0
    assert 15.0 < shown["core_temp"] - shown["ambient"] < 35.0


@pytest.mark.parametrize("load", [0.1, 0.2, 0.3, 0.4])
def test_at_the_loads_of_an_office_core_and_windings_are_near_each_other(load: float) -> None:
    shown = settled(load)
    assert abs(shown["core_temp"] - shown["winding_temp_b"]) < 12.0
    assert shown["temp_alarm"] == shown["fan_1"] == 0.0


def test_at_high_load_the_windings_are_the_hottest_part_and_the_fans_run() -> None:
    shown = settled(0.9)
    assert shown["winding_temp_a"] > shown["core_temp"] + 10.0
    assert shown["fan_1"] > 0.0
    assert shown["temp_trip"] == 0.0


def test_rise_of_a_winding_from_load_and_excitation() -> None:
    # IEC 60076-11, simulated load method: 100 K from load and 12 K from excitation make 105.6 K.
    assert float(winding_reading_rise(np.float64(100.0))) == pytest.approx(105.6, abs=0.2)  # type: ignore[arg-type]
    assert float(winding_reading_rise(np.float64(0.0))) == pytest.approx(12.0)  # type: ignore[arg-type]
