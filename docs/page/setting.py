"""The page of the settings: the files of a site's folder, key by key."""
# ruff: noqa: INP001, E501 - a part of docs/generate.py, not a package, and full of sentences

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.settings import charging as settings_charging
from controller.settings import contact as settings_contact
from controller.settings import file as settings_file
from controller.settings import fire as settings_fire
from controller.settings import report as settings_report
from controller.settings import roster as settings_roster
from controller.settings import scenario as settings_scenario
from controller.settings import schedule_row
from controller.settings import shed as settings_shed
from controller.settings import strategy as settings_strategy
from controller.settings import tariff as settings_tariff
from controller.settings.secret import KEYS
from docs.page.markdown import fields, table

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["settings"]


_FILES = (
    ("site.toml", (("[site]", "SiteRow"), ("[[building]]", "BuildingRow"), ("[[area]]", "AreaRow"))),
    ("server.toml", (("[http]", "HttpRow"), ("[history]", "HistoryRow"), ("[history.influx]", "InfluxRow"))),
    ("equipment.toml, equipment/*.toml, equipment/*.csv", (("[[equipment]]", "EquipmentRow"),)),
    ("devices/*.toml, devices/*.csv", (("[[device]]", "DeviceRow"),)),
    (
        "plans.toml, plans/*.toml",
        (("[[plan]]", "PlanRow"), ("[[plan.zones]]", "ZoneRow"), ("[[plan.placements]]", "PlacementRow")),
    ),
    ("documents.toml", (("[[document]]", "DocumentRow"), ("documents = [ … ] of [[equipment]]", "DocumentItem"))),
    ("alarms.toml, alarms/*.toml", (("[[alarm]]", "AlarmRow"),)),
    (
        "rules.toml",
        (("[[rule]]", "RuleRow"), ("point = { … }", "VirtualPointRow"), ("inputs.<name> = { … }", "InputRow")),
    ),
    (
        "calendar.toml, calendar/*.toml (and calendar/*.ics)",
        (
            ("[[venue]]", "VenueRow"),
            ("[[booking]]", "BookingRow"),
            ("[[works]]", "WorksRow"),
            ("[[inspection]]", "InspectionRow"),
        ),
    ),
    (
        "schedule.toml, schedule/*.toml",
        (
            ("[[schedule]]", "ScheduleRow"),
            ("[[schedule.mode]]", "ModeRow"),
            ("[[schedule.weekly]]", "SpanRow"),
            ("booking = { … }", "BookingModeRow"),
            ("[[exception]]", "SpecialPeriodRow"),
            ("[[day]]", "DayRow"),
        ),
    ),
    ("energy.toml", (("the file", "EnergyFile"), ("[[carbon]]", "CarbonRow"), ("[[use]]", "UseRow"))),
    (
        "strategy.toml",
        (
            ("[demand]", "DemandRow"),
            ("[[demand.shed]]", "ShedRow"),
            ("owed = { … }", "OwedRow"),
            ("stages = [ … ]", "StageRow"),
            ("[reset]", "ResetRow"),
            ("[[reset.chillers]]", "MachineRow"),
            ("[charging]", "ChargingRow"),
            ("[charging.assumed]", "ChargingAssumedRow"),
        ),
    ),
    (
        "notify.toml",
        (
            ("the file", "NotifyFile"),
            ("[[channel]]", "ChannelRow"),
            ("[[contact]]", "ContactRow"),
            ("ways = [ … ]", "WayRow"),
            ("quiet = { … }", "QuietRow"),
            ("[[duty]]", "DutyRow"),
            ("[[duty.shifts]]", "ShiftRow"),
            ("[[duty.substitutes]]", "SubstituteRow"),
            ("[[route]]", "RouteRow"),
            ("steps = [ … ]", settings_contact.StepRow),
        ),
    ),
    (
        "tariff.toml",
        (
            ("[account]", "AccountRow"),
            ("[[table]]", "TariffTableRow"),
            ("[[table.season]]", "SeasonRow"),
            ("[[table.hours]]", "HoursRow"),
            ("[[table.price]]", "PriceRow"),
            ("excess = [ … ]", "TierRow"),
            ("power_factor = { … }", "PowerFactorRow"),
            ("[[table.off_peak_day]]", "OffPeakDayRow"),
        ),
    ),
    ("report.toml", (("[day]", "DaySlotRow"), ("[month]", "MonthSlotRow"))),
    (
        "fire.toml",
        (("[fire]", "FireHeadRow"), ("[[hold]]", "HoldRow"), ("[[effect]]", "EffectRow"), ("[[cause]]", "CauseRow")),
    ),
    ("vehicles.csv, vehicles.toml", (("[[vehicle]]", "VehicleRow"),)),
    (
        "drill.toml, drill/*.toml",
        (
            ("[[assembly]]", "AssemblyRow"),
            ("[[scenario]]", "ScenarioRow"),
            ("[[scenario.inject]]", "InjectRow"),
            ("[[scenario.goal]]", "GoalRow"),
            ("[[scenario.restore]]", "StepRow"),
        ),
    ),
)


_ROWS = (
    settings_file,
    settings_fire,
    schedule_row,
    settings_shed,
    settings_strategy,
    settings_tariff,
    settings_report,
    settings_charging,
    settings_scenario,
    settings_contact,
    settings_roster,
)


def settings() -> str:
    """Return every table of every file, key by key."""
    parts = [
        "# Settings: the files of a site's folder",
        (
            "TOML, UTF-8. An unknown key is an error. Every name and sentence is in both languages: "
            '`{ zh = "…", en = "…" }`. `shifu check` reads everything and names file, line, key, what was got and what '
            "was wanted; `shifu check --schema FOLDER` writes JSON Schemas for editors. The site's own profiles are in "
            "`profiles/`; their format is on [another page](profile-format.md)."
        ),
        (
            'Rows of equipment, devices, plans, documents, calendars, schedules, causes of fire and vehicles may repeat themselves: `for = { n = "1..40" }` (ranges or lists; several keys '
            "give every combination) and `{n}`, `{n:02}` or whole-number arithmetic such as `{(n-1)%19+1}` in every text; "
            "a text that is one template alone and gives a number is that number. `each` lays differences of single "
            "repetitions over the row, by the value of the first variable."
        ),
    ]
    for name, tables in _FILES:
        parts.append(f"## {name}")
        for head, model in tables:
            cls = (
                model if isinstance(model, type) else next(getattr(one, model) for one in _ROWS if hasattr(one, model))
            )
            parts += [f"### `{head}`", _model(cls)]
    secrets = ", ".join(f"`{key}_env`, `{key}_file`" for key in KEYS)
    parts += [
        "## Secrets",
        (
            f"`secrets` of a device names where a secret is, never what it is: {secrets}. `…_env` is an environment "
            "variable, `…_file` a file (its first line; for certificates and keys the path itself), below the site's "
            "folder unless absolute. In CSV the columns are `secret.user_env` and so on, and `option.dev_eui` for options."
        ),
    ]
    return "\n\n".join(parts)


def _model(cls: Any) -> str:
    schema = cls.model_json_schema(by_alias=True)
    texts = fields(cls)
    rows = []
    for name, field in cls.model_fields.items():
        shown = field.alias or name
        found = schema["properties"][shown]
        default = "required" if field.is_required() else _default(field.default)
        rows.append((f"`{shown}`", _type(found, schema.get("$defs", {})), default, texts.get(name, "")))
    return table(("key", "value", "default", "meaning"), rows)


def _default(value: object) -> str:
    if value is None or value in ("", [], {}):
        return ""
    if hasattr(type(value), "model_fields"):
        return "as below"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(schema: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        inner = known[name]
        return "table " + ", ".join(f"`{key}`" for key in inner.get("properties", {}))
    if "anyOf" in schema:
        seen = [_type(item, known) for item in schema["anyOf"] if item.get("type") != "null"]
        if "a number" in seen:
            seen = [item for item in seen if item != "a whole number"]
        return " or ".join(dict.fromkeys(seen))
    if "enum" in schema:
        return " ".join(f"`{item}`" for item in schema["enum"])
    kind = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": "list",
        "object": "table",
    }[schema.get("type", "object")]
    if schema.get("type") == "array" and "items" in schema:
        inner = _type(schema["items"], known)
        kind = f"list of {inner}" if inner != "text" else "list of texts"
    if "pattern" in schema:
        return f"{kind} like `{schema['pattern']}`"
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum")
    if low is not None and high is not None:
        return f"{kind}, {low:g} to {high:g}"
    return f"{kind}, from {low:g}" if low is not None else kind
