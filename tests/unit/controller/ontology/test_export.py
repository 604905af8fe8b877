"""The whole City Hall in Haystack and in Brick, judged by libraries of others; units and classes by their documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rdflib
from phable.io.ph_json import ph_from_json
from phable.kinds import Grid, Marker, Ref

from controller.clock import VirtualClock
from controller.export import export_model
from controller.ontology import vocabulary
from controller.ontology.brick import brick_turtle
from controller.ontology.haystack import haystack_grid
from controller.ontology.vocabulary import HAYSTACK_UNITS, QUDT_UNITS, point_class
from controller.point.model import Name, Point, Site, WriteSpec
from controller.point.registry import Registry
from controller.settings.load import load
from controller.share import share_dir

BRICK = rdflib.Namespace("https://brickschema.org/schema/Brick#")
CITY = share_dir("config") / "taipei-city-hall"


@pytest.fixture(scope="module")
def site() -> Site:
    return load(CITY, Registry(), clock=VirtualClock()).site


@pytest.fixture(scope="module")
def grid(site: Site) -> Grid:
    found = ph_from_json(json.dumps(haystack_grid(site)))
    assert isinstance(found, Grid)
    return found


@pytest.fixture(scope="module")
def graph(site: Site) -> rdflib.Graph:
    return rdflib.Graph().parse(data=brick_turtle(site), format="turtle")


def test_haystack_has_every_thing_once_and_every_reference_leads_somewhere(site: Site, grid: Grid) -> None:
    ids = [row["id"].val for row in grid.rows]
    assert len(ids) == len(set(ids))
    marked = {tag: [row for row in grid.rows if isinstance(row.get(tag), Marker)] for tag in ("site", "equip", "point")}
    assert [row["id"].val for row in marked["site"]] == list(site.buildings)
    assert {row["id"].val for row in marked["equip"]} == set(site.equipment)
    assert {row["id"].val for row in marked["point"]} == set(site.points)
    lost = [
        (row["id"].val, key)
        for row in grid.rows
        for key, ref in row.items()
        if isinstance(ref, Ref) and ref.val not in ids
    ]
    assert lost == []
    for row in marked["point"]:
        assert {"siteRef", "equipRef", "kind", "tz"} <= row.keys()
        assert len(row.keys() & {"sensor", "cmd", "sp"}) == 1, row["id"].val
        assert (row["kind"] == "Number") == (site.points[row["id"].val].kind in ("analog", "counter"))


def test_haystack_tags_are_names_and_phases_are_values(grid: Grid) -> None:
    odd = {key for row in grid.rows for key in row if not (key.isascii() and key.isalnum() and key[0].islower())}
    assert odd == set()
    rows: dict[str, Any] = {row["id"].val: row for row in grid.rows}
    assert rows["cityhall.electrical.lv1.voltage_l12"]["phase"] == "L1-L2"
    assert rows["cityhall.electrical.lv1.voltage_l1n"]["phase"] == "L1-N"
    assert rows["cityhall.electrical.lv1.reactive_power"]["unit"] == "kVAR"
    assert rows["cityhall.electrical.lv1"]["elecRef"].val == "cityhall.electrical.tx1"
    assert rows["cityhall.meter.em001"]["submeterOf"].val == "cityhall.electrical.feeder01"
    assert rows["cityhall:5F:west"]["spaceRef"].val == "cityhall:5F"


def test_haystack_shows_a_bad_value_as_a_fault_and_never_as_a_number() -> None:
    site = load(share_dir("config") / "minimal", Registry(), clock=VirtualClock()).site
    power, voltage, other = [
        site.points[f"main.electrical.meter1.{tag}"] for tag in ("power", "voltage_l1n", "frequency")
    ]
    values = {power.number: (12.5, 0), voltage.number: (230.0, 128), other.number: (50.0, 64)}
    rows = {row["id"]["val"]: row for row in haystack_grid(site, values)["rows"]}

    assert rows[power.address]["curVal"] == {"_kind": "number", "val": 12.5, "unit": "kW"}
    assert rows[power.address]["curStatus"] == "ok"
    assert "curVal" not in rows[voltage.address]
    assert rows[voltage.address]["curStatus"] == "fault"
    assert rows[other.address]["curStatus"] == "unknown"
    assert rows["main.electrical.meter1.energy_import"]["curStatus"] == "fault", "never read"


def test_brick_has_every_point_at_its_equipment(site: Site, graph: rdflib.Graph) -> None:
    assert len(set(graph.objects(None, BRICK.hasPoint))) == len(site.points)
    assert len(set(graph.subjects(BRICK.isPointOf))) == len(site.points)
    assert len(set(graph.subjects(rdflib.RDF.type, BRICK.Floor))) == sum(len(b.floors) for b in site.buildings.values())
    known = set(graph.subjects(rdflib.RDF.type))
    verbs = (BRICK.hasPoint, BRICK.isPointOf, BRICK.feeds, BRICK.hasLocation, BRICK.isPartOf)
    assert [(s, o) for verb in verbs for s, o in graph.subject_objects(verb) if o not in known] == []
    prefix = f"urn:shifu:{site.id}:"
    tx1, lv1 = (rdflib.URIRef(f"{prefix}cityhall.electrical.{name}") for name in ("tx1", "lv1"))
    assert (tx1, BRICK.feeds, lv1) in graph
    assert (tx1, rdflib.RDFS.label, rdflib.Literal("高壓變壓器 TX-1", "zh-Hant-TW")) in graph


def test_brick_uses_classes_that_exist(graph: rdflib.Graph) -> None:
    lines = (Path(vocabulary.__file__).parent / "brick.txt").read_text("utf-8").splitlines()
    known = {line.split()[-1] for line in lines if not line.startswith("#")}
    used = {
        str(cls).removeprefix(str(BRICK))
        for cls in graph.objects(None, rdflib.RDF.type)
        if str(cls).startswith(str(BRICK))
    }

    assert used - known == set()
    assert {"Air_Handling_Unit", "Chilled_Water_Pump", "Transformer", "Electrical_Meter", "CO2_Level_Sensor"} <= used
    assert "Zone_Air_Temperature_Setpoint" not in used, "deprecated since Brick 1.3"


@pytest.mark.parametrize(
    ("kind", "tag", "brick", "write", "wanted"),
    [
        ("analog", "battery", "Battery", None, "Sensor"),
        ("analog", "apparent_power", "Apparent_Power_Sensor", None, "Sensor"),
        ("binary", "fan_fault", "", None, "Alarm"),
        ("binary", "open", "", None, "Status"),
        ("multistate", "mode", "", WriteSpec(0, 3), "Command"),
        ("analog", "zone_temp_sp", "", WriteSpec(16, 30), "Setpoint"),
        ("analog", "speed_cmd", "", WriteSpec(0, 100), "Command"),
        ("analog", "t", "Speed_Status", None, "Speed_Mode_Status"),
    ],
)
def test_a_point_without_a_class_in_brick_is_called_by_what_it_is(
    kind: str, tag: str, brick: str, write: WriteSpec | None, wanted: str
) -> None:
    point = Point(1, f"a.b.c.{tag}", kind, "", Name("點", "Point"), "a.b.c", write=write, brick=brick)
    assert point_class(point) == wanted


def test_every_unit_of_the_site_has_a_name_elsewhere(site: Site) -> None:
    units = {point.unit for point in site.points.values() if point.unit}
    assert units - QUDT_UNITS.keys() == set()
    # Haystack's units.txt has these symbols as they are; the others are in the table.
    same = "°C % V A kW kVA kWh Hz Pa hPa kPa ppm ppb µg/m³ mg/m³ L L/s L/min m³ m³/h m/s mm m s min h lx"
    same += " W Wh MWh mA bar rpm"
    assert units - set(same.split()) - HAYSTACK_UNITS.keys() == set()


def test_the_command_line_writes_both() -> None:
    minimal = share_dir("config") / "minimal"
    assert json.loads(export_model(minimal, "haystack"))["_kind"] == "grid"
    assert export_model(minimal, "brick").startswith("@prefix brick:")
    with pytest.raises(Exception, match="wanted one of haystack, brick"):
        export_model(minimal, "csv")
