"""JSON Schemas of the files of a site's folder, for editors that understand them (Even Better TOML, taplo)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from controller.settings.contact import NotifyFile
from controller.settings.file import (
    AlarmFile,
    BookingRow,
    DeviceRow,
    DocumentRow,
    EnergyFile,
    EquipmentRow,
    InspectionRow,
    PlanRow,
    RuleFile,
    ServerFile,
    SiteFile,
    VehicleRow,
    VenueRow,
    WorksRow,
)
from controller.settings.fire import CauseRow, EffectRow, FireHeadRow, HoldRow
from controller.settings.report import ReportFile
from controller.settings.scenario import DrillFile
from controller.settings.schedule_row import DayRow, ScheduleRow, SpecialPeriodRow
from controller.settings.strategy import StrategyFile
from controller.settings.tariff import TariffFile

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

__all__ = ["schemas", "write_schemas"]

_LOOP = {
    "type": "object",
    "description": 'Repeats the row: `{ n = "1..40" }`, or a list; `{n:02}` in a text is filled in.',
    "additionalProperties": {
        "anyOf": [{"type": "string", "pattern": r"^\s*-?\d+\s*\.\.\s*-?\d+\s*$"}, {"type": "array"}]
    },
}
_TEMPLATE = {"type": "string", "pattern": r"\{"}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of each file by its name."""
    return {
        "site": SiteFile.model_json_schema(by_alias=True),
        "server": ServerFile.model_json_schema(by_alias=True),
        "alarms": AlarmFile.model_json_schema(by_alias=True),
        "rules": RuleFile.model_json_schema(by_alias=True),
        "plans": _rows(plan=PlanRow),
        "documents": _rows(document=DocumentRow),
        "energy": EnergyFile.model_json_schema(by_alias=True),
        "drill": DrillFile.model_json_schema(by_alias=True),
        "notify": NotifyFile.model_json_schema(by_alias=True),
        "report": ReportFile.model_json_schema(by_alias=True),
        "tariff": TariffFile.model_json_schema(by_alias=True),
        "strategy": StrategyFile.model_json_schema(by_alias=True),
        "equipment": _rows(equipment=EquipmentRow),
        "fire": _fire(),
        "devices": _rows(device=DeviceRow),
        "calendar": _rows(venue=VenueRow, booking=BookingRow, works=WorksRow, inspection=InspectionRow),
        "schedule": _rows(schedule=ScheduleRow, exception=SpecialPeriodRow, day=DayRow),
        "vehicles": _rows(vehicle=VehicleRow),
    }


def write_schemas(folder: Path) -> list[Path]:
    """Write one file a schema; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, schema in schemas().items():
        path = folder / f"{name}.schema.json"
        path.write_text(json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n", "utf-8")
        paths.append(path)
    return paths


def _rows(**models: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a file of rows with templates: every value may also be a text with a brace in it."""
    definitions: dict[str, Any] = {}
    tables = {}
    for key, model in models.items():
        row = model.model_json_schema(by_alias=True)
        inner = row.pop("$defs", {})
        definitions |= {name: _filled(part) for name, part in inner.items()}
        row = _filled(row)
        row["properties"]["for"] = _LOOP
        row["properties"]["each"] = {
            "type": "object",
            "description": "Differences of single repetitions, by the first variable's value.",
            "additionalProperties": {"type": "object"},
        }
        row.pop("required", None)
        tables[key] = {"type": "array", "items": row}
    return {"type": "object", "additionalProperties": False, "properties": tables, "$defs": definitions}


def _fire() -> dict[str, Any]:
    schema = _rows(hold=HoldRow, effect=EffectRow, cause=CauseRow)
    head = FireHeadRow.model_json_schema(by_alias=True)
    schema["$defs"] |= head.pop("$defs", {})
    schema["properties"]["fire"] = head
    return schema


def _filled(part: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a table or a list, each of whose values may also be a text with a brace in it."""

    def value(inner: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [_filled(inner), _TEMPLATE]}

    changed = dict(part)
    for key in ("properties", "patternProperties"):
        if key in part:
            changed[key] = {name: value(inner) for name, inner in part[key].items()}
    for key in ("additionalProperties", "items"):
        if isinstance(part.get(key), dict):
            changed[key] = value(part[key])
    if "anyOf" in part:
        changed["anyOf"] = [_filled(inner) for inner in part["anyOf"]]
    return changed
