"""Wet cooling coil by enthalpy effectiveness and bypass factor, one column a coil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.air import enthalpy, saturated_ratio, saturation_temperature

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CoilOutlet", "cool"]

_SATURATED_SLOPE = 3.0
"""kJ/(kg K), rise of saturated enthalpy between 7 and 15 °C."""
_WATER_KJ = 4.186
_SURFACE = 0.88
"""Share of the air that touches the surface; the rest passes by."""


@dataclass(frozen=True, slots=True)
class CoilOutlet:
    """What leaves the coils, each (N,)."""

    celsius: NDArray[np.float64]
    ratio: NDArray[np.float64]
    heat_kw: NDArray[np.float64]
    """Taken up by the water."""


def cool(
    celsius: NDArray[np.float64],
    ratio: NDArray[np.float64],
    air_kg: NDArray[np.float64],
    water_kg: NDArray[np.float64],
    water_c: float,
    transfer_kg: NDArray[np.float64],
) -> CoilOutlet:
    """Return the outlet of coils with inlet air, air and water flow kg/s and enthalpy conductance `transfer_kg` kg/s.

    Without air or water the air leaves as it came and no heat flows. The coil never heats.
    """
    active = (air_kg > 1e-3) & (water_kg > 1e-4)
    air = np.where(active, air_kg, 1.0)
    water = np.where(active, water_kg, 1.0)
    capacity = air * _SATURATED_SLOPE / (water * _WATER_KJ) + 1e-6
    units = transfer_kg / air
    decay = np.exp(-np.clip(units * (1.0 - capacity), -50.0, 50.0))
    effectiveness = (1.0 - decay) / (1.0 - capacity * decay)
    inlet = enthalpy(celsius, ratio)
    cold = float(enthalpy(np.float64(water_c), saturated_ratio(np.float64(water_c))))  # type: ignore[arg-type]
    drop = np.where(active, effectiveness * np.maximum(inlet - cold, 0.0), 0.0)
    surface_c = saturation_temperature(inlet - drop / _SURFACE)
    surface_ratio = np.minimum(saturated_ratio(surface_c), ratio)
    wet_c = np.minimum(surface_c + (1.0 - _SURFACE) * (celsius - surface_c), celsius)
    wet_ratio = surface_ratio + (1.0 - _SURFACE) * (ratio - surface_ratio)
    # A dry surface keeps the moisture: the same enthalpy drop is then all sensible.
    dry = surface_ratio >= ratio - 1e-9
    dry_c = celsius - drop / (1.006 + 1.86 * ratio)
    out_c = np.where(active, np.where(dry, np.maximum(dry_c, water_c), wet_c), celsius)
    out_ratio = np.where(active & ~dry, wet_ratio, ratio)
    condensate = air * (ratio - out_ratio)
    heat = air * (inlet - enthalpy(out_c, out_ratio)) - condensate * _WATER_KJ * out_c
    return CoilOutlet(out_c, out_ratio, np.where(active, np.maximum(heat, 0.0), 0.0))
