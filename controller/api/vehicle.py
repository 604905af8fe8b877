"""`/vehicles`: official vehicles as chargers know them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Address, Item
from controller.api.render import Json
from controller.errors import NotFoundError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.settings.energy import Vehicle

__all__ = ["router"]

router = APIRouter(prefix="/vehicles", tags=["vehicles"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]


_EXAMPLE: dict[str, Any] = {
    "id": "car-01",
    "plate": "XEV-0001",
    "unit": "秘書處",
    "battery_kwh": 60.0,
    "max_kw": 11.0,
    "departure": "08:30",
    "rfid": "F1EE7001",
    "note": "assumed",
}


class VehicleReply(Item):
    """One official vehicle."""

    id: str
    plate: str
    unit: str
    """The office that runs it."""
    battery_kwh: float
    max_kw: float
    departure: str
    """`HH:MM` on working days; empty without a fixed time."""
    rfid: str
    note: str
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})


class VehiclesReply(Item):
    """The fleet."""

    items: list[VehicleReply]
    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE]}]})


def _json(vehicle: Vehicle) -> dict[str, Any]:
    return {
        "id": vehicle.id,
        "plate": vehicle.plate,
        "unit": vehicle.unit,
        "battery_kwh": vehicle.battery_kwh,
        "max_kw": vehicle.max_kw,
        "departure": vehicle.departure,
        "rfid": vehicle.rfid,
        "note": vehicle.note,
    }


@router.get("", response_model=VehiclesReply)
async def list_vehicles(runtime: RuntimeDep, principal: Viewer) -> Json:  # noqa: ARG001 - the guard is the parameter
    """Return the official vehicles, in the order of the files."""
    return Json({"items": [_json(vehicle) for vehicle in runtime.fleet().vehicles]})


@router.get("/{reported}", response_model=VehicleReply)
async def find_vehicle(runtime: RuntimeDep, principal: Viewer, reported: Address) -> Json:  # noqa: ARG001 - guard
    """Return the vehicle of a plate, a charging card or an id, as a charger reports it."""
    fleet = runtime.fleet()
    found = fleet.find(reported) or next((one for one in fleet.vehicles if one.id == reported), None)
    if found is None:
        raise NotFoundError(f"{reported[:40]!r} is no official vehicle")
    return Json(_json(found))
