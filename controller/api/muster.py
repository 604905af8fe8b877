"""`/drills/{id}/muster`: who is accounted for. Counts for all who may look, people for those who secure or count.

Wardens' phones send what they kept while they had no network: late, twice, in any order. A tick has a key of its own;
the answer comes when it is durable, and what is refused says why, so that a phone knows what not to send again.
"""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends

from controller.api.access import Allow, RuntimeDep, healthy
from controller.api.drill import engine_of, find_drill
from controller.api.drill_record import musters_of
from controller.api.drill_shape import BoardReply, DrillId, TickBody, TicksBody, TicksReply
from controller.api.render import Json, iso
from controller.drill.muster import Board, Standing, Status, Tick, TickKind, board, is_late
from controller.identity.identity import Principal
from controller.identity.permission import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.drill.presence import Person

__all__ = ["router"]

router = APIRouter(prefix="/drills", tags=["drills"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Warden = Annotated[Principal, Depends(Allow(Action.MUSTER))]
_CLOCK_MS = 2_000
"""A phone's clock that is this close to the server's is right: the way of the message alone takes so long."""


def _sees(principal: Principal, area: str) -> bool:
    """Tell whether somebody may know the persons of an area."""
    return principal.permissions.allows(Action.MUSTER, area) or principal.permissions.allows(Action.SECURITY, area)


def _person(one: Standing, *, expected: bool) -> dict[str, Any]:
    return {
        "person": one.person.id,
        "area": one.person.area,
        "floor": one.person.floor,
        "door": one.person.door,
        "seen": iso(one.person.seen_ns),
        "status": None if one.status is None else str(one.status),
        "who": one.who,
        "at": iso(one.at_ns),
        "assembly": one.assembly,
        "note": one.note,
        "conflict": list(one.conflict),
        "expected": expected,
        "late": one.late,
    }


@router.get("/{drill_id}/muster", response_model=BoardReply)
async def read_muster(runtime: RuntimeDep, principal: Viewer, drill_id: DrillId) -> Json:
    """Return the board: the zones that may be seen, and the people of those that the asker secures or counts."""
    drill = await find_drill(runtime, drill_id)
    engine = engine_of(runtime)
    if engine.get(drill_id) is not None:
        shown: Board = engine.muster(drill_id)
    else:
        people, ticks = await musters_of(runtime.journal, [drill_id])
        shown = board(people.get(drill_id, ()), ticks.get(drill_id, ()), drill.ended_ns, drill.reported_ns)
    zones = [zone for zone in shown.zones if principal.permissions.allows(Action.VIEW, zone.area)]
    listed = [(one, True) for one in shown.people] + [(one, False) for one in shown.others]
    known = [(one, expected) for one, expected in listed if _sees(principal, one.person.area)]
    return Json(
        {
            "drill": drill.id,
            "phase": str(drill.phase),
            "time": iso(runtime.clock.now_ns()),
            "expected": sum(zone.expected for zone in zones),
            "accounted": sum(zone.accounted for zone in zones),
            "missing": sum(zone.missing for zone in zones),
            "rescue": sum(zone.rescue for zone in zones),
            "zones": [
                {
                    "area": zone.area,
                    "floor": zone.floor,
                    "expected": zone.expected,
                    "accounted": zone.accounted,
                    "missing": zone.missing,
                    "rescue": zone.rescue,
                    "visitors": zone.visitors,
                    "conflicts": zone.conflicts,
                    "late": zone.late,
                    "swept": iso(zone.swept_ns),
                    "reported": iso(zone.reported_ns),
                    "complete": iso(zone.complete_ns),
                    "wardens": list(zone.wardens),
                }
                for zone in zones
            ],
            "people": [_person(one, expected=expected) for one, expected in known],
            "hidden": len(listed) - len(known),
            "arrived_late": shown.arrived_late,
        }
    )


@router.post("/{drill_id}/muster", response_model=TicksReply)
async def send_ticks(runtime: RuntimeDep, principal: Warden, drill_id: DrillId, body: TicksBody) -> Json:
    """Keep what a warden counted. Each key is kept once, in whatever order and however often it comes.

    What comes after the end is kept too, and after the report as well; the answer says which of it is late.
    """
    healthy(runtime)
    engine = engine_of(runtime)
    drill = await find_drill(runtime, drill_id)
    closed = engine.get(drill_id) is None
    before: Mapping[str, list[Tick]] = {}
    people: Mapping[str, list[Person]] = {}
    if closed:
        people, before = await musters_of(runtime.journal, [drill_id])
    now_ns = runtime.clock.now_ns()
    offset_ms = now_ns // 1_000_000 - body.sent
    site = runtime.site()
    floors = [floor.id for building in site.buildings.values() for floor in building.floors]
    wanted: list[Tick] = []
    refused = []
    for row in body.ticks:
        reason = ""
        expected = engine.person(drill_id, row.person) if row.person else None
        if closed:
            expected = next((one for one in people.get(drill_id, ()) if one.id == row.person), None)
        if row.area not in site.areas:
            reason = f"no area {row.area!r}"
        elif row.floor and row.floor not in floors:
            reason = f"no floor {row.floor!r} on this site; it has {', '.join(floors)}"
        elif not principal.permissions.allows(Action.MUSTER, row.area):
            reason = f"you may not count in area {row.area!r}"
        elif expected is not None and not principal.permissions.allows(Action.MUSTER, expected.area):
            reason = f"{row.person} belongs to area {expected.area!r}, in which you may not count"
        elif row.kind == "person" and (not row.person or row.status is None):
            reason = "a tick of a person needs the person and a status"
        if reason:
            refused.append({"key": row.key, "reason": reason})
        else:
            wanted.append(_tick(row, principal.name, drill.started_ns or 0, now_ns, offset_ms))
    kept: list[str] = []
    if wanted and closed:
        kept = engine.after_close(drill, {tick.key for tick in before.get(drill_id, ())}, wanted)
    elif wanted:
        kept = engine.ticks(drill_id, wanted)
    if kept:
        await runtime.journal.commit()
    late = [tick.key for tick in wanted if closed or is_late(tick.at_ns, drill.ended_ns)]
    reply = {"kept": kept, "refused": refused, "offset_ms": offset_ms, "phase": str(drill.phase), "late": late}
    return Json(reply)


def _tick(row: TickBody, who: str, started_ns: int, now_ns: int, offset_ms: int) -> Tick:
    error_ms = offset_ms if abs(offset_ms) > _CLOCK_MS else 0
    # Nothing was counted before the drill began, or later than it came here.
    at_ns = min(max((row.at + error_ms) * 1_000_000, started_ns), now_ns)
    return Tick(
        key=row.key,
        kind=TickKind(row.kind),
        who=who,
        at_ns=at_ns,
        phone_ns=row.at * 1_000_000,
        received_ns=now_ns,
        area=row.area,
        floor=row.floor,
        person=row.person,
        status=None if row.status is None else Status(row.status),
        count=row.count,
        assembly=row.assembly,
        note=row.note,
    )
