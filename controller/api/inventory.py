"""`/inventory`: devices and their equipment made, changed and taken out of service while the controller runs.

What is made here lies over the files of the site (`controller.settings.amendment`) until the files say it too.
"""

import io
import zipfile
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict, StringConstraints
from starlette.responses import Response

from controller.api.access import Allow, RuntimeDep, may
from controller.api.body import Address, Body, Item, Line
from controller.api.change import audited
from controller.api.limit import IfMatch, match
from controller.api.render import Json, iso
from controller.api.runtime import Runtime
from controller.api.sheet import (
    CHANGE_EXAMPLE,
    DEVICE_EXAMPLE,
    PIECE_EXAMPLE,
    ProblemReply,
    SheetReply,
    area_of,
    check_secrets,
    checked_row,
    problems_json,
    sheet_of,
)
from controller.errors import ConflictError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.settings.amendment import DEVICE, EQUIPMENT, RETIRED
from controller.settings.file import DeviceRow, EquipmentRow
from controller.settings.inventory import Inventory, export
from controller.settings.overlay import Change
from controller.settings.problem import Problem, SettingsError, shown

__all__ = ["router"]

router = APIRouter(prefix="/inventory", tags=["commissioning"])
_MOST_CHANGES = 2_000
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]
Reason = Annotated[Line, StringConstraints(min_length=1)]


class DeviceBody(Body):
    """A device row as it would stand in TOML, and its equipment's row where that is new or changed too."""

    device: dict[str, Any]
    equipment: dict[str, Any] | None = None
    reason: Reason
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"device": DEVICE_EXAMPLE, "equipment": PIECE_EXAMPLE, "reason": "new tenant meter"}]
        }
    )


class ReasonBody(Body):
    """Why."""

    reason: Reason
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "meter taken down for calibration"}]})


class EntryReply(Item):
    """One change of the inventory."""

    key: str
    owner: str
    reason: str
    since: str | None
    aside: list[ProblemReply]
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"key": "device/em132-meter", **CHANGE_EXAMPLE, "aside": []}]}
    )


class InventoryReply(Item):
    """Everything that was made on the screen and lies over the files."""

    items: list[EntryReply]
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{"key": "device/em132-meter", **CHANGE_EXAMPLE, "aside": []}]}]}
    )


class SecretSet(Item):
    """Where the secrets of an endpoint are, by name; the secrets themselves are never shown."""

    secrets: dict[str, str]
    devices: list[str]


class SecretsReply(Item):
    """The sets that devices of an endpoint have."""

    items: list[SecretSet]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"items": [{"secrets": {"user_env": "SHIFU_DDC_WEST_USER"}, "devices": ["ahu-01f-w"]}]}]
        }
    )


def _area(state: dict[str, Any]) -> str:
    return str((state["equipment"] or {}).get("area", ""))


def _reply(state: dict[str, Any], etag: str, status: int = 200) -> Json:
    return Json(state, status, headers={"ETag": etag})


# --- routes -----------------------------------------------------------------------------------------------------------


@router.get("", response_model=InventoryReply)
async def list_changes(runtime: RuntimeDep, principal: Engineer) -> Json:
    """Return everything that was made on the screen and lies over the files, the newest first."""
    inventory = runtime.inventory()
    aside = inventory.configuration.aside
    changes = sorted(inventory.changes.values(), key=lambda change: -change.time_ns)
    return Json(
        {
            "items": [
                {
                    "key": change.key,
                    "owner": change.who,
                    "reason": change.why,
                    "since": iso(change.time_ns),
                    "aside": problems_json(aside.get(change.key, ())),
                }
                for change in changes
                if principal.permissions.allows(Action.CONFIGURE, area_of(inventory, change.key))
            ]
        }
    )


@router.get(
    "/export",
    response_class=Response,
    response_model=None,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def export_changes(runtime: RuntimeDep, principal: Engineer) -> Response:
    """Return the changes as TOML files for the site's folder, in a zip."""
    may(principal, Action.CONFIGURE, "")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in export(runtime.inventory(), runtime.clock.now_ns()).items():
            archive.writestr(name, text)
    headers = {"Content-Disposition": 'attachment; filename="shifu-inventory.zip"'}
    return Response(packed.getvalue(), headers=headers, media_type="application/zip")


@router.get("/secrets", response_model=SecretsReply)
async def list_secrets(
    runtime: RuntimeDep, principal: Engineer, endpoint: Annotated[str, Query(max_length=300)]
) -> Json:
    """Return the names of the secrets that devices of an endpoint have; a new device there can have the same."""
    inventory = runtime.inventory()
    return Json(
        {
            "items": [
                {"secrets": names, "devices": devices}
                for names, devices in inventory.secrets(endpoint)
                if principal.permissions.allows(Action.CONFIGURE, area_of(inventory, DEVICE + devices[0]))
            ]
        }
    )


@router.post("/devices", status_code=201, response_model=SheetReply)
async def create_device(request: Request, runtime: RuntimeDep, principal: Engineer, body: DeviceBody) -> Json:
    """Make a device, with its equipment where that is new; it is read at once."""
    inventory = runtime.inventory()
    device = checked_row(DeviceRow, body.device, "device")
    piece = None if body.equipment is None else checked_row(EquipmentRow, body.equipment, "equipment")
    for prefix, row in ((DEVICE, device), (EQUIPMENT, piece)):
        if row is not None and inventory.has(prefix + row["id"]):
            todo = "Choose another, or change the one that is there."
            raise SettingsError([Problem("", 0, f"{prefix[:-1]}.id", shown(row["id"]), "one that is free", todo)])
    _allowed(principal, inventory, device, piece)
    check_secrets(inventory, device["endpoint"], device.get("secrets", {}), {})
    made = [(DEVICE + device["id"], {"row": device, "base": None})]
    if piece is not None:
        made.insert(0, (EQUIPMENT + piece["id"], {"row": piece, "base": None}))
    after = {"device": device, "equipment": piece}
    await _amend(request, runtime, principal, device["id"], body.reason, made, [], {"before": None, "after": after})
    return _reply(*sheet_of(runtime, principal, device["id"]), 201)


@router.get("/devices/{device_id}", response_model=SheetReply)
async def readsheet_of(runtime: RuntimeDep, principal: Engineer, device_id: Address) -> Json:
    """Return the rows of one device, with an ETag for changing them."""
    return _reply(*sheet_of(runtime, principal, device_id))


@router.put("/devices/{device_id}", response_model=SheetReply)
async def change_device(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    device_id: Address,
    body: DeviceBody,
    if_match: IfMatch = None,
) -> Json:
    """Change a device, and its equipment where a row of that is given; only its connection is opened again.

    Rows that are those of the files end the change.
    """
    inventory = runtime.inventory()
    before, etag = sheet_of(runtime, principal, device_id)
    may(principal, Action.CONFIGURE, _area(before))
    match(if_match, etag)
    device = checked_row(DeviceRow, body.device, "device")
    piece = None if body.equipment is None else checked_row(EquipmentRow, body.equipment, "equipment")
    if device["id"] != device_id:
        todo = "A device keeps its name; make a new one instead."
        raise SettingsError([Problem("", 0, "device.id", shown(device["id"]), shown(device_id), todo)])
    if piece is not None and piece["id"] != device["equipment"]:
        wanted = shown(device["equipment"])
        raise SettingsError([Problem("", 0, "equipment.id", shown(piece["id"]), wanted, "It is the device's.")])
    _allowed(principal, inventory, device, piece)
    check_secrets(inventory, device["endpoint"], device.get("secrets", {}), before["device"].get("secrets", {}))
    made: list[tuple[str, dict[str, Any]]] = []
    ended: list[str] = []
    rows = [(DEVICE + device_id, device, before["device"])]
    if piece is not None:
        known = inventory.has(EQUIPMENT + piece["id"])
        present = inventory.sheet(EQUIPMENT + piece["id"]).row if known else None
        rows.insert(0, (EQUIPMENT + piece["id"], piece, present))
    for key, row, present in rows:
        base = inventory.sheet(key).base if present is not None else None
        if row == base:
            ended.append(key)
        elif row != present:
            made.append((key, {"row": row, "base": base}))
    ended = [key for key in ended if key in inventory.changes]
    if made or ended:
        data = {
            "before": {"device": before["device"], "equipment": before["equipment"]},
            "after": {"device": device, "equipment": piece},
        }
        await _amend(request, runtime, principal, device_id, body.reason, made, ended, data, if_match)
    return _reply(*sheet_of(runtime, principal, device_id))


@router.delete("/devices/{device_id}", status_code=204, response_model=None)
async def remove_change(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    device_id: Address,
    reason: Annotated[Line, Query(min_length=1)] = "removed",
    if_match: IfMatch = None,
) -> Response:
    """Take back what the screen says of a device: a new one is gone, a changed one is as in the files again."""
    inventory = runtime.inventory()
    before, etag = sheet_of(runtime, principal, device_id)
    may(principal, Action.CONFIGURE, _area(before))
    match(if_match, etag)
    address = EQUIPMENT + str(before["device"].get("equipment"))
    keys = [DEVICE + device_id]
    if inventory.devices_of(address.removeprefix(EQUIPMENT)) in ([device_id], []):
        keys.append(address)
    ended = [key for key in keys if key in inventory.changes]
    if before["device_in_files"] is None and RETIRED + device_id in inventory.changes:
        ended.append(RETIRED + device_id)
    if not ended:
        raise ConflictError(
            f"device {device_id!r} is as in the files ({before['place']}); take it out of service here, or out of them"
        )
    data = {"before": {"device": before["device"], "equipment": before["equipment"]}, "after": None}
    await _amend(request, runtime, principal, device_id, reason, [], ended, data, if_match)
    return Response(status_code=204)


@router.post("/devices/{device_id}/retire", response_model=SheetReply)
async def retire_device(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    device_id: Address,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Json:
    """Take a device out of service: nothing is read, its points say so, its alarms end."""
    before, etag = sheet_of(runtime, principal, device_id)
    may(principal, Action.CONFIGURE, _area(before))
    match(if_match, etag)
    if before["retired"] is not None:
        raise ConflictError(f"device {device_id!r} is out of service already; restore it first")
    data = {"before": "in service", "after": "out of service"}
    made: list[tuple[str, Any]] = [(RETIRED + device_id, {})]
    await _amend(request, runtime, principal, device_id, body.reason, made, [], data, if_match)
    return _reply(*sheet_of(runtime, principal, device_id))


@router.post("/devices/{device_id}/restore", response_model=SheetReply)
async def restore_device(
    request: Request,
    runtime: RuntimeDep,
    principal: Engineer,
    device_id: Address,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Json:
    """Put a device back into service."""
    before, etag = sheet_of(runtime, principal, device_id)
    may(principal, Action.CONFIGURE, _area(before))
    match(if_match, etag)
    if before["retired"] is None:
        raise ConflictError(f"device {device_id!r} is in service; there is nothing to restore")
    data = {"before": "out of service", "after": "in service"}
    await _amend(request, runtime, principal, device_id, body.reason, [], [RETIRED + device_id], data, if_match)
    return _reply(*sheet_of(runtime, principal, device_id))


def _allowed(principal: Principal, inventory: Inventory, device: dict[str, Any], piece: dict[str, Any] | None) -> None:
    """Return when the principal may have the device on that equipment, and the equipment where it is put.

    Raises:
        ForbiddenError: it may not.
    """
    if piece is not None:
        may(principal, Action.CONFIGURE, str(piece.get("area", "")))
    if inventory.has(EQUIPMENT + device["equipment"]):
        may(principal, Action.CONFIGURE, area_of(inventory, EQUIPMENT + device["equipment"]))


async def _amend(
    request: Request,
    runtime: Runtime,
    principal: Principal,
    device_id: str,
    reason: str,
    made: list[tuple[str, Any]],
    ended: list[str],
    data: dict[str, Any],
    if_match: str | None = None,
) -> None:
    """Make and end changes between two lines of audit, if the device is still as it was when it was read.

    Raises:
        ConflictError: more changes lie over the files than they should carry.
    """
    if made and len(runtime.inventory().changes) + len(made) > _MOST_CHANGES:
        raise ConflictError(
            f"{_MOST_CHANGES} changes lie over the files; export them and put them into the files first"
        )

    async def act() -> tuple[None, dict[str, Any]]:
        async with runtime.changing:
            if if_match is not None:
                # Once more, now that nobody else can come between.
                match(if_match, sheet_of(runtime, principal, device_id)[1])
            now_ns = runtime.clock.now_ns()
            changes = [Change(key, value, principal.actor, reason, None, now_ns) for key, value in made]
            await runtime.amend(changes, ended)
        return None, data

    await audited(request, runtime, principal, "device_change", device_id, reason=reason, data=data, act=act)
