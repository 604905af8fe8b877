"""The sheet of a device: its rows as the files and the screen say them, checked, and shown with an ETag."""

import hashlib
import re
from typing import Any, Literal

import orjson
from pydantic import ConfigDict

from controller.api.body import Item, plain
from controller.api.render import iso
from controller.api.runtime import Runtime
from controller.errors import NotFoundError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.settings.amendment import DEVICE, EQUIPMENT, plain_row
from controller.settings.file import DeviceRow, EquipmentRow
from controller.settings.inventory import Inventory
from controller.settings.overlay import Change
from controller.settings.problem import Problem, SettingsError, shown
from controller.settings.row import check_row
from controller.settings.source import Source

__all__ = [
    "CHANGE_EXAMPLE",
    "DEVICE_EXAMPLE",
    "PIECE_EXAMPLE",
    "ProblemReply",
    "SheetReply",
    "area_of",
    "check_endpoint",
    "check_options",
    "check_secrets",
    "checked_row",
    "problems_json",
    "sheet_of",
]

_SERIAL = re.compile(r"/dev/(tty|serial/|rs\d|rfcomm|com)[\w./:-]*(\?|$)")
_MOST_OPTIONS = 50
_LONGEST_OPTION = 200
DEVICE_EXAMPLE: dict[str, Any] = {
    "id": "em132-meter",
    "equipment": "cityhall.meter.em132",
    "profile": "eastron-sdm630",
    "endpoint": "tcp://10.20.3.11:502",
    "unit": 12,
}
PIECE_EXAMPLE: dict[str, Any] = {
    "id": "cityhall.meter.em132",
    "class": "meter",
    "name": {"zh": "樓層電表 EM-132", "en": "Floor meter EM-132"},
    "floor": "12F",
}
CHANGE_EXAMPLE: dict[str, Any] = {"owner": "lin.yc", "reason": "new tenant meter", "since": "2026-07-01T01:00:00.000Z"}


class ProblemReply(Item):
    """What is wrong with one value."""

    key: str
    got: str
    wanted: str
    what_to_do: str


class RowChangeReply(Item):
    """Who changed it, why and when."""

    owner: str
    reason: str
    since: str | None


class SheetReply(Item):
    """A device as it is in effect, what the files say of it, and what lies between."""

    id: str
    origin: Literal["files", "changed", "screen"]
    """`files`: as in the files; `changed`: over a row of the files; `screen`: the files do not have it."""
    device: dict[str, Any]
    device_in_files: dict[str, Any] | None
    place: str
    """File and line of the files' row."""
    equipment: dict[str, Any] | None
    equipment_in_files: dict[str, Any] | None
    change: RowChangeReply | None
    retired: RowChangeReply | None
    aside: list[ProblemReply]
    """Why the change has no effect, where it was set aside; empty when it has."""
    removable: bool
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "em132-meter",
                    "origin": "screen",
                    "device": DEVICE_EXAMPLE,
                    "device_in_files": None,
                    "place": "",
                    "equipment": PIECE_EXAMPLE,
                    "equipment_in_files": None,
                    "change": CHANGE_EXAMPLE,
                    "retired": None,
                    "aside": [],
                    "removable": True,
                }
            ]
        }
    )


def checked_row(model: type[DeviceRow | EquipmentRow], data: dict[str, Any], noun: str) -> dict[str, Any]:
    """Check one row alone, as those of the files are checked, and what a text of the screen may hold.

    Raises:
        SettingsError: with everything that is wrong with it.
    """
    row, problems = check_row(model, data, Source("", {}), (noun,))
    if row is not None:
        found = plain_row(row)
        problems = list(_texts(found, noun))
        if isinstance(row, DeviceRow):
            problems += check_options(row.options) + check_endpoint(row.endpoint)
        if not problems:
            return found
    raise SettingsError(problems)


def _texts(value: Any, key: str) -> list[Problem]:
    if isinstance(value, dict):
        return [problem for name, item in value.items() for problem in _texts(item, f"{key}.{name}"[:120])]
    if isinstance(value, list):
        return [problem for item in value for problem in _texts(item, key)]
    if not isinstance(value, str):
        return []
    try:
        plain(value)
    except ValueError as error:
        return [Problem("", 0, key, shown(value), "one line of text", f"{str(error).capitalize()}.")]
    if "{" in value or "}" in value:
        return [Problem("", 0, key, shown(value), "a text without braces", "The files take a brace for a template.")]
    return []


def check_endpoint(endpoint: str) -> list[Problem]:
    """Return what is wrong with a serial line: opening another file of the machine could set something off."""
    scheme, _, path = endpoint.partition(":")
    if scheme != "serial" or (_SERIAL.match(path) and ".." not in path):
        return []
    wanted = "a serial port such as serial:/dev/ttyUSB0?baudrate=9600&parity=N"
    return [Problem("", 0, "device.endpoint", shown(endpoint), wanted, "Other names are given in the site's files.")]


def check_options(options: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with the options of a device, before its profile is asked."""
    if len(options) > _MOST_OPTIONS:
        return [Problem("", 0, "device.options", f"{len(options)} options", f"at most {_MOST_OPTIONS}")]
    wanted = f"a number, true or false, or a text of at most {_LONGEST_OPTION} characters"
    return [
        Problem("", 0, f"device.options.{key[:60]}", shown(value), wanted)
        for key, value in options.items()
        if not isinstance(value, str | int | float) or len(str(value)) > _LONGEST_OPTION
    ]


def check_secrets(inventory: Inventory, endpoint: str, secrets: dict[str, str], own: dict[str, str]) -> None:
    """Return when these are secrets that a device of this endpoint has in the configuration, or its own.

    A secret that stands anywhere else on the controller's machine could be sent to any address otherwise.

    Raises:
        SettingsError: they are not.
    """
    known = [names for names, _ in inventory.secrets(endpoint)]
    if secrets and secrets != own and secrets not in known:
        wanted = f"the secrets of a device of {endpoint}" if known else f"none: no device of {endpoint} has any"
        todo = "Secrets of a new endpoint are named in the site's files."
        raise SettingsError([Problem("", 0, "device.secrets", ", ".join(sorted(secrets))[:200], wanted, todo)])


def _change(change: Change | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {"owner": change.who, "reason": change.why, "since": iso(change.time_ns)}


def problems_json(problems: tuple[Problem, ...]) -> list[dict[str, str]]:
    """Return mistakes for a form."""
    return [{"key": p.key, "got": p.got, "wanted": p.wanted, "what_to_do": p.todo} for p in problems[:20]]


def sheet_of(runtime: Runtime, principal: Principal, device_id: str) -> tuple[dict[str, Any], str]:
    """Return a device's sheet and its ETag.

    Raises:
        NotFoundError: there is none, or it is not for these eyes.
    """
    inventory = runtime.inventory()
    found = inventory.sheet(DEVICE + device_id)
    address = str(found.row.get("equipment"))
    try:
        piece = inventory.sheet(EQUIPMENT + address)
    except NotFoundError:
        piece = None
    area = str(piece.row.get("area", "")) if piece else ""
    if not principal.permissions.allows(Action.VIEW, area):
        raise NotFoundError(f"no device {device_id[:80]!r}; GET /api/v1/devices lists those that there are")
    origin = "screen" if found.base is None else "files" if found.change is None else "changed"
    state = {
        "id": device_id,
        "origin": origin,
        "device": found.row,
        "device_in_files": found.base,
        "place": found.place,
        "equipment": piece.row if piece else None,
        "equipment_in_files": piece.base if piece else None,
        "change": _change(found.change or (piece.change if piece else None)),
        "retired": _change(inventory.retired(device_id)),
        "aside": problems_json(found.aside or (piece.aside if piece else ())),
        "removable": found.change is not None or (piece is not None and piece.change is not None),
    }
    return state, f'"{hashlib.sha256(orjson.dumps(state)).hexdigest()[:24]}"'


def area_of(inventory: Inventory, key: str) -> str:
    """Return the area of a key's equipment; empty when it has none."""
    noun, _, name = key.partition("/")
    try:
        if noun != "equipment":
            name = str(inventory.sheet(DEVICE + name).row.get("equipment"))
        return str(inventory.sheet(EQUIPMENT + name).row.get("area", ""))
    except NotFoundError:
        return ""
