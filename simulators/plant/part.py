"""A part of the building beside cooling, air and power: the car park, the doors, the lifts, the fire panel.

A part is made once from the devices that look at it, is stepped with everything else, and answers for its own devices.
Its state lies in numpy arrays, numbers and dictionaries of numbers, so that `simulators.plant.memento` can keep it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from simulators.plant.calendar import Moment
    from simulators.plant.device import Device
    from simulators.plant.quantity import Model
    from simulators.plant.weather import Outdoor
    from simulators.plant.zone import ZoneBank
    from simulators.site import SimulatedDevice, SimulatedSite

__all__ = ["Part", "Scene", "Wires"]


@dataclass(slots=True)
class Wires:
    """Hard wires between the parts: what one part drives in its step, the others see in theirs.

    They are no state: every part says anew what it drives.
    """

    fire_floors: frozenset[str] = frozenset()
    """Floors of the panel's building with a zone in fire: lifts are recalled, air handlers go into their fire mode,
    doors are released, the fans of a car-park level run at full speed, and all gates stand open."""
    recalled: frozenset[str] = frozenset()
    """Addresses of the lifts that stand recalled with open doors."""
    supply: bool = True
    """The essential board has power."""
    lost_steps: tuple[float, ...] = ()
    """Steps of the capacitor bank of each board that do not come in."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a part sees of the rest of the world in one step."""

    time_ns: int
    """Calendar time at the end of the step, ns since 1970 UTC."""
    moment: Moment
    """The same in local days and hours."""
    outdoor: Outdoor
    zones: ZoneBank
    heads: NDArray[np.float64]
    """People in each zone of `zones`."""
    crowd: float
    """People in the house as a share of all who work there, 0 to 1."""
    lamps: float
    """Share of the lamps that burn, 0 to 1."""
    makeup_lmin: float = 0.0
    """Water that the cooling towers take, L/min."""
    steps: tuple[float, ...] = ()
    """Capacitor steps that are in at each board."""
    wires: Wires = field(default_factory=Wires)


class Part(Protocol):
    """One part; the world makes it with the devices whose model it names, and only if there are any."""

    models: ClassVar[Mapping[str, Model]]
    """Profile id -> model, of every profile that this part simulates."""

    def __init__(self, seed: int, site: SimulatedSite, rows: Sequence[SimulatedDevice]) -> None:
        """Lay out the part for its devices.

        Raises:
            SiteError: a device looks at something that the building has not got.
        """

    def step(self, dt_s: float, scene: Scene) -> None:
        """Advance by `dt_s` > 0 (1 s live, up to 150 s in history)."""

    def show(self) -> None:
        """Bring the tables of the devices up to date with the last step."""

    def device(self, row: SimulatedDevice) -> Device:
        """Return what one of `rows` looks at."""

    def loads_kw(self) -> Mapping[str, float]:
        """Return what the part draws now, kW, by kind of feeder (`simulators.plant.network.KINDS`)."""
