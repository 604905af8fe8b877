"""From a site's folder to a configuration, or to a list of everything that is wrong with it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from controller.point.model import Name, Site
from controller.safety.alarm import definitions as fire_alarms
from controller.settings.alarm import communication_alarms, point_alarms, with_limits
from controller.settings.amendment import amended, blamed
from controller.settings.build import Builder, Endpoints
from controller.settings.calendar import Frame, build_calendar
from controller.settings.configuration import Configuration, Retirement
from controller.settings.contact import notify_plan
from controller.settings.document import with_documents
from controller.settings.drill import scenarios
from controller.settings.energy import energy_plan, vehicles
from controller.settings.fire import fire_table
from controller.settings.library import Library
from controller.settings.overlay import apply_limits
from controller.settings.plan import floor_plans
from controller.settings.problem import Problem, SettingsError
from controller.settings.read import read_site
from controller.settings.report import report_plan
from controller.settings.rule import check_rules, rules, virtual_points
from controller.settings.schedule import build_timetable
from controller.settings.strategy import strategies
from controller.settings.tariff import ended, tariff_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from controller.point.registry import Registry
    from controller.settings.amendment import Amended
    from controller.settings.overlay import Change
    from controller.settings.read import Rows
    from drivers.driver import Clock, Device

    CheckDevices = Callable[[Sequence[Device], Clock], Iterable[tuple[str, str]]]

__all__ = ["Files", "build", "load", "read_files"]


@dataclass(frozen=True, slots=True)
class Files:
    """What a site's folder said when it was read, and the profiles that belong to it."""

    folder: Path
    rows: Rows
    library: Library


def read_files(folder: Path) -> Files:
    """Read the files of a site; profiles are read when they are needed, once.

    Raises:
        SettingsError: with every mistake that was found.
    """
    return Files(folder, read_site(folder), Library(folder))


def load(
    folder: Path,
    registry: Registry,
    *,
    clock: Clock,
    generation: int = 1,
    changes: Iterable[Change] = (),
    endpoints: Endpoints | None = None,
    environment: Mapping[str, str] | None = None,
    check_devices: CheckDevices | None = None,
) -> Configuration:
    """Read, check and build a site; see `build`."""
    return build(
        read_files(folder),
        registry,
        clock=clock,
        generation=generation,
        changes=changes,
        endpoints=endpoints,
        environment=environment,
        check_devices=check_devices,
    )


def build(
    files: Files,
    registry: Registry,
    *,
    clock: Clock,
    generation: int = 1,
    changes: Iterable[Change] = (),
    endpoints: Endpoints | None = None,
    environment: Mapping[str, str] | None = None,
    check_devices: CheckDevices | None = None,
) -> Configuration:
    """Check the rows of a site and build it.

    `registry` gives new addresses their numbers: keep its `new` when all is well, and throw it away when not.
    `clock` tells which entries of the overlay (`changes`) have expired. Equipment and devices of the overlay that do
    not go with the files are set aside (`Configuration.aside`). `check_devices` has the protocols check what only they
    know of profiles and options (`controller.connection.check_devices`); without it that is not checked.

    Raises:
        SettingsError: with every problem that was found. What stands on something that is wrong already (an alarm on
            a device with a wrong profile) is looked at when that is mended.
    """
    listed = tuple(changes)
    maker = _Maker(
        files,
        registry,
        clock,
        generation,
        listed,
        endpoints or Endpoints(),
        os.environ if environment is None else environment,
        check_devices,
    )
    rows = amended(files.rows, listed, {})
    while True:
        try:
            return maker.make(rows)
        except SettingsError as error:
            culprits = blamed(rows, error.problems)
            if not culprits:
                raise
            rows = amended(files.rows, listed, {**rows.aside, **culprits})


@dataclass(frozen=True, slots=True)
class _Maker:
    """One site in the making; the amendments are tried again with fewer of them when they do not fit."""

    files: Files
    registry: Registry
    clock: Clock
    generation: int
    changes: tuple[Change, ...]
    endpoints: Endpoints
    environment: Mapping[str, str]
    check_devices: CheckDevices | None

    def make(self, laid: Amended) -> Configuration:
        """Build it of these rows.

        Raises:
            SettingsError: with every problem that was found.
        """
        rows = laid.rows
        builder = Builder(
            rows,
            self.files.library,
            self.registry,
            folder=self.files.folder,
            environment=self.environment,
            endpoints=self.endpoints,
            retired=laid.retired,
        )
        builder.build()
        problems = builder.problems
        zone = rows.site.site.timezone
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            line = rows.places.line(("site", "timezone"))
            wanted = "an IANA name such as Asia/Taipei"
            problems.append(Problem("site.toml", line, "site.timezone", f'"{zone}"', wanted))
        _check_server(rows, self.files.folder, problems)
        _raise(problems)
        devices = tuple(device for device in builder.devices if device.id not in laid.retired)
        if self.check_devices is not None:
            places = {placed.row.id: placed for placed in rows.devices}
            for device, message in self.check_devices(devices, self.clock):
                placed = places[device]
                what = f'"{device}" with profile {placed.row.profile}: {message}'
                problems.append(Problem(placed.file, placed.line, "device", what, ""))
        definitions = rules(rows.rules, problems)
        builder.points |= virtual_points(definitions, builder.equipment, builder.points, self.registry, problems)
        alarms = point_alarms(rows.alarms, builder.equipment, builder.points, problems, builder.areas)
        folder = self.files.folder
        equipment = with_documents(rows, builder.equipment, folder, problems)
        plans = floor_plans(rows.plans, builder.buildings, builder.equipment, builder.points, folder, problems)
        calendar = build_calendar(rows, Frame(builder.equipment, builder.areas, builder.buildings, zone), problems)
        timetable = build_timetable(rows, builder.equipment, builder.points, zone, problems)
        energy = energy_plan(rows, builder.equipment, builder.points, problems)
        tariff = tariff_plan(rows.tariff, rows.tariff_places, builder.equipment, energy, problems)
        fleet = vehicles(rows, problems)
        drills = scenarios(rows, builder.buildings, builder.points, problems)
        fire = fire_table(rows, builder.equipment, builder.points, builder.devices, problems)
        programs = strategies(
            rows, builder.equipment, builder.points, builder.areas, zone, fleet, tariff, timetable.office, problems
        )
        _raise(problems)
        alarms = {name: alarm for name, alarm in alarms.items() if alarm.device not in laid.retired}
        alarms = apply_limits(alarms, self.changes, self.clock.now_ns())
        serving = {name: piece for name, piece in builder.equipment_of.items() if name not in laid.retired}
        alarms |= communication_alarms(rows.alarms, serving, builder.equipment)
        site = Site(
            id=rows.site.site.id,
            name=Name(rows.site.site.name.zh, rows.site.site.name.en),
            timezone=zone,
            generation=self.generation,
            buildings=builder.buildings,
            areas=builder.areas,
            equipment=equipment,
            points=with_limits(builder.points, alarms.values()),
        )
        now = datetime.fromtimestamp(self.clock.now_ns() / 1e9, ZoneInfo(zone))
        said = [*builder.notices, *ended(tariff, now.date())]
        told = (*alarms.values(), *fire_alarms(fire))
        notify = notify_plan(rows.notify, rows.notify_places, site, folder, self.environment, told, problems, said)
        _raise(problems)
        _raise(check_rules(definitions, site, self.clock))
        return Configuration(
            folder=self.files.folder,
            site=site,
            devices=devices,
            equipment=builder.equipment_of,
            alarms=tuple(alarms.values()),
            rules=definitions,
            server=rows.server,
            calendar=calendar,
            timetable=timetable,
            energy=energy,
            tariff=tariff,
            report=report_plan(rows.report),
            fleet=fleet,
            scenarios=drills,
            notify=notify,
            fire=fire,
            strategies=programs,
            notices=(*said, *(f"{key} is set aside: {said[0]}" for key, said in laid.aside.items())),
            retired=tuple(
                Retirement(device, change.who, change.why, change.time_ns)
                for device in builder.devices
                if (change := laid.retired.get(device.id)) is not None
            ),
            aside=laid.aside,
            same=tuple(laid.same),
            plans=plans,
        )


def _check_server(rows: Rows, folder: Path, problems: list[Problem]) -> None:
    """Check what `shifu run` would stumble over before it opens anything."""
    http, influx, line = rows.server.http, rows.server.history.influx, rows.server_places.line
    if bool(http.certificate) != bool(http.private_key):
        key = "private_key" if http.certificate else "certificate"
        problems.append(Problem("server.toml", line(("http",)), f"http.{key}", "nothing", "this key", "Give the pair."))
    for key, given in (("certificate", http.certificate), ("private_key", http.private_key)):
        if given and not (folder / given).is_file():
            todo = "`shifu tls init` makes a pair."
            where = line(("http", key))
            problems.append(Problem("server.toml", where, f"http.{key}", f'"{given}"', "a file that exists", todo))
    if influx is not None and bool(influx.token_env) == bool(influx.token_file):
        where = line(("history", "influx"))
        wanted = 'exactly one of "token_env" and "token_file"'
        problems.append(Problem("server.toml", where, "history.influx", "", wanted))


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise SettingsError(problems)
