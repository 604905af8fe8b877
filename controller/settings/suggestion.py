"""Suggestions for a new device: the next free address and name, by the pattern of similar equipment.

The pattern is that of the files' templates: `{n:03}` stands for the number, with so many digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.settings.amendment import DEVICE, EQUIPMENT, plain_row
from drivers.equipment import EQUIPMENT as CLASSES

if TYPE_CHECKING:
    from controller.settings.file import EquipmentRow
    from controller.settings.inventory import Inventory

__all__ = ["Suggestion", "fill", "suggest"]

_NUMBER = re.compile(r"\d+")
_MOST_TRIES = 100_000


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Templates with one number to fill in, and the rest of the row as that of the equipment it is modelled on."""

    number: int
    like: str
    """Address of the equipment it is modelled on; empty when the class has none."""
    address: str
    device: str
    zh: str
    en: str
    equipment: dict[str, Any]
    """Floor, area, wing, maker, model and parameters of that equipment."""


def suggest(inventory: Inventory, cls: str, building: str = "", like: str = "") -> Suggestion:
    """Suggest a row for the next equipment of a class; `like` names one to follow, else the largest family is taken."""
    pieces = [placed.row for placed in inventory.laid.rows.equipment if placed.row.cls == cls]
    if building:
        pieces = [row for row in pieces if row.id.startswith(f"{building}.")] or pieces
    families: dict[tuple[str, str], list[EquipmentRow]] = {}
    for row in pieces:
        families.setdefault(_stem(row.id), []).append(row)
    if not families:
        return _first(inventory, cls, building)
    chosen = next((_stem(row.id) for row in pieces if row.id == like), None)
    before, after = chosen or max(families, key=lambda stem: len(families[stem]))
    served = {placed.row.equipment for placed in inventory.laid.rows.devices}
    model = max(families[before, after], key=lambda row: (row.id in served, _number(row.id)))
    number = _number(model.id)
    devices = inventory.devices_of(model.id)
    fields = plain_row(model)
    address = _template(model.id, number, "{n}")
    device = _template(devices[0], number, "") if devices else ""
    if not device:
        device = address.rpartition(".")[2].replace("_", "-")
    zh, en = (_template(text, number, "") or f"{text} {{n}}" for text in (model.name.zh, model.name.en))
    kept = ("floor", "area", "wing", "maker", "model", "parameters")
    return Suggestion(
        number=_free(inventory, number + 1, address, device),
        like=model.id,
        address=address,
        device=device,
        zh=zh,
        en=en,
        equipment={key: fields[key] for key in kept if key in fields},
    )


def _first(inventory: Inventory, cls: str, building: str) -> Suggestion:
    known = CLASSES.get(cls)
    place = building or inventory.files.rows.site.building[0].id
    word = cls.replace("-", "_")
    address, device = f"{place}.{word}.{word}{{n}}", f"{cls.replace('_', '-')}{{n}}"
    return Suggestion(
        number=_free(inventory, 1, address, device),
        like="",
        address=address,
        device=device,
        zh=f"{known.zh if known else cls} {{n}}",
        en=f"{known.en if known else cls} {{n}}",
        equipment={},
    )


def _last(address: str) -> re.Match[str] | None:
    """Return the last number in the last word of an address."""
    start = address.rfind(".") + 1
    return next(reversed(list(_NUMBER.finditer(address, start))), None)


def _stem(address: str) -> tuple[str, str]:
    found = _last(address)
    return (address[: found.start()], address[found.end() :]) if found else (address, "")


def _number(address: str) -> int:
    found = _last(address)
    return int(found.group()) if found else 0


def _template(text: str, number: int, default: str) -> str:
    """Put a hole where the number stands last; without it `text + default`, or nothing when there is no default."""
    places = [found for found in _NUMBER.finditer(text) if int(found.group()) == number]
    if not places:
        return text + default if default else ""
    found = places[-1]
    digits = found.group()
    hole = f"{{n:{len(digits):02}}}" if digits.startswith("0") or len(digits) > 1 else "{n}"
    return text[: found.start()] + hole + text[found.end() :]


def _free(inventory: Inventory, number: int, address: str, device: str) -> int:
    for candidate in range(number, number + _MOST_TRIES):
        taken = (EQUIPMENT + fill(address, candidate), DEVICE + fill(device, candidate))
        if not any(inventory.has(key) for key in taken):
            return candidate
    return number


def fill(template: str, number: int) -> str:
    """Fill the holes of a template: `{n}` and `{n:03}`."""
    return re.sub(r"\{n(?::0?(\d))?\}", lambda hole: f"{number:0{int(hole.group(1) or 1)}d}", template)
