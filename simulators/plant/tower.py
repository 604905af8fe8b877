"""Cooling tower: York polynomial for the approach, and the water that it uses.

Coefficients: EnergyPlus / Modelica Buildings library, `yorkCalc`; valid for a wet bulb up to 26.7 °C (28 extrapolates
smoothly), a range of 1.1 to 22.2 K and a liquid-to-gas ratio up to 8.
"""

from __future__ import annotations

__all__ = ["approach", "evaporation_kg_s"]

_YORK = (
    -0.359741205, -0.055053608, 0.0023850432, 0.173926877, -0.0248473764, 0.00048430224, -0.005589849456,
    0.0005770079712, -0.00001342427256,
    2.84765801111111, -0.121765149, 0.0014599242, 1.680428651, -0.0166920786, -0.0007190532, -0.025485194448,
    0.0000487491696, 0.00002719234152,
    -0.0653766255555556, -0.002278167, 0.0002500254, -0.0910565458, 0.00318176316, 0.000038621772,
    -0.0034285382352, 0.00000856589904, -0.000001516821552,
)  # fmt: skip
_NATURAL_DRAFT = 0.125


def approach(range_k: float, wet_bulb_c: float, water_ratio: float, air_ratio: float) -> float:
    """Return leaving water minus wet bulb, K; the ratios are flow over design flow. Never below 1 K."""
    r = min(max(range_k, 1.1), 22.2)
    w = min(max(wet_bulb_c, -10.0), 29.0)
    ratio = min(min(max(water_ratio, 0.75), 1.25) / max(air_ratio, _NATURAL_DRAFT), 8.0)
    squares = (1.0, w, w * w)
    total, place, liquid = 0.0, 0, 1.0
    for _ in range(3):
        heat = liquid
        for _ in range(3):
            c = _YORK[place : place + 3]
            total += heat * (c[0] * squares[0] + c[1] * squares[1] + c[2] * squares[2])
            place += 3
            heat *= r
        liquid *= ratio
    return min(max(total, 1.0), 40.0)


def evaporation_kg_s(rejected_kw: float) -> float:
    """Return the water that evaporates, kg/s: 0.85 of the heat leaves as vapour at 2,430 kJ/kg."""
    return 0.85 * max(rejected_kw, 0.0) / 2430.0
