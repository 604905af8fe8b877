"""A plan changed while running, in a whole controller: it outlives a restart and applied files, and ends on demand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.app.test_limit_change import MINIMAL, running

if TYPE_CHECKING:
    from tests.integration.app.test_limit_change import Person

METER = "main.electrical.meter1"
PATH = "/api/v1/plans/main/B1"
DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 400"><path d="M0 0h600"/></svg>'
FILES = f"""\
[[plan]]
building = "main"
floor = "B1"
file = "plans/b1.svg"
placements = [{{ address = "{METER}", at = [100, 50] }}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    shutil.copytree(MINIMAL, site)
    (site / "plans").mkdir()
    (site / "plans" / "b1.svg").write_bytes(DRAWING)
    (site / "plans.toml").write_text(FILES, "utf-8")
    device = site / "devices" / "meter.toml"
    device.write_text(device.read_text("utf-8").replace("192.0.2.10:502", "127.0.0.1:1"), "utf-8")
    return tmp_path


async def plan(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = (await person.http.get(PATH)).json()
    return found


async def test_a_changed_plan_outlives_a_restart_and_applied_files(folder: Path) -> None:
    upload = DRAWING.replace(b"h600", b"h500")
    async with running(folder) as (controller, person):
        first = await plan(person)
        assert first["placements"] == [{"address": METER, "x": 100.0, "y": 50.0}]
        kept = await person.http.post("/api/v1/drawings", content=upload, headers={"Content-Type": "image/svg+xml"})
        at = {"address": f"{METER}.power", "x": 20.0, "y": 30.0}
        body = {
            "width": 600,
            "height": 400,
            "drawing": kept.json()["id"],
            "zones": [],
            "placements": [at],
            "reason": "seen on site",
        }
        generation = controller.configuration.site.generation
        reply = await person.http.put(PATH, json=body, headers={"If-Match": first["etag"]})
        assert reply.status_code == 200, reply.text
        assert controller.configuration.site.generation == generation, "a plan moves no point: no page asks again"

    async with running(folder) as (controller, person):
        again = await plan(person)
        assert again["placements"] == [at]
        assert again["change"]["reason"] == "seen on site"
        assert (await person.http.get(f"/api/v1/drawings/{again['drawing']['id']}")).content == upload
        (folder / "site" / "plans.toml").write_text(FILES.replace("[100, 50]", "[300, 50]"), "utf-8")
        assert (await controller.apply()).plans.changed == ()
        assert (await plan(person))["placements"] == [at], "the change lies over the files"
        reply = await person.http.delete(f"{PATH}?reason=the+files+know+it", headers={"If-Match": again["etag"]})
        assert reply.status_code == 200, reply.text
        assert reply.json()["placements"] == [{"address": METER, "x": 300.0, "y": 50.0}]

    async with running(folder) as (_, person):
        last = await plan(person)
        assert (last["placements"][0]["x"], last["change"]) == (300.0, None)
