"""Reports over the API: made on demand, listed, saved; their numbers are those of the statements."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openpyxl import load_workbook

from controller.identity.permission import Role
from tests.integration.api.test_statement import counted


@asynccontextmanager
async def making(house: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(house.runtime.reports.run())
    try:
        yield
    finally:
        task.cancel()


async def ready(browser: Any) -> dict[str, Any]:
    """Wait until nothing is being made; return the list."""
    async with asyncio.timeout(20):
        while True:
            found = (await browser("GET", "/reports")).json()
            if all(run["state"] in ("done", "failed") for run in found["runs"]):
                return dict(found)
            await asyncio.sleep(0)


@pytest.mark.parametrize("first", ["2025-12-01", "2026-01-01"])
async def test_every_number_of_the_workbook_is_that_of_the_api(house: Any, first: str) -> None:
    counted(house)
    engineer = await house.user(Role.ENGINEER)
    async with making(house):
        reply = await engineer("POST", "/reports", json={"kind": "month", "first": first})
        assert reply.status_code == 202
        assert reply.json()["state"] == "waiting"
        listed = await ready(engineer)
    statement = (await engineer("GET", "/energy/statement", params={"first": first})).json()
    (item,) = listed["items"]
    assert [run["message"] for run in listed["runs"]] == [""]
    assert (item["id"], item["made_by"]) == (f"month-{first}", "u.engineer")
    assert (item["kwh"], item["quality"], item["over"]) == (statement["kwh"], statement["quality"], statement["over"])
    assert item["total"] == statement["bill"]["total"]
    content = (await engineer("GET", f"/reports/month-{first}/en/xlsx")).content
    book = load_workbook(io.BytesIO(content))
    sheets = {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in book.worksheets}
    summary = {row[0]: row[1] for row in sheets["Summary"][4:]}
    assert summary["Energy"] == statement["kwh"]
    assert summary["Data quality"] == statement["quality"]
    assert summary["Highest demand"] == statement["peak"]["kw"]
    assert summary["Contract capacity"] == statement["contract"]["regular_kw"]
    assert summary["Bill (estimate)"] == statement["bill"]["total"]
    assert summary["Carbon emission"] == statement["carbon"]["kg"]
    assert [row[-3] for row in sheets["Days"][1:]] == [day["kwh"] for day in statement["days"]]
    lines = statement["bill"]["lines"]
    assert [[row[1], row[3], row[4]] for row in sheets["Bill"][1 : len(lines) + 1]] == [
        [line["quantity"], line["price"], line["amount"]] for line in lines
    ]
    assert [row[4] for row in sheets["Bill"][-4:]] == [
        statement["bill"][key] for key in ("adjustment", "subtotal", "coefficient", "total")
    ]


async def test_a_file_is_saved_with_its_digest_and_not_sent_twice(house: Any) -> None:
    counted(house)
    engineer = await house.user(Role.ENGINEER)
    async with making(house):
        await engineer("POST", "/reports", json={"kind": "day", "first": "2025-12-31"})
        listed = await ready(engineer)
    assert {(file["language"], file["format"]) for file in listed["items"][0]["files"]} == {
        ("zh", "pdf"), ("zh", "xlsx"), ("en", "pdf"), ("en", "xlsx"),
    }  # fmt: skip
    viewer = await house.user(Role.VIEWER)
    reply = await viewer("GET", "/reports/day-2025-12-31/zh/pdf")
    assert reply.content.startswith(b"%PDF-")
    assert reply.headers["content-type"] == "application/pdf"
    assert reply.headers["content-disposition"] == 'attachment; filename="shifu-day-2025-12-31-zh.pdf"'
    assert reply.headers["etag"] == f'"{hashlib.sha256(reply.content).hexdigest()}"'
    again = await viewer("GET", "/reports/day-2025-12-31/zh/pdf", headers={"If-None-Match": reply.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for path in ("day-2025-12-30/zh/pdf", "day-2025-12-31/fr/pdf", "day-2025-12-31/zh/json", "..%2Fx/zh/pdf"):
        assert (await viewer("GET", f"/reports/{path}")).status_code == 404, path


async def test_reports_are_for_those_who_may_see_the_whole_site(house: Any) -> None:
    somebody = await house.user(Role.ENGINEER, areas=("west",))
    assert (await somebody("GET", "/reports")).status_code == 403
    assert (await somebody("GET", "/reports/day-2025-12-31/zh/pdf")).status_code == 403
    body = {"kind": "month", "first": "2025-12-01"}
    assert (await somebody("POST", "/reports", json=body)).status_code == 403
    viewer = await house.user(Role.VIEWER)
    assert (await viewer("GET", "/reports")).json() == {"items": [], "runs": [], "schedule": []}
    assert (await viewer("POST", "/reports", json=body)).status_code == 403
    assert house.runtime.reports.runs() == []


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "month", "first": "2025-12-02"},
        {"kind": "month", "first": "2026-02-01"},
        {"kind": "year", "first": "2025-01-01"},
        {"kind": "day", "first": "2025-13-01"},
        {"kind": "day", "first": "2025-02-30"},
        {"kind": "day", "first": "1999-01-01"},
        {"kind": "day", "first": "2025-12-31", "more": 1},
        {"kind": "day"},
    ],
)
async def test_what_cannot_be_a_report_is_refused_and_nothing_is_made(house: Any, body: dict[str, Any]) -> None:
    engineer = await house.user(Role.ENGINEER)
    reply = await engineer("POST", "/reports", json=body)
    assert reply.status_code in (400, 422)
    assert house.runtime.reports.runs() == []


async def test_who_asked_stands_in_the_audit_journal(house: Any) -> None:
    engineer, auditor = await house.user(Role.ENGINEER), await house.user(Role.ADMINISTRATOR)
    await engineer("POST", "/reports", json={"kind": "month", "first": "2025-12-01"})
    rows = (await auditor("GET", "/audit", params={"action": "report_make"})).json()["items"]
    assert [(row["actor"], row["target"], row["outcome"]) for row in rows] == [
        ("u.engineer", "month 2025-12-01", "done"),
        ("u.engineer", "month 2025-12-01", "requested"),
    ]
