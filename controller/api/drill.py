"""`/drills`: fire drills, from the plan over the start by two people to the report.

Everything that changes a drill needs `safety` everywhere, for a drill is a matter of the whole house. The second person
confirms with `acknowledge`: whoever answers alarms must know that one is played. Both may break a drill off. Programs
start none: request and confirmation are for people at a screen, not for tokens.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.requests import Request
from fastapi.responses import Response
from sqlalchemy import select

from controller.api.access import Allow, RuntimeDep, may
from controller.api.body import Cursor, Limit, Page
from controller.api.change import audited
from controller.api.drill_record import drill_of, entries_of, musters_of, notices_of
from controller.api.drill_shape import (
    AnswerBody,
    CurrentReply,
    DrillId,
    DrillReply,
    EntryReply,
    NoteBody,
    NoticesReply,
    PlanBody,
    ReportBody,
    RestoreBody,
    ScenariosReply,
    WhyBody,
    Word,
)
from controller.api.notification import notification_json
from controller.api.render import Json, iso, name_json, parse_time
from controller.api.runtime import Runtime
from controller.drill import course
from controller.drill.course import Drill, Phase
from controller.drill.engine import DrillEngine
from controller.drill.muster import board
from controller.drill.presence import zones_of
from controller.drill.report import NoticeLine, ReportData, render
from controller.drill.scenario import Goal, Level
from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, UnavailableError
from controller.identity.identity import Principal
from controller.identity.permission import EVERYWHERE, Action
from controller.job import JobError
from controller.journal import schema
from controller.journal.query import page
from controller.point.model import Name

__all__ = ["engine_of", "find_drill", "router"]

router = APIRouter(prefix="/drills", tags=["drills"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Officer = Annotated[Principal, Depends(Allow(Action.SAFETY))]
OnDuty = Annotated[Principal, Depends(Allow(Action.ACKNOWLEDGE))]
Either = Annotated[Principal, Depends(Allow(Action.ACKNOWLEDGE, Action.SAFETY))]
Participant = Annotated[Principal, Depends(Allow(Action.ACKNOWLEDGE, Action.SAFETY, Action.MUSTER))]
_REPORT_S = 30.0


def engine_of(runtime: Runtime) -> DrillEngine:
    """Return the engine.

    Raises:
        UnavailableError: this server has none.
    """
    if runtime.drills is None:
        raise UnavailableError("this server runs no drills; ask a running controller")
    return runtime.drills


async def find_drill(runtime: Runtime, id_: str) -> Drill:
    """Return a drill, open or closed.

    Raises:
        NotFoundError: there is none.
    """
    found = engine_of(runtime).get(id_) or await drill_of(runtime.journal, id_)
    if found is None:
        raise NotFoundError(f"no drill {id_!r}; GET /api/v1/drills lists them")
    return found


def _whole_house(principal: Principal, *actions: Action) -> None:
    """Want one of the actions everywhere: a drill is a matter of the whole house.

    Raises:
        ForbiddenError: none of them.
    """
    if not any(principal.permissions.allows(action, EVERYWHERE) for action in actions):
        may(principal, actions[0], "")


def _person(principal: Principal) -> None:
    if principal.token:
        raise ForbiddenError("a drill is started by people at a screen; a token may neither ask for it nor confirm it")


def _goal(goal: Goal) -> dict[str, Any]:
    return {"id": goal.id, "kind": goal.kind, "text": name_json(goal.text), "within_s": goal.within_s}


def _drill(runtime: Runtime, drill: Drill) -> dict[str, Any]:
    engine = engine_of(runtime)
    given, answers = dict(drill.given), {one.inject: one for one in drill.answers}
    injects = []
    for inject in drill.scenario.injects:
        said = answers.get(inject.id)
        injects.append(
            {
                "id": inject.id,
                "after_s": inject.after_s,
                "text": name_json(inject.text),
                "team": inject.team,
                "answer_s": inject.answer_s,
                "point": inject.point,
                "value": inject.value,
                "given": iso(given.get(inject.id)),
                "answered": iso(said.time_ns) if said else None,
                "answered_by": said.who if said else "",
                "answered_after_s": said.after_s if said else None,
                "note": said.note if said else "",
            }
        )
    return {
        "id": drill.id,
        "phase": str(drill.phase),
        "level": str(drill.level),
        "scenario": drill.scenario.id,
        "name": name_json(drill.scenario.name),
        "building": drill.scenario.building,
        "floor": drill.scenario.floor,
        "end": iso(drill.end_ns),
        "length_s": drill.length_s,
        "elapsed_s": engine.elapsed_s(drill),
        "confirm_s": engine.waits_s(drill),
        "notice": drill.notice,
        "remark": drill.remark,
        "planned_by": drill.planned_by,
        "planned": iso(drill.planned_ns),
        "requested_by": drill.requested_by,
        "requested": iso(drill.requested_ns),
        "confirmed_by": drill.confirmed_by,
        "started": iso(drill.started_ns),
        "ended": iso(drill.ended_ns),
        "cause": None if drill.cause is None else str(drill.cause),
        "ended_by": drill.ended_by,
        "ended_why": drill.ended_why,
        "real": [signal.public().to_json() for signal in drill.real],
        "injects": injects,
        "goals": [_goal(goal) for goal in drill.scenario.goals],
        "assembly": [
            {"id": one.id, "name": name_json(one.name), "floors": list(one.floors)} for one in drill.scenario.assembly
        ],
        "steps": [{"id": step.id, "text": name_json(step.text)} for step in drill.scenario.steps],
        "checked": list(drill.steps),
        "restored_by": drill.restored_by,
        "restored": iso(drill.restored_ns),
        "conclusion": drill.conclusion,
        "reported_by": drill.reported_by,
        "reported": iso(drill.reported_ns),
    }


async def _change(
    request: Request,
    runtime: Runtime,
    principal: Principal,
    verb: str,
    id_: str,
    act: Callable[[DrillEngine], Drill],
    reason: str = "",
    data: Mapping[str, Any] | None = None,
) -> Json:
    """Have somebody change a drill between two durable lines of audit; its own record is durable with the answer."""
    engine = engine_of(runtime)

    async def made() -> tuple[Drill, dict[str, Any]]:
        drill = act(engine)
        return drill, {"phase": str(drill.phase)}

    drill = await audited(request, runtime, principal, f"drill_{verb}", id_, reason=reason, data=data or {}, act=made)
    return Json(_drill(runtime, drill))


@router.get("", response_model=Page[DrillReply])
async def list_drills(runtime: RuntimeDep, principal: Viewer, cursor: Cursor = None, limit: Limit = 20) -> Json:  # noqa: ARG001 - the guard is the parameter
    """Return drills, the newest first; those that are not closed are in the first page whatever their age."""
    engine = engine_of(runtime)
    opened = engine.open
    before = int(cursor) if cursor and cursor.isascii() and cursor.isdigit() and len(cursor) < 20 else None
    rows = schema.drill
    statement = select(rows.c.data, rows.c.planned_ns).order_by(rows.c.planned_ns.desc()).limit(limit + 1)
    statement = statement.where(rows.c.phase.in_((Phase.REPORTED, Phase.CANCELLED)))
    if before is not None:
        statement = statement.where(rows.c.planned_ns < before)
    found = await runtime.journal.fetch(statement)
    closed = [Drill.of_json(row.data) for row in found[:limit]]
    known = {drill.id for drill in opened}
    items = [*(opened if before is None else ()), *(drill for drill in closed if drill.id not in known)]
    following = str(found[limit - 1].planned_ns) if len(found) > limit else None
    return Json({"items": [_drill(runtime, drill) for drill in items], "next": following})


@router.get("/scenarios", response_model=ScenariosReply)
async def list_scenarios(runtime: RuntimeDep, principal: Viewer) -> Json:  # noqa: ARG001 - the guard is the parameter
    """Return the scenarios of the site's files."""
    return Json(
        {
            "items": [
                {
                    "id": one.id,
                    "name": name_json(one.name),
                    "building": one.building,
                    "floor": one.floor,
                    "levels": [str(level) for level in one.levels],
                    "end_s": one.end_s,
                    "injects": len(one.injects),
                    "goals": [_goal(goal) for goal in one.goals],
                }
                for one in runtime.scenarios().values()
            ]
        }
    )


@router.get("/current", response_model=CurrentReply)
async def read_current(runtime: RuntimeDep, principal: Viewer) -> Json:
    """Return what every screen shows of the drill under way, and the real signals that stand against one."""
    engine = engine_of(runtime)
    against = engine.signals()
    seen = [one.public().to_json() for one in against if principal.permissions.allows(Action.VIEW, one.area)]
    return Json({**engine.view(), "clear": not against, "against": seen})


@router.post("", response_model=DrillReply, status_code=201)
async def plan_drill(request: Request, runtime: RuntimeDep, principal: Officer, body: PlanBody) -> Json:
    """Plan a drill. An end that lies in the past, or a level that the scenario does not have, is refused."""
    _whole_house(principal, Action.SAFETY)
    scenario = runtime.scenarios().get(body.scenario)
    if scenario is None:
        known = ", ".join(runtime.scenarios()) or "none"
        raise NotFoundError(f"no scenario {body.scenario!r}; the files have {known}")
    end_ns = parse_time(body.end, "end")
    now_ns = runtime.clock.now_ns()
    id_ = f"d-{secrets.token_hex(5)}"
    move = course.plan(id_, scenario, Level(body.level), end_ns, principal.actor, now_ns, body.notice, body.remark)
    answer = await _change(
        request, runtime, principal, "plan", id_, lambda engine: engine.add(move), data=body.model_dump()
    )
    answer.status_code = 201
    return answer


@router.get("/{drill_id}", response_model=DrillReply)
async def read_drill(runtime: RuntimeDep, principal: Viewer, drill_id: DrillId) -> Json:  # noqa: ARG001 - the guard is the parameter
    """Return one drill with its timeline."""
    return Json(_drill(runtime, await find_drill(runtime, drill_id)))


@router.get("/{drill_id}/entries", response_model=Page[EntryReply])
async def list_entries(
    runtime: RuntimeDep,
    principal: Viewer,  # noqa: ARG001 - the guard is the parameter
    drill_id: DrillId,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Json:
    """Return the record of a drill, newest first; every line begins with 演練 DRILL."""
    await find_drill(runtime, drill_id)
    rows = schema.drill_entry
    result = await page(runtime.journal, rows, rows.c.drill == drill_id, cursor=cursor, limit=limit)
    items = [
        {
            "id": row["id"],
            "time": iso(row["time_ns"]),
            "kind": row["kind"],
            "who": row["who"],
            "text": {"zh": row["zh"], "en": row["en"]},
            "data": row["data"],
        }
        for row in result.items
    ]
    return Json({"items": items, "next": result.next})


@router.get("/{drill_id}/notices", response_model=NoticesReply)
async def list_notices(runtime: RuntimeDep, principal: Viewer, drill_id: DrillId) -> Json:  # noqa: ARG001 - the guard is the parameter
    """Return the messages to the people of a drill, oldest first, and what became of each."""
    await find_drill(runtime, drill_id)
    rows = await notices_of(runtime.journal, drill_id)
    return Json({"items": [notification_json(runtime, row) for row in rows]})


@router.post("/{drill_id}/request", response_model=DrillReply)
async def request_start(request: Request, runtime: RuntimeDep, principal: Officer, drill_id: DrillId) -> Json:
    """Ask for the start; another person confirms it within five minutes."""
    _whole_house(principal, Action.SAFETY)
    _person(principal)
    for inject in (await find_drill(runtime, drill_id)).scenario.injects:
        if inject.point and inject.point not in runtime.site().points:
            what = f"inject {inject.id!r} plays with {inject.point}, which this site has not got"
            raise InvalidError(f"{what}; cancel the drill and plan it again")
    return await _change(
        request, runtime, principal, "request", drill_id, lambda engine: engine.request(drill_id, principal.name)
    )


@router.post("/{drill_id}/confirm", response_model=DrillReply)
async def confirm_start(request: Request, runtime: RuntimeDep, principal: OnDuty, drill_id: DrillId) -> Json:
    """Start the drill, as the second person. Refused while a real signal is active or the fire status is not known."""
    _whole_house(principal, Action.ACKNOWLEDGE)
    _person(principal)
    return await _change(
        request, runtime, principal, "confirm", drill_id, lambda engine: engine.confirm(drill_id, principal.name)
    )


@router.post("/{drill_id}/cancel", response_model=DrillReply)
async def cancel_drill(
    request: Request, runtime: RuntimeDep, principal: Officer, drill_id: DrillId, body: WhyBody
) -> Json:
    """Call off a drill that has not begun."""
    _whole_house(principal, Action.SAFETY)

    def act(engine: DrillEngine) -> Drill:
        return engine.act(drill_id, lambda drill, now_ns: course.cancel(drill, principal.actor, now_ns, body.reason))

    return await _change(request, runtime, principal, "cancel", drill_id, act, body.reason)


@router.post("/{drill_id}/stand-down", response_model=DrillReply)
async def stand_down(
    request: Request, runtime: RuntimeDep, principal: Officer, drill_id: DrillId, body: WhyBody
) -> Json:
    """End the drill (解除)."""
    _whole_house(principal, Action.SAFETY)

    def act(engine: DrillEngine) -> Drill:
        return engine.act(
            drill_id, lambda drill, now_ns: course.stand_down(drill, principal.actor, now_ns, body.reason)
        )

    return await _change(request, runtime, principal, "stand_down", drill_id, act, body.reason)


@router.post("/{drill_id}/abort", response_model=DrillReply)
async def abort_drill(
    request: Request, runtime: RuntimeDep, principal: Either, drill_id: DrillId, body: WhyBody
) -> Json:
    """Break the drill off (中止); for everybody on duty, not for its controller alone."""
    _whole_house(principal, Action.ACKNOWLEDGE, Action.SAFETY)

    def act(engine: DrillEngine) -> Drill:
        return engine.act(drill_id, lambda drill, now_ns: course.abort(drill, principal.actor, now_ns, body.reason))

    return await _change(request, runtime, principal, "abort", drill_id, act, body.reason)


@router.post("/{drill_id}/injects/{inject}/give", response_model=DrillReply)
async def give_inject(
    request: Request, runtime: RuntimeDep, principal: Officer, drill_id: DrillId, inject: Word
) -> Json:
    """Give an inject before its time."""
    _whole_house(principal, Action.SAFETY)

    def act(engine: DrillEngine) -> Drill:
        return engine.act(drill_id, lambda drill, now_ns: course.give(drill, inject, principal.actor, now_ns))

    return await _change(request, runtime, principal, "inject", drill_id, act, data={"inject": inject})


@router.post("/{drill_id}/injects/{inject}/answer", response_model=DrillReply)
async def answer_inject(
    request: Request, runtime: RuntimeDep, principal: Participant, drill_id: DrillId, inject: Word, body: AnswerBody
) -> Json:
    """Say that a team answered an inject; the first answer counts."""

    def act(engine: DrillEngine) -> Drill:
        return engine.act(
            drill_id, lambda drill, now_ns: course.answer(drill, inject, principal.actor, now_ns, body.note)
        )

    return await _change(request, runtime, principal, "answer", drill_id, act, data={"inject": inject})


@router.post("/{drill_id}/notes", response_model=DrillReply)
async def add_note(
    request: Request, runtime: RuntimeDep, principal: Participant, drill_id: DrillId, body: NoteBody
) -> Json:
    """Write down what was seen; it is in the report."""

    def act(engine: DrillEngine) -> Drill:
        return engine.act(drill_id, lambda drill, now_ns: course.note(drill, principal.actor, now_ns, body.note))

    return await _change(request, runtime, principal, "note", drill_id, act)


@router.post("/{drill_id}/restore", response_model=DrillReply)
async def restore(
    request: Request, runtime: RuntimeDep, principal: Officer, drill_id: DrillId, body: RestoreBody
) -> Json:
    """Say that normal operation goes on (復原): every step is checked, and no real signal is active."""
    _whole_house(principal, Action.SAFETY)
    return await _change(
        request,
        runtime,
        principal,
        "restore",
        drill_id,
        lambda engine: engine.restored(drill_id, principal.actor, body.steps),
        data={"steps": body.steps},
    )


@router.post("/{drill_id}/report", response_model=DrillReply)
async def finish_report(
    request: Request, runtime: RuntimeDep, principal: Officer, drill_id: DrillId, body: ReportBody
) -> Json:
    """Close the drill with the conclusion of its review; nothing of it changes any more."""
    _whole_house(principal, Action.SAFETY)

    def act(engine: DrillEngine) -> Drill:
        return engine.act(
            drill_id, lambda drill, now_ns: course.report(drill, principal.actor, now_ns, body.conclusion)
        )

    return await _change(request, runtime, principal, "report", drill_id, act)


def _line(runtime: Runtime, row: Mapping[str, Any]) -> NoticeLine:
    one = notification_json(runtime, row)
    name = one["contact_name"] or {"zh": one["contact"], "en": one["contact"]}
    time_ns = row["changed_ns"] or row["created_ns"]
    spec = runtime.notify.plan().channels.get(one["channel"])
    channel = spec.name if spec else Name(one["channel"], one["channel"]) if one["channel"] else None
    return NoticeLine(time_ns, Name(**one["title"]), Name(**name), channel, one["state"], one["repeat"])


@router.get("/{drill_id}/report", response_class=Response, responses={200: {"content": {"application/pdf": {}}}})
async def read_report(
    runtime: RuntimeDep,
    principal: Viewer,
    drill_id: DrillId,
    language: Literal["zh", "en"] = "zh",
) -> Response:
    """Return the report as PDF, once the drill is restored; until it is closed it says that it is a draft."""
    _whole_house(principal, Action.VIEW)
    drill = await find_drill(runtime, drill_id)
    if drill.phase not in {Phase.RESTORED, Phase.REPORTED}:
        raise ConflictError(
            f"drill {drill.id} is {drill.phase.replace('_', ' ')}; its report is made when it is restored"
        )
    if runtime.jobs is None:
        raise UnavailableError("this server makes no reports; ask a running controller")
    people, ticks = await musters_of(runtime.journal, [drill.id])
    entries = await entries_of(runtime.journal, drill.id)
    notices = await notices_of(runtime.journal, drill.id)
    site = runtime.site()
    building = site.buildings.get(drill.scenario.building)
    data = ReportData(
        drill=drill,
        entries=tuple((row.time_ns, row.kind, row.who, row.zh, row.en, dict(row.data)) for row in entries),
        board=board(people.get(drill.id, ()), ticks.get(drill.id, ()), drill.ended_ns, drill.reported_ns),
        notices=tuple(_line(runtime, row) for row in notices),
        site=site.name,
        building=building.name if building else Name(drill.scenario.building, drill.scenario.building),
        areas={area.id: area.name for area in site.areas.values()},
        timezone=site.timezone,
        language=language,
        made_ns=runtime.clock.now_ns(),
        zones=zones_of(site, drill.scenario.building),
    )
    try:
        pdf = await runtime.jobs.run(render, data, limit_s=_REPORT_S)
    except JobError as error:
        raise UnavailableError(f"the report could not be made: {error}") from error
    headers = {"Content-Disposition": f'attachment; filename="drill-{drill.id}-{language}.pdf"'}
    return Response(pdf, media_type="application/pdf", headers=headers)
