"""`/reports`: reports of energy as PDF and XLSX; what is kept, what is being made, and one more on demand."""

import asyncio
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, StringConstraints
from starlette.responses import Response

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Address, Body, Item
from controller.api.change import audited
from controller.api.file import FILE, file_response
from controller.api.render import Json, iso
from controller.api.runtime import Runtime
from controller.api.statement import first_day
from controller.errors import ForbiddenError, InvalidError, NotFoundError, UnavailableError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.report.desk import Desk, Run
from controller.report.order import FORMATS
from controller.report.shelf import Kept
from controller.settings.energy import books_of

__all__ = ["router"]

router = APIRouter(prefix="/reports", tags=["reports"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]
ReportId = Annotated[Address, StringConstraints(max_length=40)]
Language = Annotated[Address, StringConstraints(max_length=8)]
Format = Annotated[Address, StringConstraints(max_length=8)]


class ReportFileReply(Item):
    """A file of a report: `GET /reports/{report_id}/{language}/{format}`."""

    language: str
    format: str
    size: int


class ReportReply(Item):
    """A report that is kept."""

    id: str
    kind: str
    first: str
    made: str | None
    made_by: str
    over: bool
    """False: it was made before its span had ended."""
    quality: float | None
    """Share of the quarter hours with readings."""
    kwh: float | None
    total: int | None
    """The bill, NT$."""
    files: list[ReportFileReply]


_RUN: dict[str, Any] = {
    "id": "month-2026-01-01",
    "kind": "month",
    "first": "2026-01-01",
    "by": "lin.yc",
    "state": "writing",
    "asked": "2026-01-20T01:00:00.000Z",
    "ended": None,
    "message": "",
}


class RunReply(Item):
    """A report in the making, or how its last making ended: `waiting`, `reading`, `writing`, `done`, `failed`."""

    id: str
    kind: str
    first: str
    by: str
    state: str
    asked: str | None
    ended: str | None
    message: str
    """Why it failed."""
    model_config = ConfigDict(json_schema_extra={"examples": [_RUN]})


class SlotReply(Item):
    """When reports of a kind are made by themselves, `HH:MM` in the site's zone, and how many are kept."""

    kind: str
    at: str
    keep: int


class ReportsReply(Item):
    """Reports, the newest span first, and what is being made."""

    items: list[ReportReply]
    runs: list[RunReply]
    schedule: list[SlotReply]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "id": "month-2025-12-01",
                            "kind": "month",
                            "first": "2025-12-01",
                            "made": "2025-12-31T17:10:00.000Z",
                            "made_by": "schedule",
                            "over": True,
                            "quality": 0.982,
                            "kwh": 1_204_000.0,
                            "total": 4_820_000,
                            "files": [{"language": "zh", "format": "pdf", "size": 104_000}],
                        }
                    ],
                    "runs": [_RUN],
                    "schedule": [{"kind": "month", "at": "01:10", "keep": 60}],
                }
            ]
        }
    )


class ReportBody(Body):
    """Which report is to be made; a present one of the same span is replaced when the new one is ready."""

    kind: Literal["day", "month"]
    first: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    """Its first day."""
    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "month", "first": "2026-01-01"}]})


def _desk(runtime: Runtime, principal: Principal) -> Desk:
    """Return the desk for somebody who may see the whole site.

    Raises:
        ForbiddenError: reports are of the whole site.
        UnavailableError: this server makes none.
    """
    if not principal.permissions.allows(Action.VIEW):
        raise ForbiddenError("reports are of the whole site; the right to view must not end at an area")
    if runtime.reports is None:
        raise UnavailableError("this server makes no reports; ask a running controller")
    return runtime.reports


def _report(kept: Kept) -> dict[str, Any]:
    report = kept.report
    return {
        "id": report.id,
        "kind": report.kind,
        "first": report.first.isoformat(),
        "made": iso(report.made_ns),
        "made_by": report.made_by,
        "over": report.over,
        "quality": report.quality,
        "kwh": report.kwh,
        "total": report.total,
        "files": [{"language": file.language, "format": file.format, "size": file.size} for file in kept.files],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "kind": run.kind,
        "first": run.first.isoformat(),
        "by": run.by,
        "state": run.state,
        "asked": iso(run.asked_ns),
        "ended": iso(run.ended_ns),
        "message": run.message,
    }


@router.get("", response_model=ReportsReply)
async def list_reports(runtime: RuntimeDep, principal: Viewer) -> Json:
    """Return the reports that are kept, what is being made, and the schedule."""
    desk = _desk(runtime, principal)
    plan = runtime.report_plan()
    slots = [(kind, slot) for kind, slot in (("day", plan.day), ("month", plan.month)) if slot is not None]
    return Json(
        {
            "items": [_report(kept) for kept in await desk.kept()],
            "runs": [_run(run) for run in desk.runs()],
            "schedule": [
                {"kind": kind, "at": f"{slot.hour:02}:{slot.minute:02}", "keep": slot.keep} for kind, slot in slots
            ],
        }
    )


@router.post("", response_model=RunReply, status_code=202)
async def make_report(request: Request, runtime: RuntimeDep, principal: Engineer, body: ReportBody) -> Json:
    """Have a report made; the list says when it is ready. One that is being made is not made twice."""
    desk = _desk(runtime, principal)
    try:
        day = date.fromisoformat(body.first)
    except ValueError:
        raise InvalidError(f"first: got {body.first!r}, wanted a day such as 2026-01-01") from None
    first = first_day(runtime, books_of(runtime.energy(), runtime.tariff(), runtime.site()), body.kind, day)

    async def act() -> tuple[Run, dict[str, Any]]:
        run = desk.ask(body.kind, first, principal.actor)
        return run, {"report": run.id}

    data = {"kind": body.kind, "first": body.first}
    run = await audited(
        request, runtime, principal, "report_make", f"{body.kind} {body.first}", reason="on demand", data=data, act=act
    )
    return Json(_run(run), status_code=202)


@router.get("/{report_id}/{language}/{format}", response_class=Response, response_model=None, responses=FILE)
async def read_report(
    request: Request,
    runtime: RuntimeDep,
    principal: Viewer,
    report_id: ReportId,
    language: Language,
    format: Format,  # noqa: A002 - the word of the address
) -> Response:
    """Return a file of a report, to be saved: `pdf` or `xlsx`, in `zh` or `en`."""
    shelf = _desk(runtime, principal).shelf
    kept = await asyncio.to_thread(shelf.find, report_id)
    file = next((file for file in kept.files if (file.language, file.format) == (language, format)), None)
    if file is None:
        raise NotFoundError(f"report {report_id} has no file {language}.{format}; its list names them")
    content = await asyncio.to_thread(shelf.content, report_id, language, format)
    name = f"shifu-{report_id}-{language}.{format}"
    return file_response(request, content, FORMATS[format], name, f'"{file.digest}"')
