"""A site with three chargers behind a fast clock, without any device: what they show follows what they are told."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.unit.controller.settings.test_charging import CHARGING, DEVICES, EQUIPMENT, VEHICLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.app import Controller

__all__ = ["METER", "ONE", "Post", "charger_site"]

MINIMAL = Path(__file__).parents[2] / "config" / "minimal"
METER = "main.electrical.meter1.power"
ONE = "main.ev.charger1"
_KW_A = 0.38 * 3**0.5


def charger_site(folder: Path) -> None:
    """Write the site into `folder/site`."""
    shutil.copytree(MINIMAL, folder / "site")
    site = folder / "site"
    equipment = site / "equipment.toml"
    equipment.write_text(equipment.read_text("utf-8") + EQUIPMENT, "utf-8")
    meter = site / "devices" / "meter.toml"
    meter.write_text(meter.read_text("utf-8").replace("192.0.2.10:502", "127.0.0.1:1"), "utf-8")
    (site / "devices" / "chargers.toml").write_text(DEVICES.replace("192.0.2.", "127.0.0."), "utf-8")
    (site / "strategy.toml").write_text(CHARGING, "utf-8")
    (site / "vehicles.csv").write_text(VEHICLES, "utf-8")
    (site / "alarms.toml").unlink()


class Post:
    """What the points read: a car at charger 1 takes what it may; the others are free."""

    def __init__(self) -> None:
        self.there = True
        self.heard = True
        """The main meter is."""
        self.kwh = 1000.0

    def values(self, controller: Controller) -> Mapping[str, float]:
        limit, _ = controller.parts.arbiter.present(f"{ONE}.current_limit")
        kw = min((limit or 0.0) * _KW_A, 11.0) if self.there else 0.0
        self.kwh += kw * 4.0 / 3600.0
        rows = {
            f"{ONE}.state": (2.0 if kw else 3.0) if self.there else 0.0,
            f"{ONE}.vehicle_connected": float(self.there),
            f"{ONE}.power": kw,
            f"{ONE}.current": kw / _KW_A,
            f"{ONE}.voltage": 220.0,
            f"{ONE}.energy": self.kwh,
            f"{ONE}.current_limit_applied": limit or 0.0,
            "main.ev.charger2.state": 0.0,
            "main.ev.charger2.power": 0.0,
            "main.ev.charger3.state": 0.0,
            "main.ev.charger3.power": 0.0,
        }
        rows["main.electrical.tx1.apparent_power"] = 100.0 + kw
        return {**rows, METER: 100.0 + kw} if self.heard else rows
