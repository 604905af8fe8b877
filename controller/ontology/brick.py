"""The site as a graph of Brick 1.4 in Turtle (RDF 1.1 Turtle, W3C 2014).

Names are our addresses below `urn:shifu:<site>:`; every point carries the address as the id of its time series, which
is what `GET /api/v1/history` asks for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from controller.ontology.vocabulary import QUDT_UNITS, equipment_class, feeds, point_class, spaces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controller.point.model import Name, Site

__all__ = ["MEDIA_TYPE", "brick_turtle"]

MEDIA_TYPE = "text/turtle"
_PREFIXES = (
    ("brick", "https://brickschema.org/schema/Brick#"),
    ("ref", "https://brickschema.org/schema/Brick/ref#"),
    ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
    ("unit", "http://qudt.org/vocab/unit/"),
)


def brick_turtle(site: Site) -> str:
    """Return the whole site."""
    return "\n".join(_lines(site)) + "\n"


def _lines(site: Site) -> Iterator[str]:
    for prefix, place in _PREFIXES:
        yield f"@prefix {prefix}: <{place}> ."
    yield f"@prefix : <urn:shifu:{site.id}:> .\n"
    yield _node(site.id + ":site", "Site", _labels(site.name))
    zones, where = spaces(site)
    for building in site.buildings.values():
        yield _node(building.id, "Building", [*_labels(building.name), f"brick:isPartOf {_iri(site.id + ':site')}"])
        for floor in building.floors:
            name = f"{building.id}:{floor.id}"
            yield _node(name, "Floor", [*_labels(floor.name), f"brick:isPartOf {_iri(building.id)}"])
    for zone in zones.values():
        labels = [f"rdfs:label {_text(zone.zh)}@zh-Hant-TW, {_text(zone.en)}@en"]
        part = f"brick:isPartOf {_iri(f'{zone.building}:{zone.floor}')}"
        yield _node(zone.id, "HVAC_Zone" if zone.comfort else "Zone", [*labels, part])
    flows: dict[str, list[str]] = {}
    for source, target in feeds(site):
        flows.setdefault(source, []).append(target)
    points: dict[str, list[str]] = {}
    for point in site.points.values():
        if point.equipment in site.equipment:
            points.setdefault(point.equipment, []).append(point.address)
    for item in site.equipment.values():
        facts = [*_labels(item.name), f"brick:hasLocation {_iri(where[item.address])}"]
        facts += _many("brick:feeds", flows.get(item.address, ())) + _many(
            "brick:hasPoint", points.get(item.address, ())
        )
        yield _node(item.address, equipment_class(item), facts)
    for point in site.points.values():
        if point.equipment not in site.equipment:
            continue
        facts = [*_labels(point.name), f"brick:isPointOf {_iri(point.equipment)}"]
        if unit := QUDT_UNITS.get(point.unit):
            facts.append(f"brick:hasUnit unit:{unit}")
        series = f"[ a ref:TimeseriesReference ; ref:hasTimeseriesId {_text(point.address)} ]"
        yield _node(point.address, point_class(point), [*facts, f"ref:hasExternalReference {series}"])


def _node(name: str, cls: str, facts: Sequence[str]) -> str:
    return f"{_iri(name)} a brick:{cls} ;\n    " + " ;\n    ".join(facts) + " ."


def _many(verb: str, names: Sequence[str]) -> list[str]:
    return [f"{verb} {', '.join(_iri(name) for name in names)}"] if names else []


def _iri(name: str) -> str:
    """Return a prefixed name; ours have letters, digits and `.-_:` alone and never end with a dot (PN_LOCAL)."""
    return f":{name}"


def _labels(name: Name) -> list[str]:
    return [f"rdfs:label {_text(name.zh)}@zh-Hant-TW, {_text(name.en)}@en"]


def _text(value: str) -> str:
    """Return a quoted string; the escapes of JSON are Turtle's, for nothing beyond the BMP is escaped here."""
    return json.dumps(value, ensure_ascii=False)
