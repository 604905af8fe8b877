"""The site as a grid of Project Haystack 4 in its JSON encoding (Hayson, `application/vnd.haystack+json`).

A Haystack site is a single building, so each building is one. Ids are our addresses, `building:floor` and
`building:floor:area`; they never change while the files say the same. Tags that Haystack does not define begin with
`shifu`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from controller.ontology.vocabulary import CLASSES, HAYSTACK_UNITS, camel, feeds, spaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.point.model import Equipment, Floor, Name, Point, Site

__all__ = ["MEDIA_TYPE", "haystack_grid"]

MEDIA_TYPE = "application/vnd.haystack+json"
_MARKER = {"_kind": "marker"}
_KINDS = {"analog": "Number", "counter": "Number", "binary": "Bool", "multistate": "Str"}
_PHASE = re.compile(r"_l([123])([123n])?(?=_|$)")
_STATUS = ((64, "ok"), (128, "unknown"))
"""Up to which quality a value has which `curStatus`."""


def haystack_grid(site: Site, values: Mapping[int, tuple[float, int]] | None = None) -> dict[str, Any]:
    """Return the grid: sites, floors, zones, equipment, points. `values` by point number adds `curVal`, `curStatus`."""
    rows: list[dict[str, Any]] = []
    timezone = site.timezone.rpartition("/")[2]
    for building in site.buildings.values():
        rows.append({**_named(building.id, building.name), "site": _MARKER, "tz": timezone})
        rows += [_floor(building.id, floor) for floor in building.floors]
    zones, where = spaces(site)
    for zone in zones.values():
        more = " hvacZone" if zone.comfort else ""
        rows.append(
            {
                "id": _ref(zone.id, zone.en),
                "dis": zone.en,
                "shifuNameZh": zone.zh,
                **_markers("space zone" + more),
                "siteRef": _ref(zone.building),
                "spaceRef": _ref(f"{zone.building}:{zone.floor}"),
            }
        )
    fed: dict[str, list[str]] = {}
    for source, target in feeds(site):
        fed.setdefault(target, []).append(source)
    rows += [_equip(item, where[item.address], fed.get(item.address, []), site) for item in site.equipment.values()]
    rows += [
        _point(point, site.equipment[point.equipment], where[point.equipment], timezone, values)
        for point in site.points.values()
        if point.equipment in site.equipment
    ]
    columns = dict.fromkeys(key for row in rows for key in row)
    return {
        "_kind": "grid",
        "meta": {"ver": "3.0", "dis": site.name.en, "shifuSite": site.id},
        "cols": [{"name": name} for name in columns],
        "rows": rows,
    }


def _floor(building: str, floor: Floor) -> dict[str, Any]:
    return {
        **_named(f"{building}:{floor.id}", floor.name),
        **_markers("space floor"),
        "floorNum": floor.index,
        "siteRef": _ref(building),
    }


def _named(identity: str, name: Name) -> dict[str, Any]:
    return {"id": _ref(identity, name.en), "dis": name.en, "shifuNameZh": name.zh}


def _ref(identity: str, dis: str = "") -> dict[str, str]:
    return {"_kind": "ref", "val": identity, **({"dis": dis} if dis else {})}


def _markers(text: str) -> dict[str, Any]:
    """Return the tags of a text: `volt-thd` is two, `shifu:door` is `shifuDoor`."""
    tags = []
    for word in text.split():
        tags += [camel(word.replace(":", "_"))] if ":" in word else [camel(part) for part in word.split("-") if part]
    return dict.fromkeys(tags, _MARKER)


def _equip(item: Equipment, space: str, sources: list[str], site: Site) -> dict[str, Any]:
    words = CLASSES.get(item.cls)
    row = {
        **_named(item.address, item.name),
        "equip": _MARKER,
        **_markers(words.tags if words else f"shifu:{item.cls}"),
        "siteRef": _ref(item.building),
    }
    if space != item.building:
        row["spaceRef"] = _ref(space)
    for key, text in (("mfr", item.maker), ("model", item.model), ("serial", item.serial)):
        if text:
            row[f"shifu{key.capitalize()}"] = text
    for key, value in item.parameters.items():
        if key not in ("feeds", "fed_by") and (isinstance(value, str) or math.isfinite(value)):
            row[camel(f"shifu_{key}")] = value
    if sources:
        both_meters = item.cls == "meter" and site.equipment[sources[0]].cls == "meter"
        row["submeterOf" if both_meters else "elecRef"] = _ref(sources[0])
    return row


def _point(
    point: Point, item: Equipment, space: str, timezone: str, values: Mapping[int, tuple[float, int]] | None
) -> dict[str, Any]:
    tags = _markers(point.haystack)
    phase = _phase(point.address.rpartition(".")[2])
    if "phase" in tags:
        del tags["phase"]
        if phase:
            tags["phase"] = phase
    if not tags.keys() & {"sensor", "cmd", "sp"}:
        tags["sensor" if point.write is None else "sp" if point.kind == "analog" else "cmd"] = _MARKER
    row: dict[str, Any] = {
        **_named(point.address, point.name),
        "point": _MARKER,
        **tags,
        "kind": _KINDS[point.kind],
        "siteRef": _ref(item.building),
        "equipRef": _ref(item.address),
        "cur": _MARKER,
        "his": _MARKER,
        "tz": timezone,
    }
    if space != item.building:
        row["spaceRef"] = _ref(space)
    if point.write is not None:
        row["writable"] = _MARKER
    if point.unit and point.kind in ("analog", "counter"):
        row["unit"] = HAYSTACK_UNITS.get(point.unit, point.unit)
    if point.kind == "multistate":
        row["enum"] = ",".join(camel(name.en) for _, name in point.states)
    if point.kind == "analog":
        ends = (("minVal", point.low), ("maxVal", point.high))
        row |= {key: limit for key, limit in ends if math.isfinite(limit)}
    if values is not None:
        value, quality = values.get(point.number, (math.nan, 255))
        good = math.isfinite(value)
        row["curStatus"] = next((word for most, word in _STATUS if quality < most), "fault") if good else "fault"
        if good and quality < 128:
            row["curVal"] = _value(point, value)
    return row


def _phase(word: str) -> Any:
    found = _PHASE.search(word)
    if not found:
        return None
    other = found.group(2)
    return f"L{found.group(1)}" + ("" if not other else "-N" if other == "n" else f"-L{other}")


def _value(point: Point, value: float) -> Any:
    if point.kind == "binary":
        return value >= 0.5
    if point.kind == "multistate":
        return next((camel(name.en) for number, name in point.states if number == round(value)), str(round(value)))
    unit = HAYSTACK_UNITS.get(point.unit, point.unit)
    return {"_kind": "number", "val": value, "unit": unit} if unit else value
