"""What a site's folder amounts to: the typed result that the composition root runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.energy.tariff import TariffPlan
from controller.notify.plan import NotifyPlan
from controller.report.timetable import ReportPlan
from controller.safety.cause import FireTable
from controller.schedule.timetable import Timetable
from controller.settings.calendar import Calendar
from controller.settings.energy import EnergyPlan, Fleet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from controller.alarm.definition import AlarmDefinition
    from controller.drill.scenario import Scenario
    from controller.plan.plan import Plan
    from controller.point.model import Site
    from controller.rule.definition import RuleDefinition
    from controller.settings.file import ServerFile
    from controller.settings.problem import Problem
    from controller.strategy.strategy import Entry
    from drivers.driver import Device

__all__ = ["Configuration", "Retirement"]


@dataclass(frozen=True, slots=True)
class Retirement:
    """A device that was taken out of service on the screen: its link is not opened."""

    device: Device
    who: str
    why: str
    since_ns: int

    @property
    def message(self) -> str:
        """Who and why, for the device's state."""
        return f"taken out of service by {self.who}: {self.why}"


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
    timetable: Timetable = field(default_factory=Timetable)
    energy: EnergyPlan = field(default_factory=EnergyPlan)
    tariff: TariffPlan = field(default_factory=TariffPlan)
    report: ReportPlan = field(default_factory=ReportPlan)
    fleet: Fleet = field(default_factory=Fleet)
    """Official vehicles: `fleet.find("EAA-0001")` is what a charger asks with a plate or a card number."""
    scenarios: Mapping[str, Scenario] = field(default_factory=dict)
    """Fire drills as they are written down, by id."""
    notify: NotifyPlan = field(default_factory=NotifyPlan)
    """Who is told of alarms, and how."""
    fire: FireTable = field(default_factory=FireTable)
    """Who says fire, and what is held back and expected then."""
    strategies: tuple[Entry, ...] = ()
    notices: tuple[str, ...] = ()
    """What is allowed but should be known, such as secrets that are not set here."""
    retired: tuple[Retirement, ...] = ()
    """Devices out of service; they are not in `devices`, their points are in the site."""
    aside: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    """Changes of the overlay that do not go with the files, by key, and why; they have no effect."""
    same: tuple[str, ...] = ()
    """Keys of the overlay that say what the files say too."""

    plans: Mapping[tuple[str, str], Plan] = field(default_factory=dict)
    """By building and floor."""

    def holding(self) -> tuple[str, ...]:
        """Return the commandable points that keep their last value when the controller dies."""
        return tuple(
            point.address
            for point in self.site.points.values()
            if point.write is not None and point.write.fail == "hold"
        )
