"""The inventory: every device as the files say it and as the screen has changed it, and the way back to the files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from controller.errors import NotFoundError
from controller.settings.amendment import DEVICE, EQUIPMENT, amended, is_amendment, plain_row
from controller.settings.toml import to_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controller.settings.amendment import Amended
    from controller.settings.build import Endpoints
    from controller.settings.configuration import Configuration
    from controller.settings.load import Files
    from controller.settings.overlay import Change
    from controller.settings.problem import Problem
    from controller.settings.row import Placed

__all__ = ["Inventory", "Sheet", "export"]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One row with its past: what is in effect, what the files say, and the change between them."""

    row: dict[str, Any]
    """As it would stand in TOML; of a change that was set aside, the row that it wanted."""
    base: dict[str, Any] | None
    """The files' row; None where they have none."""
    place: str
    """File and line of that; empty where there is none."""
    change: Change | None
    aside: tuple[Problem, ...] = ()
    """Why the change has no effect; empty when it has."""


class Inventory:
    """One configuration's rows. Never changed; every swap makes a new one."""

    def __init__(
        self, files: Files, changes: Mapping[str, Change], configuration: Configuration, endpoints: Endpoints
    ) -> None:
        """Look at these; `configuration` was built of `files` and `changes`."""
        self.files = files
        self.changes = {key: change for key, change in changes.items() if is_amendment(key)}
        self.configuration = configuration
        self.endpoints = endpoints

    @cached_property
    def laid(self) -> Amended:
        """The rows in effect."""
        return amended(self.files.rows, self.changes.values(), self.configuration.aside)

    @cached_property
    def _based(self) -> dict[str, Placed[Any]]:
        rows = self.files.rows
        return {
            **{EQUIPMENT + placed.row.id: placed for placed in rows.equipment},
            **{DEVICE + placed.row.id: placed for placed in rows.devices},
        }

    @cached_property
    def _effective(self) -> dict[str, Placed[Any]]:
        rows = self.laid.rows
        return {
            **{EQUIPMENT + placed.row.id: placed for placed in rows.equipment},
            **{DEVICE + placed.row.id: placed for placed in rows.devices},
        }

    def sheet(self, key: str) -> Sheet:
        """Return one row by its key.

        Raises:
            NotFoundError: neither the files nor the screen have it.
        """
        base, effective, change = self._based.get(key), self._effective.get(key), self.changes.get(key)
        aside = self.configuration.aside.get(key, ())
        if effective is not None:
            row = plain_row(effective.row)
        elif change is not None and isinstance(change.value, dict):
            row = dict(change.value.get("row") or {})
        else:
            noun, _, name = key.partition("/")
            raise NotFoundError(f"no {noun} {name[:80]!r}; GET /api/v1/devices lists those that there are")
        place = "" if base is None else f"{base.file}:{base.line}"
        return Sheet(row, None if base is None else plain_row(base.row), place, change, aside)

    def has(self, key: str) -> bool:
        """Tell whether a key is taken: by a row in effect, or by a change that was set aside."""
        return key in self._effective or key in self.changes

    def retired(self, device: str) -> Change | None:
        """Return who took a device out of service; None while it is in service."""
        return self.laid.retired.get(device)

    def secrets(self, endpoint: str) -> list[tuple[dict[str, str], list[str]]]:
        """Return the sets of secrets' names that devices of an endpoint have, each with its devices."""
        found: list[tuple[dict[str, str], list[str]]] = []
        for placed in self.laid.rows.devices:
            if placed.row.endpoint != endpoint or not placed.row.secrets:
                continue
            known = next((devices for names, devices in found if names == placed.row.secrets), None)
            if known is None:
                found.append((dict(placed.row.secrets), [placed.row.id]))
            else:
                known.append(placed.row.id)
        return found

    def on_wire(self, endpoint: str, unit: int | None = None) -> list[str]:
        """Return the devices in service at an address: as the files write it, or as it is laid over."""
        actual = self.endpoints.actual.get(endpoint, endpoint)
        return [
            device.id
            for device in self.configuration.devices
            if device.endpoint == actual and (unit is None or device.unit == unit)
        ]

    def devices_of(self, equipment: str) -> list[str]:
        """Return the devices on one piece of equipment, out of service or not."""
        return [placed.row.id for placed in self.laid.rows.devices if placed.row.equipment == equipment]


def export(inventory: Inventory, now_ns: int) -> dict[str, str]:
    """Return the text of the files that say what was changed on the screen, by their path in the site's folder."""
    zone = ZoneInfo(inventory.configuration.site.timezone)
    stamp = datetime.fromtimestamp(now_ns // 10**9, zone).strftime("%Y%m%d-%H%M%S")
    files: dict[str, str] = {}
    todo: list[str] = []
    for prefix, folder in ((EQUIPMENT, "equipment"), (DEVICE, "devices")):
        parts = []
        for key, change in inventory.changes.items():
            if key in inventory.laid.placed and key.startswith(prefix):
                sheet = inventory.sheet(key)
                head = [_who(change, zone)]
                if sheet.place:
                    head.append(f"Replaces the row at {sheet.place}: take it out there.")
                    todo.append(f"{sheet.place}: take out {key.removeprefix(prefix)}; its new row is in {folder}/.")
                parts.append(to_toml(prefix[:-1], [sheet.row], head))
        if parts:
            files[f"{folder}/screen-{stamp}.toml"] = "\n".join(parts)
    for name, change in inventory.laid.retired.items():
        place = inventory.sheet(DEVICE + name).place
        todo.append(f"{place or 'made on the screen'}: {name} is out of service. {_who(change, zone)}")
        todo.append("  Take its row out of the files when it does not come back.")
    todo += [f"Set aside, and not in these files: {key}: {said[0]}" for key, said in inventory.laid.aside.items()]
    files["READ-ME.txt"] = _read_me(todo)
    return files


def _read_me(todo: Iterable[str]) -> str:
    lines = [
        "Put the folders equipment and devices into the site's folder, do what stands below, then run",
        "shifu check and shifu apply. A row that the files say too ends its change on the screen by itself.",
        "",
        *todo,
    ]
    return "\n".join(lines) + "\n"


def _who(change: Change, zone: ZoneInfo) -> str:
    moment = datetime.fromtimestamp(change.time_ns // 10**9, zone).isoformat()
    return f"By {change.who}, {moment}: {change.why}"
