"""Reads a site's folder into checked rows: files, templates, models; every mistake with its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from controller.settings.file import (
    AlarmFile,
    AlarmRow,
    DeviceRow,
    EquipmentRow,
    RuleFile,
    RuleRow,
    ServerFile,
    SiteFile,
)
from controller.settings.problem import Problem, SettingsError, nearest
from controller.settings.source import Source, read_csv, read_toml
from controller.settings.template import TemplateError, expand, fill

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Placed", "Rows", "read_site"]

_Model = TypeVar("_Model", bound=BaseModel)
_Row = TypeVar("_Row")
_MAX_TOTAL = 200_000


@dataclass(frozen=True, slots=True)
class Placed(Generic[_Row]):
    """A checked row and where it stands."""

    row: _Row
    file: str
    line: int


@dataclass(slots=True)
class Rows:
    """Everything that a site's folder says, row by row."""

    site: SiteFile
    server: ServerFile
    equipment: list[Placed[EquipmentRow]] = field(default_factory=list)
    devices: list[Placed[DeviceRow]] = field(default_factory=list)
    alarms: list[Placed[AlarmRow]] = field(default_factory=list)
    rules: list[Placed[RuleRow]] = field(default_factory=list)


def read_site(folder: Path) -> Rows:
    """Read all files of a site's folder.

    Raises:
        SettingsError: with every mistake that was found.
    """
    if not folder.is_dir():
        raise SettingsError(
            [Problem(str(folder), 0, "", "", "a site's folder", "`shifu init --profile …` writes a new one.")]
        )
    problems: list[Problem] = []
    rows = Rows(
        site=_whole(folder, "site.toml", SiteFile, problems, required=True) or _nobody(),
        server=_whole(folder, "server.toml", ServerFile, problems) or ServerFile(),
    )
    for source in _sources(folder, "equipment", problems):
        rows.equipment += _expanded(source, "equipment", EquipmentRow, problems)
    for source in _sources(folder, "devices", problems):
        rows.devices += _expanded(source, "device", DeviceRow, problems)
    if alarm_source := _source(folder, "alarms.toml", problems):
        alarms = _checked(AlarmFile, alarm_source.data, alarm_source, (), problems)
        for place, row in enumerate(alarms.alarm if alarms else []):
            rows.alarms.append(Placed(row, alarm_source.name, alarm_source.line(("alarm", place))))
    if rule_source := _source(folder, "rules.toml", problems):
        rules = _checked(RuleFile, rule_source.data, rule_source, (), problems)
        for place, rule in enumerate(rules.rule if rules else []):
            rows.rules.append(Placed(rule, rule_source.name, rule_source.line(("rule", place, "expression"))))
    if problems:
        raise SettingsError(problems)
    return rows


def _nobody() -> SiteFile:
    """Stand in for a site.toml that could not be read, so that the other files are checked all the same."""
    name = {"zh": "?", "en": "?"}
    return SiteFile.model_validate(
        {"site": {"id": "unknown", "name": name}, "building": [{"id": "unknown", "name": name, "floors": ["1F"]}]}
    )


def _sources(folder: Path, stem: str, problems: list[Problem]) -> list[Source]:
    """Read `stem.toml` and everything in the folder `stem`, in the order of their names."""
    found = [] if not (folder / f"{stem}.toml").is_file() else [folder / f"{stem}.toml"]
    found += sorted(path for path in (folder / stem).glob("*") if path.suffix in (".toml", ".csv"))
    sources = []
    for path in found:
        name = str(path.relative_to(folder))
        try:
            sources.append(read_csv(path, name) if path.suffix == ".csv" else read_toml(path, name))
        except SettingsError as error:
            problems.extend(error.problems)
    return sources


def _source(folder: Path, name: str, problems: list[Problem]) -> Source | None:
    path = folder / name
    if not path.is_file():
        return None
    try:
        return read_toml(path, name)
    except SettingsError as error:
        problems.extend(error.problems)
        return None


def _whole(
    folder: Path, name: str, model: type[_Model], problems: list[Problem], *, required: bool = False
) -> _Model | None:
    if required and not (folder / name).is_file():
        problems.append(Problem(name, 0, "", "no such file", "a file that names the site, its buildings and areas"))
        return None
    source = _source(folder, name, problems)
    return _checked(model, source.data, source, (), problems) if source else None


def _expanded(source: Source, key: str, model: type[_Model], problems: list[Problem]) -> list[Placed[_Model]]:
    for name in source.data:
        if name != key:
            line = source.line((name,))
            problems.append(Problem(source.name, line, name, "an unknown key", f"[[{key}]]", nearest(name, [key])))
    rows = source.data.get(key, [])
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        problems.append(Problem(source.name, source.line((key,)), key, repr(rows)[:80], f"tables [[{key}]]"))
        return []
    placed: list[Placed[_Model]] = []
    for place, row in enumerate(rows):
        line = source.line((key, place))
        body = {name: value for name, value in row.items() if name not in ("for", "each")}
        try:
            for variables in expand(row.get("for", {})):
                filled = fill(body, variables)
                if variables:
                    each = row.get("each", {}).get(str(next(iter(variables.values()))), {})
                    filled = _merged(filled, fill(each, variables))
                checked = _checked(model, filled, source, (key, place), problems)
                if checked is None:
                    break  # the other repetitions would say the same
                placed.append(Placed(checked, source.name, line))
                if len(placed) > _MAX_TOTAL:
                    raise TemplateError(f"more than {_MAX_TOTAL} rows")
        except (TemplateError, AttributeError) as error:
            problems.append(
                Problem(
                    source.name,
                    source.line((key, place, "for")),
                    f"{key}.for",
                    str(error),
                    'a template such as "{n:02}" over `for = { n = "1..40" }`',
                )
            )
    return placed


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
        problems.extend(_problem(item, model, source, base) for item in error.errors(include_url=False))
        return None


def _problem(item: Any, model: type[BaseModel], source: Source, base: Sequence[str | int]) -> Problem:
    path = tuple(item["loc"])
    line = source.line((*base, *path))
    key = ".".join(str(part) for part in (*base, *path) if not isinstance(part, int)) or model.__name__
    if item["type"] == "extra_forbidden":
        known = _known(model, path)
        close = nearest(str(path[-1]), known)
        return Problem(source.name, line, key, "an unknown key", f"one of {', '.join(known)}", close)
    if item["type"] == "missing":
        return Problem(source.name, line, key, "nothing", "this key", "Add it.")
    got = repr(item.get("input"))
    return Problem(source.name, line, key, got if len(got) <= 80 else got[:77] + "…", _wanted(item))


def _wanted(item: Any) -> str:
    context = item.get("ctx", {})
    if item["type"] == "string_pattern_mismatch":
        return f"a text of the form {context.get('pattern')}"
    message = str(item["msg"])
    for start in ("Input should be ", "Value error, "):
        message = message.removeprefix(start)
    return message


def _known(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Return the keys that are allowed where `path` ends."""
    current: Any = model
    for part in path[:-1]:
        if isinstance(part, int):
            continue
        fields = getattr(current, "model_fields", {})
        info = next((info for name, info in fields.items() if part in (name, info.alias)), None)
        current = _inner(info.annotation) if info else None
    fields = getattr(current, "model_fields", {})
    return [info.alias or name for name, info in fields.items()]


def _inner(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if found := _inner(argument):
            return found
    return None
