"""Writes `docs/reference/` from the code: command line, settings, profiles, rules, HTTP API, metrics, permissions.

    .venv/bin/python docs/generate.py            # write
    .venv/bin/python docs/generate.py --check    # say which page is out of date, and end with 1

Nothing here knows a fact of its own: a page that is wrong is mended in the code that it describes. API and metrics are
asked of a controller that really runs, on a free loopback port, over a small site in a temporary folder.
"""
# ruff: noqa: INP001, T201, E501 - a script of the documentation, not a package, and full of sentences

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.request import urlopen

import typer.main
from fastapi.routing import APIRoute, iter_route_contexts

from controller.api.access import SignedIn
from controller.api.health import Scraper
from controller.app import Controller, Options
from controller.cli import app as command_line
from controller.command.priority import MINIMUM_TIME, NEVER_WRITTEN, OPERATOR, RESTORED
from controller.identity import permission
from controller.identity.permission import ROLES, Action
from controller.rule import parse
from controller.rule.window import AGGREGATES
from controller.settings import charging as settings_charging
from controller.settings import contact as settings_contact
from controller.settings import file as settings_file
from controller.settings import fire as settings_fire
from controller.settings import report as settings_report
from controller.settings import roster as settings_roster
from controller.settings import scenario as settings_scenario
from controller.settings import schedule_row
from controller.settings import strategy as settings_strategy
from controller.settings import tariff as settings_tariff
from controller.settings.library import Library
from controller.settings.problem import Problem
from controller.settings.secret import KEYS
from drivers.equipment import EQUIPMENT
from drivers.modbus import plan
from drivers.mqtt import driver as mqtt_driver
from drivers.mqtt import lorawan, payload
from drivers.mqtt import route as mqtt_route
from drivers.opcua import driver as opcua_driver
from drivers.opcua import node
from drivers.profile import Keepalive, Profile, ProfilePoint, Write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fastapi import FastAPI

FOLDER = Path(__file__).resolve().parent / "reference"
_MARK = "<!-- Written by docs/generate.py from the code. Do not edit. -->\n"


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them; returns the exit code."""
    wanted = pages()
    stale = [name for name, text in wanted.items() if not _same(FOLDER / name, text)]
    stale += [path.name for path in sorted(FOLDER.glob("*.md")) if path.name not in wanted]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/reference/{name} is out of date; run docs/generate.py", file=sys.stderr)
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name], "utf-8")
        else:
            (FOLDER / name).unlink()
        print(f"docs/reference/{name}")
    return 0


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    api, metrics, rights = asyncio.run(_asked())
    made = {
        "command-line.md": _command_line(),
        "settings.md": _settings(),
        "profile-format.md": _profile_format(),
        "profiles.md": _profiles(),
        "rules.md": _rules(),
        "http-api.md": api,
        "metrics.md": metrics,
        "permissions.md": rights,
    }
    return {name: _MARK + "\n" + text.strip() + "\n" for name, text in made.items()}


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


# -- pieces of Markdown ------------------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(item) for item in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(item: object) -> str:
    return str(item).replace("\n", " ").replace("|", "\\|").strip()


def _first(text: str | None) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())


def _fields(cls: type) -> dict[str, str]:
    """Return the docstrings behind the fields of a class, by name."""
    body = cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]).body
    found = {}
    for item, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            text = ""
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                text = " ".join(str(following.value.value).split())
            found[item.target.id] = text
    return found


# -- command line ------------------------------------------------------------------------------------------------------


def _command_line() -> str:
    group: Any = typer.main.get_command(command_line)
    parts = ["# Command line", _first(group.help), _exit_codes()]
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        parts += [_command(f"shifu {name}", command)] if inner is None else []
        for inner_name, inner_command in (inner or {}).items():
            parts.append(_command(f"shifu {name} {inner_name}", inner_command))
    return "\n\n".join(parts)


def _exit_codes() -> str:
    module = sys.modules[command_line.registered_commands[0].callback.__module__]
    text = " ".join((module.__doc__ or "").split())
    return text[text.index("Exit codes:") :]


def _command(name: str, command: Any) -> str:
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [item for item in command.params if item.param_type_name == "option" and item.name != "help"]
    usage = " ".join([name, "[OPTIONS]" if options else "", *map(_metavar, arguments)])
    parts = [f"## `{name}`", _first(command.help), f"```text\n{' '.join(usage.split())}\n```"]
    rows = [(f"`{_metavar(item)}`", item.help or "", "") for item in arguments]
    for item in options:
        shown = ", ".join(f"`{word}`" for word in (*item.opts, *item.secondary_opts))
        default = item.default
        empty = default is None or default in ("", False) or callable(default) or item.required
        note = "required" if item.required else "" if empty else f"`{default}`"
        rows.append((shown, item.help or "", note))
    if rows:
        parts.append(_table(("option", "what it does", "default"), rows))
    return "\n\n".join(parts)


def _metavar(argument: Any) -> str:
    name = str(argument.metavar or argument.name.upper())
    return name if argument.required else f"[{name}]"


# -- settings ----------------------------------------------------------------------------------------------------------

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
    settings_strategy,
    settings_tariff,
    settings_report,
    settings_charging,
    settings_scenario,
    settings_contact,
    settings_roster,
)


def _settings() -> str:
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
    texts = _fields(cls)
    rows = []
    for name, field in cls.model_fields.items():
        shown = field.alias or name
        found = schema["properties"][shown]
        default = "required" if field.is_required() else _default(field.default)
        rows.append((f"`{shown}`", _type(found, schema.get("$defs", {})), default, texts.get(name, "")))
    return _table(("key", "value", "default", "meaning"), rows)


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


# -- profiles ----------------------------------------------------------------------------------------------------------


def _profile_format() -> str:
    parts = [
        "# The format of a profile",
        (
            "A profile is the map of one device model: `config/profiles/<equipment>/<id>.toml`, or `profiles/<id>.toml` in "
            "a site's folder, which takes precedence. It has a table `[profile]` with the model, and one `[[point]]` a "
            "point. How to write one: [write a profile](../how-to/write-a-profile.md)."
        ),
    ]
    for head, cls in (
        ("[profile]", Profile),
        ("[profile.keepalive]", Keepalive),
        ("[[point]]", ProfilePoint),
        ("write = { … } of a point", Write),
    ):
        parts += [f"## `{head}`", _first(cls.__doc__), _shape(cls)]
    parts += ["## The wire: Modbus", _body(plan), "## The wire: OPC UA", _body(node), _body(opcua_driver)]
    parts += ["## The wire: MQTT", _body(mqtt_route), _body(payload), _body(lorawan), _body(mqtt_driver)]
    parts.append("## Classes of equipment")
    parts.append(
        "`equipment` of a profile is one of these. A point with one of these tags has this kind and unit; `*` may be "
        "commanded, **bold** must be there. A profile may have more points."
    )
    for piece in EQUIPMENT.values():
        rows = [
            (f"**`{tag}`**" if tag in piece.required else f"`{tag}`", spec.kind, spec.unit, "*" if spec.command else "")
            for tag, spec in piece.points.items()
        ]
        one = f"At least one of {', '.join(f'`{tag}`' for tag in piece.one_of)}." if piece.one_of else ""
        parts += [f"### `{piece.name}` {piece.zh} {piece.en}", *([one] if one else [])]
        parts.append(_table(("tag", "kind", "unit", "command"), rows))
    return "\n\n".join(parts)


def _shape(cls: Any) -> str:
    texts = _fields(cls)
    rows = []
    for name, field in cls.__dataclass_fields__.items():
        default = field.default
        kept = default is not None and not repr(default).startswith(("<dataclasses", "<factory")) and default != ()
        has = f"`{default}`" if kept and "MISSING" not in repr(default) and default != "" else ""
        rows.append((f"`{name}`", field.type, has, texts[name]))
    return _table(("key", "type", "default", "meaning"), rows)


def _body(module: Any) -> str:
    """Return a module's docstring as Markdown; rows of a table that go over two lines become one."""
    lines: list[str] = []
    for line in inspect.cleandoc(module.__doc__ or "").splitlines():
        if lines and lines[-1].startswith("|") and not lines[-1].endswith("|"):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return "\n".join(lines)


def _profiles() -> str:
    library = Library()
    found = [library.get(name) for name in library.names()]
    profiles = [profile for profile in found if not isinstance(profile, Problem)]
    rows = [
        (
            f"[`{profile.id}`](#{profile.id})",
            f"{profile.vendor} {profile.model}",
            profile.equipment,
            profile.protocol,
            len(profile.points),
            sum(point.write is not None for point in profile.points),
        )
        for profile in profiles
    ]
    parts = [
        "# Profiles that come along",
        "`shifu read --profiles` lists them, `shifu read ADDRESS --profile ID` reads a real device with one.",
        _table(("profile", "model", "equipment", "protocol", "points", "commands"), rows),
    ]
    for profile in profiles:
        parts += [
            f"## {profile.id}",
            (
                f"{profile.vendor} {profile.model}, {profile.protocol}, every {profile.period_s:g} s. "
                f"Source: {profile.source}."
            ),
        ]
        if profile.keepalive:
            parts.append(f"Heartbeat: `{profile.keepalive.tag}` every {profile.keepalive.every_s:g} s.")
        points = [
            (
                f"`{point.tag}`",
                point.zh,
                point.en,
                point.kind,
                point.unit,
                "" if point.write is None else f"{point.write.low:g} … {point.write.high:g}, fail {point.write.fail}",
            )
            for point in profile.points
        ]
        parts.append(_table(("tag", "中文", "English", "kind", "unit", "command"), points))
    return "\n\n".join(parts)


# -- rules -------------------------------------------------------------------------------------------------------------


def _rules() -> str:
    windows = ", ".join(f"`{name}_15min`" for name in AGGREGATES)
    functions = [
        (f"`{name}`", str(least) if least == most else f"{least} to {most}")
        for name, (least, most) in parse.FUNCTIONS.items()
    ]
    return "\n\n".join(
        [
            "# The language of rules",
            (
                "A rule makes a virtual point on every piece of equipment of its class. Keys of `[[rule]]`: "
                "[settings](settings.md#rulestoml)."
            ),
            _body(parse),
            "## Functions",
            _table(("function", "arguments"), functions),
            (
                f"Durations: {', '.join(f'`{name}(…)`' for name in parse.DURATIONS)}. "
                f"Names that every rule has: {', '.join(f'`{name}`' for name in parse.CALENDAR)}."
            ),
            "## Windows of an input",
            (
                f'`window = "…"` gives an aggregate of the last seconds, minutes or hours instead of the present value: '
                f"{windows} and so on, with `s`, `min` or `h`, at most 24 h."
            ),
        ]
    )


# -- a running controller ----------------------------------------------------------------------------------------------


_SERVER = """
[history.influx]
url = "http://127.0.0.1:1"
org = "none"
bucket = "none"
token_file = "influx.token"
"""
"""With a history server, that nobody reaches, so that its metrics are there."""


async def _asked() -> tuple[str, str, str]:
    """Return the pages that only a running controller can give: API, metrics, permissions."""
    logging.disable(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            init = [sys.executable, "-m", "controller", "init", str(folder / "site"), "--profile", "eastron-sdm630"]
            subprocess.run([*init, "--endpoint", "tcp://127.0.0.1:1"], check=True, capture_output=True)  # noqa: ASYNC221
            (folder / "site" / "influx.token").write_text("none", "utf-8")
            (folder / "site" / "server.toml").write_text(_SERVER, "utf-8")
            controller = Controller(Options(folder / "site", folder / "data", port=0))
            await controller.start()
            try:
                app = cast("FastAPI", controller.server.config.app)
                async with asyncio.timeout(20):
                    while not controller.server.started:  # noqa: ASYNC110 - uvicorn tells it no other way
                        await asyncio.sleep(0.01)
                await asyncio.to_thread(_visit, f"{controller.server.url}/healthz")
                return _api(app), _metrics(app), _permissions(app)
            finally:
                await controller.close()
    finally:
        logging.disable(logging.NOTSET)


def _visit(url: str) -> None:
    """Make one request, so that the counters of requests exist."""
    with urlopen(url, timeout=20) as answer:  # noqa: S310 - our own server on loopback
        answer.read()


def _guards(route: APIRoute) -> list[Any]:
    def calls(dependant: Any) -> list[Any]:
        return [dependant.call, *(call for inner in dependant.dependencies for call in calls(inner))]

    return calls(route.dependant)


def _right(route: APIRoute) -> str:
    for call in _guards(route):
        if isinstance(call, SignedIn):
            wanted = getattr(call, "actions", (call.action,) if call.action else ())
            return " or ".join(action.value for action in wanted) or "signed in"
        if isinstance(call, Scraper):
            return "this machine, or the metrics token"
    return "anybody"


def _routes(app: FastAPI) -> list[tuple[str, str, APIRoute]]:
    found = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and str(context.path) != "/{path:path}":
            found += [(method, str(context.path), route) for method in sorted(route.methods or ())]
    return sorted(found, key=lambda item: (item[1], item[0]))


def _api(app: FastAPI) -> str:
    description = app.openapi()
    schemas = description["components"]["schemas"]
    rights = {(method, path): _right(route) for method, path, route in _routes(app)}
    parts = [
        "# HTTP API",
        (
            "JSON over HTTP below `/api/v1`. Programs send `Authorization: Bearer <token>` (made with `POST /tokens`); "
            "browsers have a session cookie, and send `X-CSRF-Token` and a same-origin `Origin` with every change. "
            "Errors are `application/problem+json` with `detail` and `what_to_do`. Lists come in pages: `items` and "
            "`next` for the parameter `cursor`. The same as OpenAPI: `GET /api/v1/openapi.json`. Live values, alarms, commands "
            "and devices come over the WebSocket `/api/v1/stream`, described in "
            "[architecture](../architecture.md#the-stream)."
        ),
    ]
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            right = rights.get((method.upper(), path), "")
            parts.append(f"## `{method.upper()} {path}`")
            parts.append(f"{_first(operation.get('description'))} Needs: {right}.")
            rows = [
                (
                    f"`{item['name']}`",
                    item["in"],
                    "yes" if item.get("required") else "",
                    _schema(item["schema"], schemas),
                )
                for item in operation.get("parameters", [])
            ]
            if rows:
                parts.append(_table(("parameter", "in", "required", "value"), rows))
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body:
                name = body["$ref"].rpartition("/")[2]
                needed = schemas[name].get("required", [])
                fields = [
                    (f"`{key}`", "yes" if key in needed else "", _schema(value, schemas))
                    for key, value in schemas[name]["properties"].items()
                ]
                parts.append(_table(("body", "required", "value"), fields))
    return "\n\n".join(parts)


def _schema(schema: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        inner = known[schema["$ref"].rpartition("/")[2]]
        if "enum" in inner:
            return ", ".join(f"`{item}`" for item in inner["enum"])
        return ", ".join(f"`{key}`" for key in inner.get("properties", {}))
    if "anyOf" in schema:
        return " or ".join(_schema(item, known) for item in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{item}`" for item in schema["enum"])
    text = str(schema.get("type", "any"))
    if text == "array":
        text = f"list of {_schema(schema.get('items', {}), known)}"
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    if low is not None and high is not None:
        text += f", {low:g} to {high:g}"
    if schema.get("default") is not None:
        text += f", default `{schema['default']}`"
    return text


def _metrics(app: FastAPI) -> str:
    rows = []
    for family in app.state.registry.collect():
        labels = sorted({label for sample in family.samples for label in sample.labels if label != "le"})
        name = f"{family.name}_total" if family.type == "counter" else family.name
        rows.append((f"`{name}`", family.type, ", ".join(labels), family.documentation))
    return "\n\n".join(
        [
            "# Metrics",
            (
                "`GET /metrics` in Prometheus' text format, for programs on the same machine. Those of `influx` are there when "
                "a server is configured. `/healthz` says that the loop turns; `/readyz` answers 503 while something that is needed is missing."
            ),
            _table(("metric", "type", "labels", "meaning"), sorted(rows)),
        ]
    )


_SLOTS = {
    1: "of the fire panel",
    2: "of the fireman",
    3: "electrical protection",
    4: "freeze and flood",
    5: "equipment protection",
    MINIMUM_TIME: "minimum on and off time",
    7: "emergency of the site",
    OPERATOR: "operator",
    9: "demand limit",
    10: "drill",
    12: "strategies",
    14: "trims",
    15: "schedule",
    16: "default",
}


def _reasons(module: Any) -> str:
    """Return what a module's docstring says after its first two paragraphs."""
    return "\n\n".join(_body(module).split("\n\n")[2:])


def _permissions(app: FastAPI) -> str:
    head = ("role", *(action.value for action in Action))
    rows = [(f"`{role.value}`", *("yes" if action in ROLES[role] else "" for action in Action)) for role in ROLES]
    routes = [(f"`{method} {path}`", _right(route)) for method, path, route in _routes(app)]
    slots = []
    for number in range(1, 17):
        note = "never written by Shifu" if number in NEVER_WRITTEN else ""
        note = "written by the arbiter alone" if number == MINIMUM_TIME else note
        slots.append((number, _SLOTS.get(number, "free"), note, "yes" if number in RESTORED else ""))
    return "\n\n".join(
        [
            "# Permissions",
            (
                "A permission is a pair of an action and an area of the site (`*` is everywhere). A role is a preset of "
                "actions; a user has a role and, if wanted, areas. Whoever may not see an area gets the same answer as for "
                "something that does not exist."
            ),
            _reasons(permission),
            "## Roles",
            _table(head, rows),
            "## Slots of the priority array",
            "The lowest filled slot wins.",
            _table(("slot", "for", "note", "lives through a restart"), slots),
            "## Routes",
            _table(("route", "needs"), routes),
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
