"""Reads a site's folder: which files there are, and what rows each of them has (`controller.settings.row`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from controller.settings.contact import NotifyFile
from controller.settings.file import (
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
from controller.settings.problem import MOST, Problem, SettingsError, nearest
from controller.settings.report import ReportFile
from controller.settings.row import Placed, checked, expanded
from controller.settings.scenario import AssemblyRow, DrillFile, ScenarioRow
from controller.settings.schedule_row import DayRow, ScheduleRow, SpecialPeriodRow
from controller.settings.source import Source, read_csv, read_text, read_toml
from controller.settings.strategy import StrategyFile
from controller.settings.tariff import TariffFile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Rows", "read_site"]

_Model = TypeVar("_Model", bound=BaseModel)
_MAX_FILES = 500
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
        rows.equipment += expanded(source, "equipment", EquipmentRow, problems, len(rows.equipment))
    for source in _sources(folder, "devices", "device", problems):
        rows.devices += expanded(source, "device", DeviceRow, problems, len(rows.devices))
    for source in _sources(folder, "alarms", "alarm", problems, csv=False):
        alarms = checked(AlarmFile, source.data, source, (), problems)
        for place, row in enumerate(alarms.alarm if alarms else []):
            rows.alarms.append(Placed(row, source, ("alarm", place)))
    for source in _sources(folder, "rules", "rule", problems, csv=False):
        rules = checked(RuleFile, source.data, source, (), problems)
        for place, rule in enumerate(rules.rule if rules else []):
            rows.rules.append(Placed(rule, source, ("rule", place)))
    for source in _sources(folder, "plans", "plan", problems, csv=False):
        rows.plans += expanded(source, "plan", PlanRow, problems, len(rows.plans))
    for source in _sources(folder, "documents", "document", problems, csv=False):
        rows.documents += expanded(source, "document", DocumentRow, problems, len(rows.documents))
    _read_calendar(folder, rows, problems)
    for source in _sources(folder, "schedule", "schedule", problems, csv=False):
        rows.schedules += expanded(source, "schedule", ScheduleRow, problems, len(rows.schedules), _SCHEDULE)
        rows.exceptions += expanded(source, "exception", SpecialPeriodRow, problems, len(rows.exceptions), _SCHEDULE)
        rows.days += expanded(source, "day", DayRow, problems, len(rows.days), _SCHEDULE)
    energy, rows.energy_places = _whole(folder, "energy.toml", EnergyFile, problems)
    rows.energy = energy or EnergyFile()
    notify, rows.notify_places = _whole(folder, "notify.toml", NotifyFile, problems)
    rows.notify = notify or NotifyFile()
    tariff, rows.tariff_places = _whole(folder, "tariff.toml", TariffFile, problems)
    rows.tariff = tariff or TariffFile()
    report, _ = _whole(folder, "report.toml", ReportFile, problems)
    rows.report = report or ReportFile()
    for source in _sources(folder, "vehicles", "vehicle", problems):
        rows.vehicles += expanded(source, "vehicle", VehicleRow, problems, len(rows.vehicles))
    for source in _sources(folder, "drill", "scenario", problems, csv=False):
        drill = checked(DrillFile, source.data, source, (), problems)
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


def _read_calendar(folder: Path, rows: Rows, problems: list[Problem]) -> None:
    for source in _sources(folder, "calendar", "booking", problems, csv=False):
        rows.venues += expanded(source, "venue", VenueRow, problems, len(rows.venues), _CALENDAR)
        rows.bookings += expanded(source, "booking", BookingRow, problems, len(rows.bookings), _CALENDAR)
        rows.works += expanded(source, "works", WorksRow, problems, len(rows.works), _CALENDAR)
        rows.inspections += expanded(source, "inspection", InspectionRow, problems, len(rows.inspections), _CALENDAR)
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
        rows.fire = checked(FireHeadRow, source.data["fire"], source, ("fire",), problems)
    rows.fire_holds += expanded(source, "hold", HoldRow, problems, 0, _FIRE)
    rows.fire_effects += expanded(source, "effect", EffectRow, problems, 0, _FIRE)
    rows.fire_causes += expanded(source, "cause", CauseRow, problems, 0, _FIRE)


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
    return (checked(model, source.data, source, (), problems), source) if source else (None, empty)
