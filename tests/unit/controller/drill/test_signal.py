"""What ends a drill is read from the points themselves: no alarm list, delay or drill value stands in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.clock import VirtualClock
from controller.drill.signal import Signal, Watch
from controller.point.table import PointTable
from drivers.reading import Quality, Readings
from tests.virtual.drill import load_drill_site

if TYPE_CHECKING:
    from pathlib import Path

    from controller.settings.configuration import Configuration


class Desk:
    """A table of a site, and the watch over it."""

    def __init__(self, configuration: Configuration) -> None:
        self.site = configuration.site
        self.table = PointTable(self.site, VirtualClock())
        self.watch = Watch(lambda: self.site, lambda: configuration.alarms)
        self.put("hall.fire.panel.fire", 0.0)

    def put(self, address: str, value: float, quality: Quality = Quality.GOOD) -> None:
        number = self.site.points[address].number
        self.table.apply(Readings.of([number], [value], 1_000, quality))

    @property
    def kinds(self) -> list[str]:
        return [signal.kind for signal in self.watch.active(self.table)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(load_drill_site(tmp_path))


@pytest.mark.parametrize(
    ("address", "value", "kind"),
    [
        ("hall.fire.zone24.state", 2.0, "fire"),
        ("hall.fire.panel.fire", 1.0, "fire"),
        ("hall.fire.panel.fault", 1.0, "panel"),
        ("hall.sos.b1.pressed", 1.0, "sos"),
        ("hall.lift.l01.entrapment", 1.0, "trapped"),
    ],
)
def test_every_real_signal_is_seen(desk: Desk, address: str, value: float, kind: str) -> None:
    assert desk.kinds == []
    desk.put(address, value)
    assert desk.kinds == [kind]
    desk.put(address, 0.0)
    assert desk.kinds == []


def test_a_pre_alarm_without_an_alarm_of_its_own_is_none(desk: Desk) -> None:
    desk.put("hall.fire.zone24.state", 1.0)
    assert desk.kinds == []


def test_fires_come_first_and_each_point_once(desk: Desk) -> None:
    desk.put("hall.sos.b1.pressed", 1.0)
    desk.put("hall.fire.zone24.state", 2.0)
    assert desk.kinds == ["fire", "sos"]


def test_a_detector_that_falls_silent_in_a_fire_has_not_put_it_out(desk: Desk) -> None:
    desk.put("hall.fire.zone24.state", 2.0)
    desk.put("hall.fire.zone24.state", float("nan"), Quality.BAD_COMM)
    assert desk.kinds == ["fire"]


@pytest.mark.parametrize("quality", [Quality.BAD_COMM, Quality.UNCERTAIN_STALE])
def test_a_panel_of_which_nothing_is_known_is_a_signal(desk: Desk, quality: Quality) -> None:
    desk.put("hall.fire.panel.fire", 0.0 if quality < 128 else float("nan"), quality)
    assert desk.kinds == ["unknown"]


def test_a_site_without_a_panel_knows_of_no_fire_and_so_plays_none(tmp_path: Path, desk: Desk) -> None:
    del tmp_path
    equipment = {key: one for key, one in desk.site.equipment.items() if one.cls != "fire_panel"}
    points = {key: one for key, one in desk.site.points.items() if one.equipment in equipment}
    desk.site = type(desk.site)(
        desk.site.id, desk.site.name, desk.site.timezone, 2, desk.site.buildings, desk.site.areas, equipment, points
    )
    watch = Watch(lambda: desk.site, lambda: ())
    assert [signal.kind for signal in watch.active(desk.table)] == ["unknown"]


def test_a_signal_survives_the_journal(desk: Desk) -> None:
    desk.put("hall.fire.zone24.state", 2.0)
    (signal,) = desk.watch.active(desk.table)
    assert (signal.place.en, signal.area, signal.floor) == ("Zone 24", "east", "3F")
    assert Signal.of_json(signal.to_json()) == signal
