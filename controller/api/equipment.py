"""`/equipment`: the things that have points."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep, find_equipment
from controller.api.body import Address, Cursor, Item, Limit, NameReply, Page, page_of
from controller.api.render import Json, equipment_json
from controller.identity.identity import Principal
from controller.identity.permission import Action

__all__ = ["EquipmentReply", "router"]

router = APIRouter(prefix="/equipment", tags=["equipment"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]


class EquipmentReply(Item):
    """One piece of equipment."""

    address: str
    cls: str
    name: NameReply
    building: str
    system: str
    floor: str
    area: str
    wing: str
    maker: str
    model: str
    serial: str
    parameters: dict[str, float | str | None]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "address": "cityhall.electrical.tx1",
                    "cls": "transformer",
                    "name": {"zh": "一號高壓變壓器", "en": "Transformer TX1"},
                    "building": "cityhall",
                    "system": "electrical",
                    "floor": "B3",
                    "area": "substation",
                    "wing": "",
                    "maker": "",
                    "model": "",
                    "serial": "",
                    "parameters": {"rated_kva": 2000.0, "feeds": "cityhall.electrical.lv1"},
                }
            ]
        }
    )


@router.get("", response_model=Page[EquipmentReply])
async def list_equipment(
    runtime: RuntimeDep,
    principal: Viewer,
    system: Address | None = None,
    area: Address | None = None,
    floor: Address | None = None,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> Json:
    """Return equipment in the order of the files."""
    site = runtime.site()
    found = [
        entry
        for entry in site.equipment.values()
        if principal.permissions.allows(Action.VIEW, entry.area)
        and (system is None or entry.system == system)
        and (area is None or entry.area == area)
        and (floor is None or entry.floor == floor)
    ]
    page, following = page_of(found, cursor, limit, site.generation)
    return Json({"items": [equipment_json(entry) for entry in page], "next": following})


@router.get("/{address}", response_model=EquipmentReply)
async def read_equipment(runtime: RuntimeDep, principal: Viewer, address: Address) -> Json:
    """Return one piece of equipment."""
    return Json(equipment_json(find_equipment(runtime, principal, address)))
