"""`/profiles`: the device models that can be chosen, with their points and the options that a device must give."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Address, Item, NameReply
from controller.api.point import StateReply
from controller.api.render import Json
from controller.errors import NotFoundError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.settings.build import SCHEMES
from controller.settings.option import known_options, template_options
from controller.settings.problem import Problem
from controller.settings.suggestion import fill, suggest
from drivers.equipment import EQUIPMENT
from drivers.profile import Profile

__all__ = ["router"]

router = APIRouter(prefix="/profiles", tags=["commissioning"])
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]


_EXAMPLE: dict[str, Any] = {
    "id": "eastron-sdm630",
    "equipment": "meter",
    "equipment_name": {"zh": "智慧型電表", "en": "Power meter"},
    "protocol": "modbus",
    "vendor": "Eastron",
    "model": "SDM630",
    "source": "SDM630 Modbus protocol V1.5",
    "period_s": 10.0,
    "points": 1,
    "schemes": ["tcp", "rtu+tcp", "serial"],
    "options": ["word_order", "base"],
    "required": [],
}
_POINT: dict[str, Any] = {
    "tag": "power",
    "kind": "analog",
    "unit": "kW",
    "name": {"zh": "總有效功率", "en": "Total active power"},
    "decimals": 1,
    "states": [],
    "commanded": False,
}


class ProfileReply(Item):
    """One profile; `required` are the options that its devices must give, `options` those that they may give."""

    id: str
    equipment: str
    equipment_name: NameReply
    protocol: str
    vendor: str
    model: str
    source: str
    period_s: float
    points: int
    schemes: list[str]
    options: list[str]
    required: list[str]
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})


class ProfilePointReply(Item):
    """One point of a profile."""

    tag: str
    kind: str
    unit: str
    name: NameReply
    decimals: int
    states: list[StateReply]
    commanded: bool
    model_config = ConfigDict(json_schema_extra={"examples": [_POINT]})


class ProfileDetail(ProfileReply):
    """A profile with its points."""

    point: list[ProfilePointReply]
    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "point": [_POINT]}]})


class ProfilesReply(Item):
    """All profiles, by class of equipment and id."""

    items: list[ProfileReply]
    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE]}]})


class SuggestionReply(Item):
    """The next equipment and device of a class: templates over `n`, the number to begin with, and both filled in."""

    number: int
    like: str
    address_template: str
    device_template: str
    zh_template: str
    en_template: str
    address: str
    device: str
    name: NameReply
    equipment: dict[str, Any]
    """Floor, area, wing, maker, model and parameters of the equipment that it is modelled on."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "number": 132,
                    "like": "cityhall.meter.em131",
                    "address_template": "cityhall.meter.em{n:03}",
                    "device_template": "em{n:03}-meter",
                    "zh_template": "樓層電表 EM-{n:03}",
                    "en_template": "Floor meter EM-{n:03}",
                    "address": "cityhall.meter.em132",
                    "device": "em132-meter",
                    "name": {"zh": "樓層電表 EM-132", "en": "Floor meter EM-132"},
                    "equipment": {"floor": "12F", "area": "west"},
                }
            ]
        }
    )


def _head(profile: Profile) -> dict[str, Any]:
    known = EQUIPMENT[profile.equipment]
    return {
        "id": profile.id,
        "equipment": profile.equipment,
        "equipment_name": {"zh": known.zh, "en": known.en},
        "protocol": profile.protocol,
        "vendor": profile.vendor,
        "model": profile.model,
        "source": profile.source,
        "period_s": profile.period_s,
        "points": len(profile.points),
        "schemes": list(SCHEMES[profile.protocol]),
        "options": list(known_options(profile)),
        "required": list(template_options(profile)),
    }


@router.get("", response_model=ProfilesReply)
async def list_profiles(runtime: RuntimeDep, _: Engineer) -> Json:
    """Return every profile that can be used: those that come along, and those of the site's folder."""
    library = runtime.inventory().files.library

    def found() -> list[Profile]:
        library.look_again()
        read = (library.get(name) for name in library.names())
        return sorted((item for item in read if isinstance(item, Profile)), key=lambda item: (item.equipment, item.id))

    return Json({"items": [_head(profile) for profile in await asyncio.to_thread(found)]})


@router.get("/{profile_id}", response_model=ProfileDetail)
async def read_profile(runtime: RuntimeDep, _: Engineer, profile_id: Address) -> Json:
    """Return one profile with its points."""
    profile = _find(runtime, profile_id)
    points = [
        {
            "tag": point.tag,
            "kind": point.kind,
            "unit": point.unit,
            "name": {"zh": point.zh, "en": point.en},
            "decimals": point.decimals,
            "states": [{"value": value, "name": {"zh": zh, "en": en}} for value, zh, en in point.states],
            "commanded": point.write is not None,
        }
        for point in profile.points
    ]
    return Json({**_head(profile), "point": points})


@router.get("/{profile_id}/suggestion", response_model=SuggestionReply)
async def read_suggestion(
    runtime: RuntimeDep,
    _: Engineer,
    profile_id: Address,
    building: Annotated[str, Query(max_length=63)] = "",
    like: Annotated[str, Query(max_length=120, description="address of equipment to follow")] = "",
) -> Json:
    """Suggest address, name and place of the next device of a profile's class, by the pattern of those there are."""
    profile = _find(runtime, profile_id)
    found = suggest(runtime.inventory(), profile.equipment, building, like)
    number = found.number
    return Json(
        {
            "number": number,
            "like": found.like,
            "address_template": found.address,
            "device_template": found.device,
            "zh_template": found.zh,
            "en_template": found.en,
            "address": fill(found.address, number),
            "device": fill(found.device, number),
            "name": {"zh": fill(found.zh, number), "en": fill(found.en, number)},
            "equipment": found.equipment,
        }
    )


def _find(runtime: RuntimeDep, name: str) -> Profile:
    found = runtime.inventory().files.library.get(name)
    if isinstance(found, Problem):
        raise NotFoundError(f"no usable profile {name[:80]!r}; GET /api/v1/profiles lists them")
    return found
