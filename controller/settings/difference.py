"""What a new configuration would change, before it does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.settings.configuration import Configuration
    from drivers.driver import Device

__all__ = ["Change", "Difference", "compare"]


@dataclass(frozen=True, slots=True)
class Change:
    """Names that came, went, or are not what they were."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class Difference:
    """Two configurations, compared."""

    equipment: Change
    points: Change
    devices: Change
    alarms: Change
    rules: Change
    links: tuple[str, ...]
    """Endpoints whose connection is closed and opened again."""

    def __bool__(self) -> bool:
        return any((self.equipment, self.points, self.devices, self.alarms, self.rules))

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, for programs."""
        return asdict(self)


def compare(old: Configuration, new: Configuration) -> Difference:
    """Return what applying `new` in place of `old` changes."""
    before = {device.id: device for device in old.devices}
    after = {device.id: device for device in new.devices}
    devices = Change(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(name for name, device in after.items() if name in before and not _same(before[name], device)),
    )
    touched = {before[name].endpoint for name in (*devices.removed, *devices.changed)}
    touched |= {after[name].endpoint for name in (*devices.added, *devices.changed)}
    return Difference(
        equipment=_change(old.site.equipment, new.site.equipment),
        points=_change(old.site.points, new.site.points),
        devices=devices,
        alarms=_change({item.id: item for item in old.alarms}, {item.id: item for item in new.alarms}),
        rules=_change({item.id: item for item in old.rules}, {item.id: item for item in new.rules}),
        links=tuple(sorted(touched)),
    )


def _change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    return Change(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(name for name, item in new.items() if name in old and repr(item) != repr(old[name])),
    )


def _same(a: Device, b: Device) -> bool:
    return (
        a.profile == b.profile
        and a.endpoint == b.endpoint
        and a.unit == b.unit
        and a.period_s == b.period_s
        and a.urgent == b.urgent
        and a.options == b.options
        and a.secrets == b.secrets
        and np.array_equal(a.numbers, b.numbers)
    )
