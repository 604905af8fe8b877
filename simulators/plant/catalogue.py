"""What can be simulated: the parts of the building, and every profile that one of them or the core answers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.plant.carpark import CarPark
from simulators.plant.door import DoorPart
from simulators.plant.firepanel import FirePanel
from simulators.plant.guarded import CameraPart, HelpPart, IntrusionPart
from simulators.plant.lift import LiftBank
from simulators.plant.quantity import MODELS as CORE
from simulators.plant.standby import Standby
from simulators.plant.station import AirStations
from simulators.plant.water import WaterBank
from simulators.site import SiteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.plant.part import Part
    from simulators.plant.quantity import Model

__all__ = ["MODELS", "PARTS", "model_of"]

PARTS: tuple[type[Part], ...] = (
    AirStations, FirePanel, Standby, LiftBank, WaterBank, CarPark, DoorPart, IntrusionPart, HelpPart, CameraPart,
)  # fmt: skip
"""In the order in which they are stepped."""

MODELS: Mapping[str, Model] = {**CORE, **{name: model for part in PARTS for name, model in part.models.items()}}


def model_of(profile: str, device: str) -> Model:
    """Return the model behind a profile id.

    Raises:
        SiteError: nothing simulates that profile.
    """
    model = MODELS.get(profile)
    if model is None:
        raise SiteError(f'device "{device}" profile: got "{profile}", the simulators know {", ".join(sorted(MODELS))}')
    return model
