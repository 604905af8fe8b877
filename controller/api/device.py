"""`/devices`: how each device behind the points is doing."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Address, Cursor, Item, Limit, Page, page_of
from controller.api.render import Json, device_json
from controller.api.runtime import Runtime
from controller.errors import NotFoundError
from controller.field.field import DeviceStatus
from controller.identity.identity import Principal
from controller.identity.permission import Action

__all__ = ["router"]

router = APIRouter(prefix="/devices", tags=["devices"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
State = Literal["starting", "good", "lost", "refused", "disabled"]


class DeviceReply(Item):
    """One device."""

    id: str
    profile: str
    protocol: str
    endpoint: str
    unit: int
    equipment: str
    points: int
    state: State
    last_good: str | None
    since: str | None
    polls: int
    errors: int
    timeouts: int
    refused: int
    latency_p95_ms: float | None
    message: str
    cause: str
    """What the message is about, in one word; empty where nothing is wrong."""
    keepalives: int
    writes: int
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "tx1-temp",
                    "profile": "tecsystem-nt935",
                    "protocol": "modbus",
                    "endpoint": "rtu+tcp://10.20.1.10:4001",
                    "unit": 1,
                    "equipment": "cityhall.electrical.tx1",
                    "points": 10,
                    "state": "good",
                    "last_good": "2026-01-01T00:00:10.000Z",
                    "since": "2026-01-01T00:00:00.000Z",
                    "polls": 120,
                    "errors": 0,
                    "timeouts": 0,
                    "refused": 0,
                    "latency_p95_ms": 41.5,
                    "message": "",
                    "cause": "",
                    "keepalives": 0,
                    "writes": 0,
                }
            ]
        }
    )


def _seen(runtime: Runtime, principal: Principal) -> list[DeviceStatus]:
    equipment = runtime.site().equipment
    found = []
    for status in runtime.field.statuses():
        owner = equipment.get(status.equipment)
        if principal.permissions.allows(Action.VIEW, owner.area if owner else ""):
            found.append(status)
    return found


@router.get("", response_model=Page[DeviceReply])
async def list_devices(
    runtime: RuntimeDep, principal: Viewer, state: State | None = None, cursor: Cursor = None, limit: Limit = 500
) -> Json:
    """Return the devices and how they are."""
    found = [status for status in _seen(runtime, principal) if state is None or status.state == state]
    items, following = page_of(found, cursor, limit, runtime.site().generation)
    return Json({"items": [device_json(status) for status in items], "next": following})


@router.get("/{device_id}", response_model=DeviceReply)
async def read_device(runtime: RuntimeDep, principal: Viewer, device_id: Address) -> Json:
    """Return one device."""
    for status in _seen(runtime, principal):
        if status.id == device_id:
            return Json(device_json(status))
    raise NotFoundError(f"no device {device_id[:80]!r}; GET /api/v1/devices lists them")
