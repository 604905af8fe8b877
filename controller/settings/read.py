"""Reads a site's folder into checked rows: files, templates, models; every mistake with its place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from controller.settings.contact import NotifyFile
from controller.settings.file import (
    FORMS,
    AlarmFile,
    AlarmRow,
    BookingRow,
    DeviceRow,
    DocumentRow,
    EnergyFile,
    EquipmentRow,
    InspectionRow,
    PlanRow,
    RuleFile,
    RuleRow,
    ServerFile,
    SiteFile,
    VehicleRow,
    VenueRow,
    WorksRow,
)
from controller.settings.fire import CauseRow, EffectRow, FireHeadRow, HoldRow
from controller.settings.problem import MOST, Problem, SettingsError, nearest, shown
from controller.settings.report import ReportFile
from controller.settings.scenario import AssemblyRow, DrillFile, ScenarioRow
from controller.settings.schedule_row import DayRow, ScheduleRow, SpecialPeriodRow
from controller.settings.source import MAX_ROWS, Source, read_csv, read_text, read_toml
from controller.settings.strategy import StrategyFile
from controller.settings.tariff import TARIFF_FORMS, TariffFile
from controller.settings.template import TemplateError, expand, fill

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Placed", "Rows", "check_row", "read_site"]

_Model = TypeVar("_Model", bound=BaseModel)
_Row = TypeVar("_Row")
_MAX_FILES = 500
_MOST_ROWS = f"at most {MAX_ROWS} in all files together"
_FILES = (
    "site.toml",
    "server.toml",
    "equipment.toml",
    "equipment.csv",
    "devices.toml",
    "devices.csv",
    "alarms.toml",
    "rules.toml",
    "plans.toml",
    "documents.toml",
    "calendar.toml",
    "schedule.toml",
    "energy.toml",
    "drill.toml",
    "notify.toml",
    "tariff.toml",
    "report.toml",
    "fire.toml",
    "strategy.toml",
    "vehicles.toml",
    "vehicles.csv",
)
_FOLDERS = (
    "equipment",
    "devices",
    "alarms",
    "rules",
    "plans",
    "documents",
    "calendar",
    "schedule",
    "vehicles",
    "drill",
    "profiles",
    "schema",
)
_FIRE = ("hold", "effect", "cause", "fire")
_CALENDAR = ("venue", "booking", "works", "inspection")
_SCHEDULE = ("schedule", "exception", "day")
_DAY = "a day such as 2026-12-05"
_TIME = "a time with its zone, such as 2026-12-05T09:00:00+08:00"
_KINDS = {
    "date_type": _DAY,
    "date_parsing": _DAY,
    "date_from_datetime_inexact": _DAY,
    "date_from_datetime_parsing": _DAY,
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "timezone_aware": _TIME,
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text in quotes",
    "list_type": "a list [ … ]",
    "tuple_type": "a list [ … ]",
    "dict_type": "a table { … }",
    "model_type": "a table { … }",
    "model_attributes_type": "a table { … }",
}
_BOUNDS = {
    "ge": "at least {}",
    "le": "at most {}",
    "gt": "more than {}",
    "lt": "less than {}",
    "min_length": "at least {} of them (a text: characters)",
    "max_length": "at most {} of them (a text: characters)",
}


@dataclass(frozen=True, slots=True)
class Placed(Generic[_Row]):
    """A checked row and where it stands."""

    row: _Row
    source: Source
    path: tuple[str | int, ...]

    @property
    def file(self) -> str:
        """Name of its file, below the site's folder."""
        return self.source.name

    @property
    def line(self) -> int:
        """Line on which the row begins."""
        return self.source.line(self.path)

    def line_of(self, *keys: str) -> int:
        """Return the line of one of its keys, or that of the row where the key cannot be found."""
        return self.source.line((*self.path, *keys))


@dataclass(slots=True)
class Rows:
    """Everything that a site's folder says, row by row."""

    site: SiteFile
    server: ServerFile
    places: Source
    """site.toml, for its lines."""
    server_places: Source
    equipment: list[Placed[EquipmentRow]] = field(default_factory=list)
    devices: list[Placed[DeviceRow]] = field(default_factory=list)
    alarms: list[Placed[AlarmRow]] = field(default_factory=list)
    rules: list[Placed[RuleRow]] = field(default_factory=list)
    plans: list[Placed[PlanRow]] = field(default_factory=list)
    documents: list[Placed[DocumentRow]] = field(default_factory=list)
    venues: list[Placed[VenueRow]] = field(default_factory=list)
    bookings: list[Placed[BookingRow]] = field(default_factory=list)
    works: list[Placed[WorksRow]] = field(default_factory=list)
    inspections: list[Placed[InspectionRow]] = field(default_factory=list)
    feeds: list[Source] = field(default_factory=list)
    """iCalendar files: `data["text"]` is their text."""
    schedules: list[Placed[ScheduleRow]] = field(default_factory=list)
    exceptions: list[Placed[SpecialPeriodRow]] = field(default_factory=list)
    days: list[Placed[DayRow]] = field(default_factory=list)
    energy: EnergyFile = field(default_factory=EnergyFile)
    energy_places: Source = field(default_factory=lambda: Source("energy.toml", {}))
    tariff: TariffFile = field(default_factory=TariffFile)
    tariff_places: Source = field(default_factory=lambda: Source("tariff.toml", {}))
    report: ReportFile = field(default_factory=ReportFile)
    vehicles: list[Placed[VehicleRow]] = field(default_factory=list)
    assembly: list[Placed[AssemblyRow]] = field(default_factory=list)
    scenarios: list[Placed[ScenarioRow]] = field(default_factory=list)
    notify: NotifyFile = field(default_factory=NotifyFile)
    notify_places: Source = field(default_factory=lambda: Source("notify.toml", {}))
    fire: FireHeadRow | None = None
    fire_places: Source = field(default_factory=lambda: Source("fire.toml", {}))
    fire_holds: list[Placed[HoldRow]] = field(default_factory=list)
    fire_effects: list[Placed[EffectRow]] = field(default_factory=list)
    fire_causes: list[Placed[CauseRow]] = field(default_factory=list)
    strategy: StrategyFile = field(default_factory=StrategyFile)
    strategy_places: Source = field(default_factory=lambda: Source("strategy.toml", {}))


def read_site(folder: Path) -> Rows:
    """Read all files of a site's folder.

    Raises:
        SettingsError: with every mistake that was found.
    """
    if not folder.is_dir():
        raise SettingsError(
            [Problem(str(folder), 0, "", "no folder", "a site's folder", "`shifu init --profile …` writes a new one.")]
        )
    problems: list[Problem] = _strangers(folder)
    site, places = _whole(folder, "site.toml", SiteFile, problems, required=True)
    server, server_places = _whole(folder, "server.toml", ServerFile, problems)
    rows = Rows(site=site or _nobody(), server=server or ServerFile(), places=places, server_places=server_places)
    for source in _sources(folder, "equipment", "equipment", problems):
        rows.equipment += _expanded(source, "equipment", EquipmentRow, problems, len(rows.equipment))
    for source in _sources(folder, "devices", "device", problems):
        rows.devices += _expanded(source, "device", DeviceRow, problems, len(rows.devices))
    for source in _sources(folder, "alarms", "alarm", problems, csv=False):
        alarms = _checked(AlarmFile, source.data, source, (), problems)
        for place, row in enumerate(alarms.alarm if alarms else []):
            rows.alarms.append(Placed(row, source, ("alarm", place)))
    for source in _sources(folder, "rules", "rule", problems, csv=False):
        rules = _checked(RuleFile, source.data, source, (), problems)
        for place, rule in enumerate(rules.rule if rules else []):
            rows.rules.append(Placed(rule, source, ("rule", place)))
    for source in _sources(folder, "plans", "plan", problems, csv=False):
        rows.plans += _expanded(source, "plan", PlanRow, problems, len(rows.plans))
    for source in _sources(folder, "documents", "document", problems, csv=False):
        rows.documents += _expanded(source, "document", DocumentRow, problems, len(rows.documents))
    _read_calendar(folder, rows, problems)
    for source in _sources(folder, "schedule", "schedule", problems, csv=False):
        rows.schedules += _expanded(source, "schedule", ScheduleRow, problems, len(rows.schedules), _SCHEDULE)
        rows.exceptions += _expanded(source, "exception", SpecialPeriodRow, problems, len(rows.exceptions), _SCHEDULE)
        rows.days += _expanded(source, "day", DayRow, problems, len(rows.days), _SCHEDULE)
    energy, rows.energy_places = _whole(folder, "energy.toml", EnergyFile, problems)
    rows.energy = energy or EnergyFile()
    notify, rows.notify_places = _whole(folder, "notify.toml", NotifyFile, problems)
    rows.notify = notify or NotifyFile()
    tariff, rows.tariff_places = _whole(folder, "tariff.toml", TariffFile, problems)
    rows.tariff = tariff or TariffFile()
    report, _ = _whole(folder, "report.toml", ReportFile, problems)
    rows.report = report or ReportFile()
    for source in _sources(folder, "vehicles", "vehicle", problems):
        rows.vehicles += _expanded(source, "vehicle", VehicleRow, problems, len(rows.vehicles))
    for source in _sources(folder, "drill", "scenario", problems, csv=False):
        drill = _checked(DrillFile, source.data, source, (), problems)
        for place, point in enumerate(drill.assembly if drill else []):
            rows.assembly.append(Placed(point, source, ("assembly", place)))
        for place, scenario in enumerate(drill.scenario if drill else []):
            rows.scenarios.append(Placed(scenario, source, ("scenario", place)))
    _read_fire(folder, rows, problems)
    strategy, rows.strategy_places = _whole(folder, "strategy.toml", StrategyFile, problems)
    rows.strategy = strategy or StrategyFile()
    if problems:
        raise SettingsError(problems)
    return rows


def check_row(
    model: type[_Model], data: Mapping[str, Any], source: Source, path: Sequence[str | int]
) -> tuple[_Model | None, list[Problem]]:
    """Check one row that is in no file by the same model as those of files; return it, or what is wrong with it."""
    problems: list[Problem] = []
    return _checked(model, data, source, path, problems), problems


def _read_calendar(folder: Path, rows: Rows, problems: list[Problem]) -> None:
    for source in _sources(folder, "calendar", "booking", problems, csv=False):
        rows.venues += _expanded(source, "venue", VenueRow, problems, len(rows.venues), _CALENDAR)
        rows.bookings += _expanded(source, "booking", BookingRow, problems, len(rows.bookings), _CALENDAR)
        rows.works += _expanded(source, "works", WorksRow, problems, len(rows.works), _CALENDAR)
        rows.inspections += _expanded(source, "inspection", InspectionRow, problems, len(rows.inspections), _CALENDAR)
    for path in sorted((folder / "calendar").glob("*.ics"))[:_MAX_FILES]:
        name = str(path.relative_to(folder))
        try:
            rows.feeds.append(Source(name, {"text": read_text(path, name)}))
        except SettingsError as error:
            problems.extend(error.problems)


def _read_fire(folder: Path, rows: Rows, problems: list[Problem]) -> None:
    source = _source(folder, "fire.toml", problems)
    if source is None:
        return
    rows.fire_places = source
    if "fire" in source.data:
        rows.fire = _checked(FireHeadRow, source.data["fire"], source, ("fire",), problems)
    rows.fire_holds += _expanded(source, "hold", HoldRow, problems, 0, _FIRE)
    rows.fire_effects += _expanded(source, "effect", EffectRow, problems, 0, _FIRE)
    rows.fire_causes += _expanded(source, "cause", CauseRow, problems, 0, _FIRE)


def _strangers(folder: Path) -> list[Problem]:
    """Find files that look like settings and are none: a misspelt name would be left out without a word."""
    problems = []
    for path in sorted(folder.iterdir()):
        name = path.name
        if name.endswith(".secret.toml") or name.startswith("."):
            continue
        if path.suffix in (".toml", ".csv") and name not in _FILES:
            todo = nearest(name, _FILES) or "Rename it to .bak to keep it."
            problems.append(Problem(name, 0, "", "an unknown file", f"one of {', '.join(_FILES)}", todo))
        elif path.is_dir() and name not in _FOLDERS and nearest(name, _FOLDERS):
            wanted = f"one of {', '.join(_FOLDERS)}"
            problems.append(Problem(f"{name}/", 0, "", "an unknown folder", wanted, nearest(name, _FOLDERS)))
        elif path.is_dir() and name in _FOLDERS:
            try:
                any(path.iterdir())  # glob passes over what it may not read without a word
            except OSError as error:
                problems.append(Problem(f"{name}/", 0, "", error.strerror or "", "a folder that can be read"))
    return problems[:MOST]


def _nobody() -> SiteFile:
    """Stand in for a site.toml that could not be read, so that the other files are checked all the same."""
    name = {"zh": "?", "en": "?"}
    return SiteFile.model_validate(
        {"site": {"id": "unknown", "name": name}, "building": [{"id": "unknown", "name": name, "floors": ["1F"]}]}
    )


def _sources(folder: Path, stem: str, key: str, problems: list[Problem], *, csv: bool = True) -> list[Source]:
    """Read `stem.toml`, `stem.csv` and everything in the folder `stem`, in the order of their names."""
    suffixes = (".toml", ".csv") if csv else (".toml",)
    found = [path for suffix in suffixes if (path := folder / f"{stem}{suffix}").exists()]
    found += sorted(path for path in (folder / stem).glob("*") if path.suffix in suffixes)
    sources = []
    if len(found) > _MAX_FILES:
        problems.append(Problem(f"{stem}/", 0, "", f"{len(found)} files", f"at most {_MAX_FILES}"))
        return []
    for path in found:
        name = str(path.relative_to(folder))
        if len(problems) >= MOST:
            break
        try:
            sources.append(read_csv(path, name, key) if path.suffix == ".csv" else read_toml(path, name))
        except SettingsError as error:
            problems.extend(error.problems)
    return sources


def _source(folder: Path, name: str, problems: list[Problem]) -> Source | None:
    path = folder / name
    if not path.exists():
        return None
    try:
        return read_toml(path, name)
    except SettingsError as error:
        problems.extend(error.problems)
        return None


def _whole(
    folder: Path, name: str, model: type[_Model], problems: list[Problem], *, required: bool = False
) -> tuple[_Model | None, Source]:
    empty = Source(name, {})
    if required and not (folder / name).exists():
        problems.append(Problem(name, 0, "", "no such file", "a file that names the site, its buildings and areas"))
        return None, empty
    source = _source(folder, name, problems)
    return (_checked(model, source.data, source, (), problems), source) if source else (None, empty)


def _expanded(
    source: Source,
    key: str,
    model: type[_Model],
    problems: list[Problem],
    before: int,
    keys: Sequence[str] = (),
) -> list[Placed[_Model]]:
    """Fill in the templates of all rows of a file and check them; `before` rows of this kind were there already.

    `keys` are all tables of the file, where it has more than one; what is none of them is said once, with the first.
    """
    keys = keys or (key,)
    for name in source.data if key == keys[0] else ():
        if name not in keys:
            line = source.line((name,))
            tables = ", ".join(f"[[{one}]]" for one in keys)
            todo = nearest(name, keys) or f"The tables of this file are {tables}."
            problems.append(Problem(source.name, line, name, "an unknown key", tables, todo))
    if not _columns(source, key, model, problems):
        return []
    rows = source.data.get(key, [])
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        todo = f"Write [[{key}]], with two brackets." if isinstance(rows, dict) else ""
        problems.append(Problem(source.name, source.line((key,)), key, shown(rows), f"tables [[{key}]]", todo))
        return []
    placed: list[Placed[_Model]] = []
    for place, row in enumerate(rows):
        if len(problems) >= MOST:
            break
        try:
            for filled in _repeated(row):
                if before + len(placed) >= MAX_ROWS:
                    problems.append(Problem(source.name, source.line((key, place)), key, "more rows", _MOST_ROWS))
                    return placed
                checked = _checked(model, filled, source, (key, place), problems)
                if checked is None:
                    break  # the other repetitions would say the same
                placed.append(Placed(checked, source, (key, place)))
        except TemplateError as error:
            path = (key, place, error.key or "for")
            problems.append(Problem(source.name, source.line(path), f"{key}.{path[-1]}", str(error), error.wanted))
    return placed


def _columns(source: Source, key: str, model: type[_Model], problems: list[Problem]) -> bool:
    """Check the header of a CSV file once, not in each of its rows."""
    known = [info.alias or name for name, info in model.model_fields.items()]
    for column in source.columns:
        if column not in known:
            wanted = f"one of {', '.join(known)}, option.…, secret.…, parameter.…, name.zh, name.en"
            todo = nearest(column, known)
            problems.append(Problem(source.name, 1, column[:80], "an unknown column", wanted, todo))
            return False
    if source.columns:
        needed = {info.alias or name for name, info in model.model_fields.items() if info.is_required()}
        for column in sorted(needed - set(source.columns)):
            problems.append(Problem(source.name, 1, column, "no such column", f"a column {column} in each {key}"))
            return False
    return True


def _repeated(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the row once for each repetition of its `for`, filled in, with the differences of `each` laid over it.

    Raises:
        TemplateError: with the key that is wrong.
    """
    body = {name: value for name, value in row.items() if name not in ("for", "each")}
    each = row.get("each", {})
    if not (isinstance(each, dict) and all(isinstance(value, dict) for value in each.values())):
        wanted = '{ "4" = { floor = "2F" } }: values of the first variable of `for`, each with a table'
        raise TemplateError(shown(each), key="each", wanted=wanted)
    used = set()
    for variables in expand(row.get("for", {})):
        filled = _filled(body, variables)
        if variables and each:
            first = str(next(iter(variables.values())))
            if first in each:
                used.add(first)
                filled = _merged(filled, _filled(each[first], variables))
        yield filled
    if left := sorted(set(each) - used):
        raise TemplateError(shown(left[0]), key="each", wanted="a value that the first variable of `for` takes")


def _filled(body: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    filled = {}
    for key, value in body.items():
        try:
            filled[key] = fill(value, variables)
        except TemplateError as error:
            raise TemplateError(str(error), key=key) from error
    return filled


def _merged(row: Mapping[str, Any], each: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the single differences of `each` over a row, tables key by key."""
    result = dict(row)
    for key, value in each.items():
        old = result.get(key)
        result[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _checked(
    model: type[_Model], data: Mapping[str, Any], source: Source, base: Sequence[str | int], problems: list[Problem]
) -> _Model | None:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found: dict[tuple[int, str], Problem] = {}
        for item in error.errors(include_url=False):
            problem = _problem(item, model, data, source, base)
            place = (problem.line, problem.key)
            if place in found and problem.wanted not in found[place].wanted:
                # A value that may be of several kinds: one mistake, not one a kind.
                problem = replace(found[place], wanted=f"{found[place].wanted} or {problem.wanted}")
            found.setdefault(place, problem)
            found[place] = problem
            if len(found) >= MOST:
                break
        problems.extend(found.values())
        return None


def _problem(
    item: Any, model: type[BaseModel], data: Mapping[str, Any], source: Source, base: Sequence[str | int]
) -> Problem:
    path = _path(item, data)
    line = source.line((*base, *path))
    key = ".".join(str(part) for part in (*base, *path) if not isinstance(part, int))[:120]
    if item["type"] == "extra_forbidden":
        owner = _owner(model, path)
        if gone := getattr(owner, "gone", {}).get(path[-1]):
            return Problem(source.name, line, key, "a key that is no more", "nothing here", gone)
        known = [info.alias or name for name, info in getattr(owner, "model_fields", {}).items()]
        close = nearest(str(path[-1]), known)
        return Problem(source.name, line, key, "an unknown key", f"one of {', '.join(known)}", close)
    if item["type"] == "missing":
        return Problem(source.name, line, key, "nothing", "this key", "Add it.")
    return Problem(source.name, line, key, shown(item.get("input")), _wanted(item))


def _path(item: Any, data: Any) -> tuple[str | int, ...]:
    """Return the place of a mistake in the file: pydantic also names the kinds of a value, which no file has."""
    path: list[str | int] = []
    current = data
    for place, part in enumerate(item["loc"]):
        last = place == len(item["loc"]) - 1 and item["type"] in ("missing", "extra_forbidden")
        if isinstance(current, dict) and (part in current or last):
            path.append(part)
            current = current.get(part)
        elif isinstance(current, list) and isinstance(part, int) and part < len(current):
            path.append(part)
            current = current[part]
    return tuple(path)


def _wanted(item: Any) -> str:
    context = item.get("ctx", {})
    kind = item["type"]
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        return FORMS.get(pattern) or TARIFF_FORMS.get(pattern) or f"a text of the form {pattern}"
    if kind in _KINDS:
        return _KINDS[kind]
    for name, words in _BOUNDS.items():
        if name in context:
            return words.format(context[name])
    message = str(item["msg"])
    for start in ("Input should be ", "Value error, "):
        message = message.removeprefix(start)
    return message


def _owner(model: type[BaseModel], path: Sequence[str | int]) -> Any:
    """Return the model whose key is where `path` ends; a key that it had once is in its `gone`, with what to do."""
    current: Any = model
    for part in path[:-1]:
        if isinstance(part, int):
            continue
        fields = getattr(current, "model_fields", {})
        info = next((info for name, info in fields.items() if part in (name, info.alias)), None)
        current = _inner(info.annotation) if info else None
    return current


def _inner(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if found := _inner(argument):
            return found
    return None
