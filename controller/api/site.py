"""`/site`, `/sites`, `/buildings`: the place, as far as the principal may see it."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict
from starlette.responses import Response

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Item, NameReply, Page
from controller.api.equipment import EquipmentReply
from controller.api.render import Json, equipment_json, name_json
from controller.api.runtime import Runtime
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.point.model import Building

__all__ = ["router"]

router = APIRouter(tags=["site"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]

_SYSTEMS = {
    "electrical": ("供電設備", "Electrical"),
    "standby": ("備援電力", "Standby power"),
    "plant": ("冰水系統", "Chilled-water plant"),
    "hvac": ("空調", "Air-conditioning"),
    "carpark": ("停車場排風", "Car-park exhaust"),
    "environment": ("環境感測器", "Environment sensors"),
    "meter": ("智慧型電表", "Smart meters"),
    "water": ("智慧型水表", "Smart water meters"),
    "ev": ("電動車充電", "EV charging"),
    "parking": ("車位", "Parking"),
    "access": ("門禁", "Access control"),
    "intrusion": ("防盜", "Intrusion"),
    "sos": ("緊急求助", "SOS"),
    "intercom": ("對講", "Intercom"),
    "cctv": ("監視系統", "CCTV"),
    "lift": ("升降設備", "Lifts"),
    "fire": ("消防", "Fire"),
}
"""Names of the systems; one that is not here is called by its id."""


class FloorReply(Item):
    """One level; `index` sorts from the lowest."""

    id: str
    index: int
    name: NameReply


class BuildingReply(Item):
    """One building."""

    id: str
    name: NameReply
    floors: list[FloorReply]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "cityhall",
                    "name": {"zh": "市政大樓", "en": "City Hall"},
                    "floors": [{"id": "B1", "index": -1, "name": {"zh": "地下1樓", "en": "B1"}}],
                }
            ]
        }
    )


class AreaReply(Item):
    """One area that permissions speak of."""

    id: str
    name: NameReply
    building: str


class SystemReply(Item):
    """One system: the second part of an address."""

    id: str
    name: NameReply


class SiteReply(Item):
    """The whole place without its points."""

    id: str
    name: NameReply
    timezone: str
    generation: int
    version: str
    buildings: list[BuildingReply]
    areas: list[AreaReply]
    systems: list[SystemReply]
    equipment: list[EquipmentReply]


class SiteSummary(Item):
    """One line of the list of sites; a controller serves one."""

    id: str
    name: NameReply
    timezone: str
    generation: int
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "taipei-city-hall",
                    "name": {"zh": "臺北市政府", "en": "Taipei City Government"},
                    "timezone": "Asia/Taipei",
                    "generation": 1,
                }
            ]
        }
    )


def _building(building: Building) -> dict[str, Any]:
    floors = [{"id": floor.id, "index": floor.index, "name": name_json(floor.name)} for floor in building.floors]
    return {"id": building.id, "name": name_json(building.name), "floors": floors}


def _site(runtime: Runtime, principal: Principal) -> dict[str, Any]:
    site = runtime.site()
    seen = [entry for entry in site.equipment.values() if principal.permissions.allows(Action.VIEW, entry.area)]
    systems = []
    for system in dict.fromkeys(entry.system for entry in seen):
        zh, en = _SYSTEMS.get(system, (system, system))
        systems.append({"id": system, "name": {"zh": zh, "en": en}})
    return {
        "id": site.id,
        "name": name_json(site.name),
        "timezone": site.timezone,
        "generation": site.generation,
        "version": runtime.version,
        "buildings": [_building(building) for building in site.buildings.values()],
        "areas": [
            {"id": area.id, "name": name_json(area.name), "building": area.building} for area in site.areas.values()
        ],
        "systems": systems,
        "equipment": [equipment_json(entry) for entry in seen],
    }


@router.get("/site", response_model=SiteReply, responses={304: {"description": "not changed"}})
async def read_site(request: Request, runtime: RuntimeDep, principal: Viewer) -> Response:
    """Return buildings, areas, systems and equipment; with If-None-Match 304 while nothing has changed."""
    areas = principal.permissions.areas(Action.VIEW)
    seen = "*" if areas is None else ",".join(sorted(areas))
    site = runtime.site()
    basis = f"{site.id}\n{site.generation}\n{runtime.version}\n{seen}"
    etag = f'"{hashlib.sha256(basis.encode()).hexdigest()[:24]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if etag in [part.strip() for part in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Json(_site(runtime, principal), headers=headers)


@router.get("/sites", response_model=Page[SiteSummary])
async def list_sites(runtime: RuntimeDep, _: Viewer) -> Json:
    """Return the site that this controller serves."""
    site = runtime.site()
    summary = {
        "id": site.id,
        "name": name_json(site.name),
        "timezone": site.timezone,
        "generation": site.generation,
    }
    return Json({"items": [summary], "next": None})


@router.get("/buildings", response_model=Page[BuildingReply])
async def list_buildings(runtime: RuntimeDep, _: Viewer) -> Json:
    """Return the buildings with their floors."""
    return Json({"items": [_building(building) for building in runtime.site().buildings.values()], "next": None})
