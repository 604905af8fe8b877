"""`/cameras`: the present picture of a camera, for those who may see it."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from controller.api.access import Allow, RuntimeDep, address_of, find_equipment, may
from controller.api.body import Address
from controller.api.guard import Bucket
from controller.api.problem import Problem
from controller.api.render import iso
from controller.api.runtime import Runtime
from controller.errors import NotFoundError, UnavailableError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.journal.entry import AuditRow
from controller.security.snapshot import Snapshots

__all__ = ["CameraDesk", "router"]

router = APIRouter(prefix="/cameras", tags=["cameras"])
Watcher = Annotated[Principal, Depends(Allow(Action.SECURITY))]

PER_S = 25.0
"""Pictures a second for one person: a wall of sixteen and a page of its own."""
BURST = 160.0
"""A page of all cameras may be opened at once."""
AUDIT_S = 600.0
"""Who looks at a camera is written down once in so long."""
_LOOKS = 5000


class CameraDesk:
    """What looking at cameras needs beside the runtime: one a controller."""

    def __init__(self, runtime: Runtime) -> None:
        """Begin with nobody looking."""
        self.snapshots = Snapshots(runtime.field.picture, runtime.clock)
        self.bucket = Bucket(runtime.clock, PER_S, BURST)
        self._runtime = runtime
        self._devices: dict[str, str] = {}
        self._generation = -1
        self._looked: dict[tuple[str, str], float] = {}

    def device(self, address: str) -> str:
        """Return the device of a camera; empty when it has none."""
        site = self._runtime.site()
        if site.generation != self._generation:
            self._generation = site.generation
            cameras = {entry.address for entry in site.equipment.values() if entry.cls == "camera"}
            points = (point for point in site.points.values() if point.equipment in cameras and point.device)
            self._devices = {point.equipment: point.device for point in points}
        return self._devices.get(address, "")

    def write_down(self, principal: Principal, address: str, client: str) -> None:
        """Append to the audit journal who looks, once in ten minutes; with the journal down looking still works."""
        now, key = self._runtime.clock.monotonic(), (principal.actor, address)
        if now - self._looked.get(key, -AUDIT_S) < AUDIT_S:
            return
        try:
            self._runtime.journal.audit(
                AuditRow(self._runtime.clock.now_ns(), principal.actor, "camera_view", address, client=client)
            )
        except UnavailableError:
            return
        self._looked[key] = now
        if len(self._looked) > _LOOKS:
            self._looked = {key: at for key, at in self._looked.items() if now - at < AUDIT_S}


@router.get(
    "/{address}/snapshot",
    response_class=Response,
    responses={
        200: {"description": "The picture; `X-Picture-Time` says when it was taken in.", "content": {"image/jpeg": {}}},
        204: {"description": "The camera gives no picture now; `X-Picture-Problem` says why."},
        304: {"description": "The picture is still the one of `If-None-Match`."},
    },
)
async def snapshot(request: Request, runtime: RuntimeDep, principal: Watcher, address: Address) -> Response:
    """Return the present picture of a camera as JPEG. Who looks is audited."""
    camera = find_equipment(runtime, principal, address)
    desk: CameraDesk = request.app.state.cameras
    device = desk.device(camera.address)
    if not device:
        raise NotFoundError(f"equipment {address[:100]!r} is no camera with pictures")
    may(principal, Action.SECURITY, camera.area)
    wait = desk.bucket.take(principal.key)
    if wait:
        raise Problem(429, "too many pictures at once", headers={"Retry-After": str(wait)})
    desk.write_down(principal, camera.address, address_of(request))
    picture, reason = await desk.snapshots.get(device)
    headers = {"Cache-Control": "no-store"}
    if picture is None:
        text = "".join(char if " " <= char <= "~" else "?" for char in reason)
        return Response(status_code=204, headers={**headers, "X-Picture-Problem": text[:200]})
    headers["ETag"] = f'"{hashlib.blake2s(picture.data, digest_size=12).hexdigest()}"'
    if not picture.aged:
        headers["X-Picture-Time"] = iso(picture.time_ns) or ""
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(picture.data, media_type="image/jpeg", headers=headers)
