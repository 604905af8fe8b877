"""Mistakes in plans and documents: each with file, line, key, what was got, what is wanted and what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.settings.difference import compare
from controller.settings.overlay import Change, apply_plans, plan_change

Folder = Any
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 400"><path d="M0 0h600"/></svg>'
PLAN = """\
[[plan]]
building = "main"
floor = "B1"
file = "plans/b1.svg"
placements = [{ address = "main.electrical.meter1", at = [100, 50] }]

[[plan.zones]]
id = "office"
name = { zh = "辦公區", en = "Offices" }
polygon = [[0, 0], [300, 0], [300, 400], [0, 400]]

[[plan.zones]]
id = "store"
name = { zh = "庫房", en = "Store" }
polygon = [[300, 0], [600, 0], [600, 400], [300, 400]]
"""


@pytest.fixture
def drawn(folder: Folder) -> Folder:
    folder.write("plans/b1.svg", DRAWING)
    folder.write("plans.toml", PLAN)
    return folder


def test_a_good_plan_is_taken_with_the_size_of_its_drawing(drawn: Folder) -> None:
    plan = drawn.load().plans["main", "B1"]

    assert (plan.width, plan.height, plan.drawing.kind, plan.drawing.file) == (600, 400, "svg", "plans/b1.svg")
    assert [zone.id for zone in plan.zones] == ["office", "store"]
    assert (plan.placements[0].x, plan.placements[0].y) == (100, 50)


def test_one_row_makes_the_plans_of_many_floors(drawn: Folder) -> None:
    text = PLAN.replace("[[plan]]", '[[plan]]\nfor = { n = "1..2" }', 1).replace('"B1"', '"{n}F"')
    drawn.write(
        "plans.toml", text.replace('placements = [{ address = "main.electrical.meter1", at = [100, 50] }]\n', "")
    )

    assert {floor for _, floor in drawn.load().plans} == {"1F", "2F"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            '"main"\nfloor',
            '"mian"\nfloor',
            'plans.toml:2: plan.building: got "mian", wanted a building of site.toml. Did you mean "main"?',
        ),
        ('"B1"', '"B2"', 'plans.toml:3: plan.floor: got "B2", wanted one of B1, 1F, 2F, the floors of main'),
        ('"B1"', '"cellar"', 'plans.toml:3: plan.floor: got "cellar", wanted a floor: B9 to B1, 1F to 99F, or RF'),
        (
            "plans/b1.svg",
            "plans/b2.svg",
            'plans.toml:4: plan.file: got "plans/b2.svg", wanted a file that exists in the site\'s folder',
        ),
        (
            "plans/b1.svg",
            "../secret.svg",
            'plans.toml:4: plan.file: got "../secret.svg", wanted a drawing such as plans/main-1f.svg, or .png',
        ),
        (
            "meter1",
            "meter9",
            (
                'plans.toml:5: plan.placements.address: got "main.electrical.meter9", '
                "wanted an equipment or a point of this site"
            ),
        ),
        (
            "at = [100, 50]",
            "at = [700, 50]",
            (
                "plans.toml:5: plan.placements.at: got 700, 50, wanted a place inside of the drawing, "
                "between 0, 0 and 600, 400"
            ),
        ),
        (
            "at = [100, 50]",
            "at = [100]",
            "plans.toml:5: plan.placements.at: got [100], wanted at least 2 of them (a text: characters)",
        ),
        (
            "[[300, 0], [600, 0], [600, 400], [300, 400]]",
            "[[250, 0], [600, 0], [600, 400], [250, 400]]",
            (
                'plans.toml:15: plan.zones.polygon: got zone "store" over zone "office", '
                "wanted zones beside each other. Move their corners until they only touch."
            ),
        ),
        (
            "[[300, 0], [600, 0], [600, 400], [300, 400]]",
            "[[300, 0], [600, 400], [600, 0], [300, 400]]",
            (
                'plans.toml:15: plan.zones.polygon: got an outline of "store" that crosses itself, '
                "wanted corners in the order of the outline"
            ),
        ),
        (
            'id = "store"',
            'id = "office"',
            'plans.toml:13: plan.zones.id: got "office" twice, wanted each zone once',
        ),
        (
            'floor = "B1"\n',
            'floor = "B1"\nsize = [600, 600]\n',
            (
                "plans.toml:4: plan.size: got 600 × 600, wanted the shape of the drawing, 600 × 400. "
                "Leave the size out to take the drawing's."
            ),
        ),
        (
            'file = "plans/b1.svg"',
            'fiel = "plans/b1.svg"',
            (
                "plans.toml:4: plan.fiel: got an unknown key, "
                'wanted one of building, floor, file, size, zones, placements. Did you mean "file"?'
            ),
        ),
    ],
)
def test_mistakes_are_said_at_their_line(drawn: Folder, old: str, new: str, expected: str) -> None:
    drawn.change("plans.toml", old, new)

    assert str(drawn.problems()[0]) == expected


def test_equipment_of_another_floor_is_no_placement(drawn: Folder) -> None:
    drawn.change("equipment.toml", 'floor = "B1"', 'floor = "2F"')

    assert drawn.problem() == (
        'plans.toml:5: plan.placements.address: got "main.electrical.meter1", which is on 2F of main, '
        "wanted something on B1 of main"
    )


def test_two_plans_of_a_floor(drawn: Folder) -> None:
    drawn.write("plans/more.toml", '[[plan]]\nbuilding = "main"\nfloor = "B1"\nsize = [10, 10]\n')

    assert drawn.problem() == "plans/more.toml:3: plan.floor: got main B1 twice, wanted one plan for each floor"


def test_a_script_is_refused_at_the_line_of_the_drawing(drawn: Folder) -> None:
    drawn.write("plans/b1.svg", DRAWING.replace("<path", "\n\n<script>alert(1)</script><path"))
    problem = drawn.problem()

    assert problem.startswith("plans/b1.svg:3: got an element <script>, wanted one of circle, clipPath")
    assert problem.endswith("Save it as plain SVG, without scripts, styles and links; or as PNG.")


def test_fifty_megabytes_are_refused(drawn: Folder) -> None:
    with (drawn.path / "plans/b1.svg").open("wb") as file:
        file.truncate(50 << 20)

    assert drawn.problem().startswith("plans/b1.svg: got 52428800 bytes, wanted at most 5242880. Leave out layers")


def test_a_link_out_of_the_folder_is_no_drawing(drawn: Folder) -> None:
    outside = drawn.path.parent / "outside.svg"
    outside.write_text(DRAWING)
    (drawn.path / "plans/b1.svg").unlink()
    (drawn.path / "plans/b1.svg").symlink_to(outside)

    assert "wanted a file that exists in the site's folder" in drawn.problem()


DOCUMENT = """\
[[document]]
class = "meter"
kind = "manual"
file = "documents/meter.pdf"
title = { zh = "手冊", en = "Manual" }
"""


def test_documents_of_an_equipment_come_before_those_of_its_class(folder: Folder) -> None:
    folder.write("documents/meter.pdf", b"%PDF-1.4")
    folder.write("documents/own/plate.jpg", b"\xff\xd8\xff\xe0")
    folder.write("documents.toml", DOCUMENT)
    own = 'documents = [{ kind = "photo", file = "documents/own/plate.jpg", title = { zh = "銘牌", en = "Plate" } }]\n'
    folder.write("equipment.toml", folder.text("equipment.toml") + own)

    (meter,) = folder.load().site.equipment.values()
    assert [(item.kind, item.media, item.size) for item in meter.documents] == [
        ("photo", "image/jpeg", 4),
        ("manual", "application/pdf", 8),
    ]


@pytest.mark.parametrize(
    ("content", "old", "new", "expected"),
    [
        (
            None,
            "",
            "",
            (
                'documents.toml:4: document.file: got "documents/meter.pdf", '
                "wanted a file that exists in the site's folder. Put the file there, or take the row out."
            ),
        ),
        (b"<html>", "", "", "documents/meter.pdf: got another kind of file, wanted what the name meter.pdf says"),
        (
            b"%PDF-",
            '"meter"',
            '"metre"',
            'documents.toml:2: document.class: got "metre", wanted equipment that this site has. Did you mean "meter"?',
        ),
        (
            b"%PDF-",
            'class = "meter"\n',
            "",
            'documents.toml:1: document: got neither, wanted exactly one of "class" and "equipment"',
        ),
        (
            b"%PDF-",
            "documents/meter.pdf",
            "documents/meter.html",
            (
                'documents.toml:4: document.file: got "documents/meter.html", '
                "wanted a file such as documents/meter.pdf; svg, png, jpg and pdf are taken"
            ),
        ),
    ],
)
def test_documents_that_cannot_be_offered(
    folder: Folder, content: bytes | None, old: str, new: str, expected: str
) -> None:
    if content is not None:
        folder.write("documents/meter.pdf", content)
    folder.write("documents.toml", DOCUMENT.replace(old, new) if old else DOCUMENT)

    assert folder.problem() == expected


def test_a_moved_thing_and_a_new_drawing_are_differences(drawn: Folder) -> None:
    old = drawn.load()
    drawn.change("plans.toml", "at = [100, 50]", "at = [110, 50]")
    moved = drawn.load()
    assert compare(old, moved).plans.changed == ("main B1",)
    drawn.write("plans/b1.svg", DRAWING.replace("h600", "h500"))
    assert compare(moved, drawn.load()).plans.changed == ("main B1",)
    assert not compare(old, old)


def test_a_changed_plan_outlives_what_it_speaks_of(drawn: Folder) -> None:
    files = drawn.load()
    plan = files.plans["main", "B1"]
    change = Change("", None, "chen", "seen on site", None, 7)
    assert plan_change(files, plan, change) is None, "that of the files is no change"
    other = replace(plan, zones=plan.zones[:1])
    made = plan_change(files, other, change)
    assert made is not None
    assert apply_plans(files, [made]) == {plan.key: other}

    drawn.write("plans/b1.svg", DRAWING.replace("h600", "h500"))
    drawn.change("equipment.toml", 'floor = "B1"', 'floor = "2F"')
    drawn.change("plans.toml", 'placements = [{ address = "main.electrical.meter1", at = [100, 50] }]\n', "")
    later = drawn.load()
    (shown,) = apply_plans(later, [made, replace(made, key="plan/main/9F"), replace(made, key="plan/x")]).values()
    assert shown.placements == ()
    assert shown.drawing == later.plans[plan.key].drawing
    assert apply_plans(later, [replace(made, value={"zones": 7})]) == later.plans
