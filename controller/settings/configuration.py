"""What a site's folder amounts to: the typed result that the composition root runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.settings.calendar import Calendar
from controller.settings.energy import EnergyPlan, Fleet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from controller.alarm.definition import AlarmDefinition
    from controller.plan.plan import Plan
    from controller.point.model import Site
    from controller.rule.definition import RuleDefinition
    from controller.settings.file import ServerFile
    from drivers.driver import Device

__all__ = ["Configuration"]


@dataclass(frozen=True, slots=True)
class Configuration:
    """One checked configuration. Never changed; `shifu apply` makes a new one."""

    folder: Path
    site: Site
    devices: tuple[Device, ...]
    equipment: Mapping[str, str]
    """Device id to the address of its equipment."""
    alarms: tuple[AlarmDefinition, ...]
    rules: tuple[RuleDefinition, ...]
    server: ServerFile
    calendar: Calendar = field(default_factory=Calendar)
    energy: EnergyPlan = field(default_factory=EnergyPlan)
    fleet: Fleet = field(default_factory=Fleet)
    """Official vehicles: `fleet.find("EAA-0001")` is what a charger asks with a plate or a card number."""
    notices: tuple[str, ...] = ()
    """What is allowed but should be known, such as secrets that are not set here."""

    plans: Mapping[tuple[str, str], Plan] = field(default_factory=dict)
    """By building and floor."""

    def holding(self) -> tuple[str, ...]:
        """Return the commandable points that keep their last value when the controller dies."""
        return tuple(
            point.address
            for point in self.site.points.values()
            if point.write is not None and point.write.fail == "hold"
        )
