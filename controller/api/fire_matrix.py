"""`/fire/matrix`: the cause-and-effect table of the configuration, with how each cause and each output stands now.

The zones of a cause are for everybody who is signed in, as in `/fire`; outputs and held equipment for those who may see
them, and what is hidden is counted. A cell that is not there does not apply: the cause does not call for that kind.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Item, NameReply
from controller.api.fire import ZoneReply, visible, zone_json
from controller.api.render import Json, finite, iso, name_json
from controller.api.runtime import Runtime
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.safety.matrix import Cell, Row

__all__ = ["router"]

router = APIRouter(prefix="/fire", tags=["fire"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]


class KindReply(Item):
    """One column."""

    id: str
    name: NameReply


class OutputReply(Item):
    """One output: `rest`, `waiting`, `done`, `late`, `missing`, `lost` or `unknown`."""

    point: str
    name: NameReply
    state: str
    value: float | None
    seen_after_s: float | None


class CellReply(Item):
    """What a cause calls for of one kind; the worst state of its outputs. `hidden` counts those that are not shown."""

    kind: str
    state: str | None
    within_s: float
    outputs: list[OutputReply]
    hidden: int


class CauseHoldsReply(Item):
    """Equipment whose slots 7 to 16 are emptied and held empty: all of it, and how much of it is held now."""

    equipment: list[str]
    held: int
    hidden: int


class CauseRowReply(Item):
    """One row."""

    id: str
    name: NameReply
    called: bool
    since: str | None
    zones: list[ZoneReply]
    cells: list[CellReply]
    holds: CauseHoldsReply


_NAME: Any = {"zh": "3F 北區火警分區", "en": "Fire zone 3F north"}


class MatrixReply(Item):
    """The table now. `watched` is false from the panel's reset to the stand-down: outputs are as seen until it."""

    time: str
    panel: str
    status: str
    phase: str
    watched: bool
    kinds: list[KindReply]
    causes: list[CauseRowReply]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "time": "2026-01-01T01:00:05.000Z",
                    "panel": "cityhall.fire.panel",
                    "status": "fire",
                    "phase": "active",
                    "watched": True,
                    "kinds": [{"id": "ahu_stopped", "name": {"zh": "空調箱停止", "en": "Air handlers stopped"}}],
                    "causes": [
                        {
                            "id": "floor-3f",
                            "name": {"zh": "3F 火警", "en": "Fire on 3F"},
                            "called": True,
                            "since": "2026-01-01T01:00:00.000Z",
                            "zones": [
                                {
                                    "address": "cityhall.fire.zone23",
                                    "name": _NAME,
                                    "floor": "3F",
                                    "wing": "north",
                                    "status": "fire",
                                    "reason": None,
                                }
                            ],
                            "cells": [
                                {
                                    "kind": "ahu_stopped",
                                    "state": "done",
                                    "within_s": 60.0,
                                    "outputs": [
                                        {
                                            "point": "cityhall.hvac.ahu_03f_n.fan_run",
                                            "name": {"zh": "風機運轉", "en": "Fan runs"},
                                            "state": "done",
                                            "value": 0.0,
                                            "seen_after_s": 4.0,
                                        }
                                    ],
                                    "hidden": 0,
                                }
                            ],
                            "holds": {"equipment": ["cityhall.hvac.ahu_03f_n"], "held": 1, "hidden": 0},
                        }
                    ],
                }
            ]
        }
    )


@router.get("/matrix", response_model=MatrixReply)
async def read_matrix(runtime: RuntimeDep, principal: Viewer) -> Json:
    """Return the cause-and-effect table as it stands now."""
    watch = runtime.fire
    found = watch.matrix()
    return Json(
        {
            "time": iso(runtime.clock.now_ns()),
            "panel": watch.table.panel,
            "status": str(watch.picture.status),
            "phase": str(watch.response.phase),
            "watched": found.watched,
            "kinds": [{"id": kind.id, "name": name_json(kind.name)} for kind in found.kinds],
            "causes": [_row(runtime, principal, row) for row in found.rows],
        }
    )


def _row(runtime: Runtime, principal: Principal, row: Row) -> dict[str, Any]:
    return {
        "id": row.cause.id,
        "name": name_json(row.cause.name),
        "called": row.called,
        "since": iso(row.since_ns),
        "zones": [zone_json(runtime, line.address, line.picture) for line in row.zones],
        "cells": [_cell(runtime, principal, cell) for cell in row.cells],
        "holds": _holds(runtime, principal, row),
    }


def _cell(runtime: Runtime, principal: Principal, cell: Cell) -> dict[str, Any]:
    seen = [output for output in cell.outputs if visible(runtime, principal, output.point)]
    return {
        "kind": cell.kind,
        "state": str(Cell(cell.kind, cell.within_s, tuple(seen)).state) if seen else None,
        "within_s": cell.within_s,
        "outputs": [
            {
                "point": output.point,
                "name": name_json(runtime.site().points[output.point].name),
                "state": str(output.state),
                "value": finite(output.value),
                "seen_after_s": output.seen_after_s,
            }
            for output in seen
        ],
        "hidden": len(cell.outputs) - len(seen),
    }


def _holds(runtime: Runtime, principal: Principal, row: Row) -> dict[str, Any]:
    """Return the equipment of a cause's held points; of one that has burned, with how much of it is held still.

    A piece counts while any slot of any of its points is held. What another cause holds is told in that one's row.
    """
    pieces: dict[str, bool] = {}
    hidden: dict[str, None] = {}
    for point in row.cause.points:
        piece = point.rsplit(".", 1)[0]
        if not visible(runtime, principal, point):
            hidden[piece] = None
            continue
        pieces[piece] = pieces.get(piece, False) or (row.held and runtime.arbiter.held(point) is not None)
    return {"equipment": list(pieces), "held": sum(pieces.values()), "hidden": len(hidden.keys() - pieces.keys())}
