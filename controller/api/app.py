"""The application: routers, guards and the stream, put together.

    app = create_app(runtime, static_dir=share_dir("dashboards") / "control_room" / "dist", settings=ApiSettings())
    server = build_server(app, http, clock)          # controller.api.server

`runtime.hub` is set here and the cycle publishes into it; its heartbeats are started by the application's lifespan.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI

from controller.api import (
    about,
    acknowledge,
    alarm,
    audit,
    calendar,
    camera,
    charging,
    charging_session,
    command,
    commissioning,
    device,
    document,
    drawing,
    drill,
    duty,
    energy,
    equipment,
    event,
    fire,
    fire_matrix,
    fire_text,
    health,
    history,
    inventory,
    limit,
    model,
    muster,
    notification,
    phone,
    plan,
    point,
    profile,
    report,
    schedule,
    schedule_change,
    search,
    session,
    site,
    socket,
    statement,
    static,
    strategy,
    token,
    trial,
    user,
    value,
    vehicle,
)
from controller.api.guard import BodyGuard, HeaderGuard, RateGuard, RequestMetrics
from controller.api.problem import install_problems
from controller.api.render import Json, device_json
from controller.api.runtime import ApiSettings
from controller.api.stream import StreamHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from controller.api.runtime import Runtime

__all__ = ["PREFIX", "create_app"]

PREFIX = "/api/v1"

_NOUNS = (
    session,
    site,
    equipment,
    document,
    drawing,
    plan,
    model,
    point,
    limit,
    value,
    history,
    alarm,
    event,
    fire,
    fire_matrix,
    fire_text,
    command,
    device,
    profile,
    trial,
    inventory,
    commissioning,
    camera,
    charging,
    charging_session,
    user,
    token,
    audit,
    search,
    calendar,
    schedule,
    schedule_change,
    energy,
    statement,
    report,
    strategy,
    vehicle,
    drill,
    muster,
    duty,
    notification,
    phone,
    acknowledge,
    about,
)


def create_app(runtime: Runtime, *, static_dir: Path | None, settings: ApiSettings | None = None) -> FastAPI:
    """Return the ASGI application over `runtime`; `static_dir` holds the built control room (None: API alone)."""
    settings = settings or ApiSettings()
    hub = StreamHub(
        site=runtime.site,
        table=runtime.table,
        clock=runtime.clock,
        version=runtime.version,
        overview=runtime.overview,
        alarms=lambda: [item.to_json() for item in runtime.alarms.active()],
        devices=lambda: [device_json(status) for status in runtime.field.statuses()],
        again=runtime.identity.again,
        drill=None if runtime.drills is None else runtime.drills.view,
        fire=lambda: fire.fire_json(runtime.fire),
        capacity=settings.stream_clients,
    )
    runtime.hub = hub

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        beating = asyncio.create_task(hub.run(), name="stream-hub")
        try:
            yield
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating

    app = FastAPI(
        title="Shifu",
        version=runtime.version,
        description="Building-management controller: what the building is, does and is told.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        default_response_class=Json,
        lifespan=lifespan,
        redirect_slashes=False,
        strict_content_type=True,
    )
    app.state.runtime = runtime
    app.state.settings = settings
    app.state.cameras = camera.CameraDesk(runtime)
    app.state.started = runtime.clock.monotonic()
    install_problems(app)
    api = APIRouter(prefix=PREFIX)
    for noun in _NOUNS:
        api.include_router(noun.router)
    api.include_router(socket.router)
    app.include_router(api)
    app.include_router(health.router)
    app.include_router(static.build_router(static_dir))
    app.openapi = lambda: about.describe(app)  # type: ignore[method-assign]

    registry = health.build_registry(app)
    app.state.registry = registry
    # The last one added is the outermost.
    guards: tuple[tuple[Any, dict[str, Any]], ...] = (
        (BodyGuard, {"limit": settings.body_limit, "upload_limit": settings.upload_limit}),
        (RateGuard, {"application": app}),
        (HeaderGuard, {"application": app}),
        (RequestMetrics, {"registry": registry}),
    )
    for guard, options in guards:
        app.add_middleware(guard, **options)
    return app
