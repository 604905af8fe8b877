"""From a site's folder to a configuration, or to a list of everything that is wrong with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from controller.point.model import Name, Site
from controller.settings.alarm import communication_alarms, point_alarms, with_limits
from controller.settings.build import Builder, Endpoints
from controller.settings.configuration import Configuration
from controller.settings.library import Library
from controller.settings.overlay import apply_limits
from controller.settings.problem import Problem, SettingsError, nearest
from controller.settings.read import read_site
from controller.settings.rule import rules, virtual_points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from controller.point.registry import Registry
    from controller.rule.definition import RuleDefinition
    from controller.settings.overlay import Change

__all__ = ["load"]


def load(
    folder: Path,
    registry: Registry,
    *,
    generation: int = 1,
    now_ns: int = 0,
    changes: Iterable[Change] = (),
    endpoints: Endpoints | None = None,
    environment: Mapping[str, str] | None = None,
    check_rules: Callable[[Sequence[RuleDefinition], Site], None] | None = None,
) -> Configuration:
    """Read, check and build a site.

    `registry` gives new addresses their numbers: keep its `new` when all is well, and throw it away when not.
    `check_rules` compiles the rules against the site and raises InvalidError with line and column.

    Raises:
        SettingsError: with every problem that was found.
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
        problems.append(Problem("site.toml", 0, "site.timezone", f'"{zone}"', "an IANA name such as Asia/Taipei"))
    definitions = rules(rows.rules, problems)
    builder.points |= virtual_points(definitions, builder.equipment, builder.points, registry, problems)
    alarms = point_alarms(rows.alarms, builder.equipment, builder.points, problems)
    alarms = apply_limits(alarms, changes, now_ns)
    alarms |= communication_alarms(rows.alarms, builder.equipment_of, builder.equipment)
    for placed in rows.alarms:
        if placed.row.kind == "communication" and placed.row.cls is not None:
            known = {piece.cls for piece in builder.equipment.values()}
            if placed.row.cls not in known:
                todo = nearest(placed.row.cls, known)
                got = f'"{placed.row.cls}"'
                problems.append(Problem(placed.file, placed.line, "alarm.class", got, "a class of the site", todo))
    if problems:
        raise SettingsError(problems)
    site = Site(
        id=rows.site.site.id,
        name=Name(rows.site.site.name.zh, rows.site.site.name.en),
        timezone=zone,
        generation=generation,
        buildings=builder.buildings,
        areas=builder.areas,
        equipment=builder.equipment,
        points=with_limits(builder.points, alarms.values()),
    )
    if check_rules is not None:
        check_rules(definitions, site)
    return Configuration(
        folder=folder,
        site=site,
        devices=tuple(builder.devices),
        equipment=builder.equipment_of,
        alarms=tuple(alarms.values()),
        rules=definitions,
        server=rows.server,
        notices=builder.notices,
    )
