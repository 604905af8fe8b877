"""Temperature, moisture, CO2 and dust of the zones: 5R1C of ISO 13790 with an air node, one column a zone.

Implicit Euler, so that every step from half a second to five minutes is stable and conserves heat exactly.
Units: W, J, K, kg/s; SI throughout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.air import saturated_ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.plant.weather import Outdoor

__all__ = ["ZoneBank"]

_AIR_J = 1006.0
_HEIGHT_M = 3.0
_DENSITY = 1.2
_PERSON_CO2_LS = 0.0052
_PERSON_VAPOUR = 0.08 / 3600.0
"""kg/s: 55 W latent at 2,450 kJ/kg."""
_MOISTURE_BUFFER = 8.0
"""Furniture holds this many times the moisture of the air."""


class ZoneBank:
    """All zones of the building as arrays (N,)."""

    def __init__(self, area: NDArray[np.float64], glass: NDArray[np.float64], walls: NDArray[np.float64]) -> None:
        """Floor `area` m², `glass` m² a m² of floor, and how the glass is spread over `walls` (N, 4), N E S W."""
        self.area = area
        mass_area, inner = 2.5 * area, 4.5 * area
        self._ms = 9.1 * mass_area
        self._is = 3.45 * inner
        self._w = 5.0 * glass * area
        opaque = 0.35 * area
        self._em = 1.0 / (1.0 / opaque - 1.0 / self._ms)
        self._mass_j = 165e3 * area
        self._air_j = 18e3 * area
        self._mass_share = mass_area / inner
        self._surface_share = 1.0 - self._mass_share - self._w / (9.1 * inner)
        # Shading coefficient 0.35 of old double glass behind blinds that are half drawn.
        self._sun = (0.35 * 0.7 * glass * area)[:, None] * walls
        self._air_kg = _DENSITY * _HEIGHT_M * area
        self._ts_sum = self._ms + self._w + self._is
        n = len(area)
        self.air = np.full(n, 26.0)
        self.mass = np.full(n, 26.2)
        self.ratio = np.full(n, 0.0115)
        self.co2 = np.full(n, 480.0)
        self.pm25 = np.full(n, 8.0)
        self.gain_w = np.zeros(n)
        """Sun and inner gains of the last step that stay in the room."""
        self.flow_w = np.zeros(n)
        """What air streams and envelope brought in the last step (negative: took away)."""

    def stored_j(self) -> NDArray[np.float64]:
        """Return the heat above 0 °C in air and mass, J (N,)."""
        return np.asarray(self._air_j * self.air + self._mass_j * self.mass)

    def step(
        self,
        dt_s: float,
        outdoor: Outdoor,
        heads: NDArray[np.float64],
        appliances_w: NDArray[np.float64],
        supply_kg: NDArray[np.float64],
        supply_c: NDArray[np.float64],
        supply_ratio: NDArray[np.float64],
        outdoor_share: NDArray[np.float64],
        rooms_w: NDArray[np.float64],
    ) -> None:
        """Advance by `dt_s`: `heads` people, `appliances_w` lamps and plugs, supply air kg/s with its state.

        `rooms_w` comes from rooms with a coil of their own that lie in the zone.
        """
        inner = 75.0 * heads + appliances_w
        sun = self._sun @ np.array(outdoor.walls)
        radiant = 0.5 * inner + sun
        to_air = 0.5 * inner + rooms_w
        to_mass = self._mass_share * radiant
        to_surface = self._surface_share * radiant
        # Infiltration 0.1 changes an hour under the fan's pressure, 0.4 without, with wind.
        changes = np.where(supply_kg > 0.01, 0.1, 0.4) * (0.6 + 0.1 * outdoor.wind)
        leak_kg = self._air_kg * changes / 3600.0
        stream_w = supply_kg * _AIR_J
        leak_w = leak_kg * _AIR_J
        te = outdoor.temperature
        # Ts eliminated: Ts = (Hms Tm + Hw Te + His Ta + Φst) / sum.
        a, b = self._is / self._ts_sum, self._ms / self._ts_sum
        fixed = (self._w * te + to_surface) / self._ts_sum
        aa = self._air_j / dt_s + self._is * (1.0 - a) + stream_w + leak_w
        am = -self._is * b
        mm = self._mass_j / dt_s + self._ms * (1.0 - b) + self._em
        ra = self._air_j / dt_s * self.air + self._is * fixed + stream_w * supply_c + leak_w * te + to_air
        rm = self._mass_j / dt_s * self.mass + self._ms * fixed + self._em * te + to_mass
        ma = -self._ms * a
        determinant = aa * mm - am * ma
        air = (ra * mm - am * rm) / determinant
        mass = (aa * rm - ma * ra) / determinant
        surface = a * air + b * mass + fixed
        self.gain_w = to_air + to_mass + to_surface
        self.flow_w = (
            stream_w * (supply_c - air) + leak_w * (te - air) + self._w * (te - surface) + self._em * (te - mass)
        )
        self.air, self.mass = air, mass
        self._step_air(dt_s, outdoor, heads, supply_kg, supply_ratio, outdoor_share, leak_kg)

    def _step_air(
        self,
        dt_s: float,
        outdoor: Outdoor,
        heads: NDArray[np.float64],
        supply_kg: NDArray[np.float64],
        supply_ratio: NDArray[np.float64],
        outdoor_share: NDArray[np.float64],
        leak_kg: NDArray[np.float64],
    ) -> None:
        hold = _MOISTURE_BUFFER * self._air_kg / dt_s
        vapour = hold * self.ratio + supply_kg * supply_ratio + leak_kg * outdoor.ratio + _PERSON_VAPOUR * heads
        self.ratio = np.minimum(vapour / (hold + supply_kg + leak_kg), saturated_ratio(self.air))
        hold = self._air_kg / dt_s
        fresh = supply_kg * outdoor_share + leak_kg
        breath = _DENSITY * 1e3 * _PERSON_CO2_LS * heads
        self.co2 = (hold * self.co2 + fresh * outdoor.co2 + breath) / (hold + fresh)
        # A filter class that holds 0.7 of what passes, 0.8 of the dust comes in through cracks, 0.2/h settles.
        dust = hold * self.pm25 + (0.3 * supply_kg * outdoor_share + 0.8 * leak_kg) * outdoor.pm25 + 0.02 * heads
        settle = self._air_kg * 0.2 / 3600.0
        self.pm25 = dust / (hold + fresh + 0.7 * supply_kg * (1.0 - outdoor_share) + settle)
