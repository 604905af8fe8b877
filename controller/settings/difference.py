"""What a new configuration would change, before it does."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.point.model import Site
    from controller.settings.configuration import Configuration

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

    site: Change
    """`site` itself, and its buildings and areas as `building main`, `area office`."""
    equipment: Change
    points: Change
    devices: Change
    alarms: Change
    rules: Change
    plans: Change
    """By building and floor, as `main 1F`."""
    strategies: Change
    """By id; a mode that the files changed too."""
    calendar: Change
    """Venues, bookings, feeds, works and inspections, as `works 114-0231`; carbon factors, uses, vehicles and the
    scenarios of fire drills too."""
    """Venues, bookings, feeds, works and inspections, as `works 114-0231`; schedules, their exceptions and days, carbon
    factors, uses, tariffs, times of reports and vehicles too."""
    notify: Change
    """Channels, contacts, duties and routes of notify.toml, as `route fire`; its other keys as `notify`."""
    fire: Change
    """Causes of fire.toml, as `cause floor-3f`, and `fire` for its panel, zones and times."""
    links: tuple[str, ...]
    """Endpoints whose connection is opened, closed, or closed and opened again."""
    restart: tuple[str, ...] = ()
    """Keys of server.toml that have changed; they take effect at the next start."""
    aside: tuple[str, ...] = ()
    """Devices and equipment of the screen that do not go with the files, one sentence each; they have no effect."""

    def __bool__(self) -> bool:
        return any(
            (
                self.site,
                self.equipment,
                self.points,
                self.devices,
                self.alarms,
                self.rules,
                self.plans,
                self.strategies,
                self.calendar,
                self.notify,
                self.fire,
            )
        )

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
        changed=tuple(name for name, device in after.items() if name in before and not before[name].same_as(device)),
    )
    touched = {before[name].endpoint for name in (*devices.removed, *devices.changed)}
    touched |= {after[name].endpoint for name in (*devices.added, *devices.changed)}
    return Difference(
        site=_change(_places(old.site), _places(new.site)),
        equipment=_change(old.site.equipment, new.site.equipment),
        points=_change(old.site.points, new.site.points),
        devices=devices,
        alarms=_change({item.id: item for item in old.alarms}, {item.id: item for item in new.alarms}),
        rules=_change({item.id: item for item in old.rules}, {item.id: item for item in new.rules}),
        plans=_change(_plans(old), _plans(new)),
        strategies=_change(
            {item.strategy.id: item for item in old.strategies}, {item.strategy.id: item for item in new.strategies}
        ),
        calendar=_change(_entries(old), _entries(new)),
        notify=_change(_told(old), _told(new)),
        fire=_change(_causes(old), _causes(new)),
        links=tuple(sorted(touched)),
        restart=_restart(old.server.model_dump(), new.server.model_dump()),
        aside=tuple(f"{key} is set aside: {problems[0]}" for key, problems in new.aside.items()),
    )


def _places(site: Site) -> dict[str, Any]:
    return {
        "site": (site.id, site.name, site.timezone),
        **{f"building {item.id}": item for item in site.buildings.values()},
        **{f"area {item.id}": item for item in site.areas.values()},
    }


def _plans(configuration: Configuration) -> dict[str, Any]:
    return {" ".join(key): plan for key, plan in configuration.plans.items()}


def _entries(configuration: Configuration) -> dict[str, Any]:
    calendar, energy = configuration.calendar, configuration.energy
    timetable = configuration.timetable
    return {
        **{f"venue {item.id}": item for item in calendar.venues.values()},
        **{f"feed {item.name}": item.digest for item in calendar.feeds},
        **{f"booking {item.id}": item for item in calendar.bookings},
        **{f"works {item.id}": item for item in calendar.works},
        **{f"inspection {item.id}": item for item in calendar.inspections},
        **{f"schedule {item.id}": item for item in timetable.schedules.values()},
        **{f"exception {item.id}": item for item in timetable.exceptions.values()},
        **{f"day {day}": item for day, item in timetable.office.added.items()},
        **({f"holidays {timetable.office.country}": timetable.office.country} if timetable.office.country else {}),
        **{f"carbon {item.year}": item for item in energy.factors},
        **{f"use {item.id}": item for item in energy.uses},
        **{f"main meter {item}": item for item in energy.main},
        **{f"tariff {item.id}": item for item in configuration.tariff.tables},
        **({} if configuration.tariff.account is None else {"tariff account": configuration.tariff.account}),
        **({"report schedule": configuration.report} if configuration.report.kinds else {}),
        **{f"vehicle {item.id}": item for item in configuration.fleet.vehicles},
        **{f"drill scenario {item.id}": item for item in configuration.scenarios.values()},
    }


def _told(configuration: Configuration) -> dict[str, Any]:
    plan = configuration.notify
    return {
        "notify": (plan.pace, plan.address, plan.gateway, plan.hosts, plan.reports, plan.cleared),
        # The whole of it, secrets too: `repr` leaves them out, and a new password is a change.
        **{f"channel {item.id}": (item, item.url, item.user, item.password) for item in plan.channels.values()},
        **{f"contact {item.id}": (item, [way.to for way in item.ways]) for item in plan.contacts.values()},
        **{f"duty {item.id}": item for item in plan.duties.values()},
        **{f"route {item.id}": item for item in plan.routes},
    }


def _causes(configuration: Configuration) -> dict[str, Any]:
    table = configuration.fire
    head = {"fire": replace(table, causes=())} if table.panel else {}
    return {**head, **{f"cause {cause.id}": cause for cause in table.causes}}


def _restart(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{table}.{key}" for table in new for key in new[table] if new[table][key] != old.get(table, {}).get(key)
    )


def _change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    return Change(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(name for name, item in new.items() if name in old and repr(item) != repr(old[name])),
    )
