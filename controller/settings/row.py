"""Rows of files: templates filled in, each checked by its model, every mistake with its file, line and key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from controller.settings.file import FORMS
from controller.settings.problem import MOST, Problem, nearest, shown
from controller.settings.source import MAX_ROWS, Source
from controller.settings.tariff import TARIFF_FORMS
from controller.settings.template import TemplateError, expand, fill

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Placed", "check_row", "checked", "expanded"]

_Model = TypeVar("_Model", bound=BaseModel)
_Row = TypeVar("_Row")
_MOST_ROWS = f"at most {MAX_ROWS} in all files together"
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


def check_row(
    model: type[_Model], data: Mapping[str, Any], source: Source, path: Sequence[str | int]
) -> tuple[_Model | None, list[Problem]]:
    """Check one row that is in no file by the same model as those of files; return it, or what is wrong with it."""
    problems: list[Problem] = []
    return checked(model, data, source, path, problems), problems


def checked(
    model: type[_Model], data: Mapping[str, Any], source: Source, base: Sequence[str | int], problems: list[Problem]
) -> _Model | None:
    """Return what the data at `base` of a file says; None where it is wrong, which is appended to `problems`."""
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


def expanded(
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
                found = checked(model, filled, source, (key, place), problems)
                if found is None:
                    break  # the other repetitions would say the same
                placed.append(Placed(found, source, (key, place)))
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
