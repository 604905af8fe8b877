"""From a site's folder to a configuration, or to a list of everything that is wrong with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from controller.point.model import Name, Site
from controller.settings.alarm import communication_alarms, point_alarms, with_limits
from controller.settings.build import Builder, Endpoints
from controller.settings.calendar import Frame, build_calendar
from controller.settings.configuration import Configuration
from controller.settings.document import with_documents
from controller.settings.energy import energy_plan, vehicles
from controller.settings.library import Library
from controller.settings.overlay import apply_limits
from controller.settings.plan import floor_plans
from controller.settings.problem import Problem, SettingsError
from controller.settings.read import read_site
from controller.settings.rule import check_rules, rules, virtual_points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from controller.point.registry import Registry
    from controller.settings.overlay import Change
    from controller.settings.read import Rows
    from drivers.driver import Clock, Device

    CheckDevices = Callable[[Sequence[Device], Clock], Iterable[tuple[str, str]]]

__all__ = ["load"]


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
    """Read, check and build a site.

    `registry` gives new addresses their numbers: keep its `new` when all is well, and throw it away when not.
    `clock` tells which entries of the overlay (`changes`) have expired. `check_devices` has the protocols check what
    only they know of profiles and options (`controller.connection.check_devices`); without it that is not checked.

    Raises:
        SettingsError: with every problem that was found. What stands on something that is wrong already (an alarm on
            a device with a wrong profile) is looked at when that is mended.
    """
    rows = read_site(folder)
    builder = Builder(
        rows,
        Library(folder),
        registry,
        folder=folder,
        environment=os.environ if environment is None else environment,
        endpoints=endpoints or Endpoints(),
    )
    builder.build()
    problems = builder.problems
    zone = rows.site.site.timezone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        line = rows.places.line(("site", "timezone"))
        problems.append(Problem("site.toml", line, "site.timezone", f'"{zone}"', "an IANA name such as Asia/Taipei"))
    _check_server(rows, folder, problems)
    _raise(problems)
    if check_devices is not None:
        places = {placed.row.id: placed for placed in rows.devices}
        for device, message in check_devices(builder.devices, clock):
            placed = places[device]
            what = f'"{device}" with profile {placed.row.profile}: {message}'
            problems.append(Problem(placed.file, placed.line, "device", what, ""))
    definitions = rules(rows.rules, problems)
    builder.points |= virtual_points(definitions, builder.equipment, builder.points, registry, problems)
    equipment = with_documents(rows, builder.equipment, folder, problems)
    plans = floor_plans(rows.plans, builder.buildings, builder.equipment, builder.points, folder, problems)
    alarms = point_alarms(rows.alarms, builder.equipment, builder.points, problems, builder.areas)
    calendar = build_calendar(rows, Frame(builder.equipment, builder.areas, builder.buildings, zone), problems)
    energy = energy_plan(rows, builder.equipment, builder.points, problems)
    fleet = vehicles(rows, problems)
    _raise(problems)
    alarms = apply_limits(alarms, changes, clock.now_ns())
    alarms |= communication_alarms(rows.alarms, builder.equipment_of, builder.equipment)
    site = Site(
        id=rows.site.site.id,
        name=Name(rows.site.site.name.zh, rows.site.site.name.en),
        timezone=zone,
        generation=generation,
        buildings=builder.buildings,
        areas=builder.areas,
        equipment=equipment,
        points=with_limits(builder.points, alarms.values()),
    )
    _raise(check_rules(definitions, site, clock))
    return Configuration(
        folder=folder,
        site=site,
        devices=tuple(builder.devices),
        equipment=builder.equipment_of,
        alarms=tuple(alarms.values()),
        rules=definitions,
        server=rows.server,
        calendar=calendar,
        energy=energy,
        fleet=fleet,
        notices=builder.notices,
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
