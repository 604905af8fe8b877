"""The configuration in effect: what the files say, with what was changed on the screens laid over it.

Files are read at a start and by `apply`; a change of a screen is kept in the state database first and then in effect.
One change at a time; a bad one leaves everything as it is. What a change means for the running parts is the matter of
the controller (`Effects`).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from controller import recall
from controller.api.render import limits_json
from controller.api.runtime import LimitChange
from controller.connection import check_devices
from controller.errors import UnavailableError
from controller.journal.entry import AuditRow
from controller.point.registry import Registry
from controller.settings.amendment import is_amendment
from controller.settings.calendar import entry_key
from controller.settings.declaration import DECLARED, declared_key, declared_row, lay_declarations
from controller.settings.difference import compare
from controller.settings.inventory import Inventory
from controller.settings.load import build, read_files
from controller.settings.overlay import (
    LIMITS,
    Change,
    apply_plans,
    forget,
    lay_over,
    limit_change,
    plan_change,
    plan_key,
    store,
)
from controller.settings.problem import SettingsError
from controller.settings.roster import lay_rosters, roster_key
from controller.settings.schedule import schedule_key
from controller.settings.strategy import lay_strategies, strategy_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from controller.journal.journal import Journal
    from controller.plan.plan import Plan
    from controller.point.model import Limits
    from controller.settings.build import Endpoints
    from controller.settings.configuration import Configuration
    from controller.settings.difference import Difference
    from controller.settings.load import Files
    from controller.strategy.charging.declaration import Declared
    from controller.strategy.strategy import Mode
    from drivers.driver import Clock

__all__ = ["Effects", "Revision"]

_log = logging.getLogger(__name__)


class Effects(Protocol):
    """What the running parts do when the configuration is another."""

    async def swap(self, new: Configuration, use: Callable[[], None]) -> None:
        """Put a whole configuration into effect; `use` is called between two turns, when nothing can fail any more."""

    def limits(self, new: Configuration) -> None:
        """Limits of alarms are others, and nothing else."""

    def calendars(self) -> None:
        """Calendars, schedules or bookings are others."""

    def modes(self) -> None:
        """A strategy was switched, or something declared to one."""


class Revision:
    """One a controller. `load` first; everything else as it is needed."""

    configuration: Configuration
    """What is in effect."""
    files: Configuration
    """What the files say, with the equipment and devices of the screen, without changed limits and calendars."""
    inventory: Inventory

    def __init__(self, folder: Path, endpoints: Endpoints, journal: Journal, clock: Clock, effects: Effects) -> None:
        """Prepare; nothing is read."""
        self._folder = folder
        self._endpoints = endpoints
        self._journal = journal
        self._clock = clock
        self._effects = effects
        self._applying = asyncio.Lock()
        self._text: Files
        self._changes: dict[str, Change] = {}

    async def load(self) -> None:
        """Read the files and what was changed, at a start.

        Raises:
            SettingsError, InvalidError: what is wrong with the files.
            UnavailableError: the state database cannot keep the point numbers.
        """
        self.configuration = await self._load()

    async def apply(self, *, dry_run: bool = False, who: str = "system") -> Difference:
        """Read the site's folder again and swap to it between two turns; a bad one changes nothing.

        Raises:
            SettingsError, InvalidError: what is wrong with the new files; the old configuration runs on.
            UnavailableError: the state database cannot keep the new point numbers.
        """
        async with self._applying:
            new = await self._load(dry_run=dry_run)
            difference = compare(self.configuration, new)
            if dry_run:
                return difference
            await self._forget_same(who)
            if not difference:
                return difference
            await self._swap(new)
            for notice in new.notices:
                _log.warning("%s", notice)
            self._journal.audit(
                AuditRow(self._clock.now_ns(), who, "apply", self._folder.name, data=difference.to_json())
            )
            return difference

    async def _forget_same(self, who: str) -> None:
        """End the changes of the screen that the files say too by now."""
        for key in self.files.same:
            change = self._changes[key]
            said = AuditRow(
                self._clock.now_ns(),
                who,
                "device_change",
                key,
                reason="the files say the same",
                data={"by": change.who},
            )
            await self._journal.change(said, forget(key, made_ns=change.time_ns))
            del self._changes[key]
        self.files = replace(self.files, same=())
        self.inventory = Inventory(self._text, self._changes, self.files, self._endpoints)

    async def _swap(self, new: Configuration) -> None:
        def use() -> None:
            self.configuration = new

        await self._effects.swap(new, use)

    async def _load(self, *, dry_run: bool = False) -> Configuration:
        registry = Registry(await recall.point_numbers(self._journal))
        changes = {change.key: change for change in await recall.changes(self._journal)}
        generation = (
            self.configuration.site.generation if dry_run else await recall.next_generation(self._journal, self._clock)
        )
        text, files = await asyncio.to_thread(self._read, registry, generation, tuple(changes.values()))
        if not dry_run:
            await recall.keep_numbers(self._journal, registry.new, self._clock)
            self._text, self.files, self._changes = text, files, changes
            self.inventory = Inventory(text, changes, files, self._endpoints)
        return lay_over(files, changes.values(), self._clock.now_ns(), generation)

    def _read(self, registry: Registry, generation: int, changes: Sequence[Change]) -> tuple[Files, Configuration]:
        text = read_files(self._folder)
        return text, self._build(text, registry, generation, changes)

    def _build(self, text: Files, registry: Registry, generation: int, changes: Sequence[Change]) -> Configuration:
        return build(
            text,
            registry,
            clock=self._clock,
            generation=generation,
            changes=[change for change in changes if is_amendment(change.key)],
            endpoints=self._endpoints,
            check_devices=check_devices,
        )

    async def amend(self, made: Sequence[Change], ended: Sequence[str]) -> None:
        """Make and end changes of equipment and devices over the files as they were applied, all or none.

        Raises:
            SettingsError: one of them does not fit, or would set another aside; nothing was changed.
            UnavailableError: they cannot be kept; nothing was changed.
        """
        async with self._applying:
            changes = {key: change for key, change in self._changes.items() if key not in ended}
            changes |= {change.key: change for change in made}
            registry = Registry(await recall.point_numbers(self._journal))
            self._text.library.look_again()
            files = await asyncio.to_thread(self._build, self._text, registry, 0, tuple(changes.values()))
            wrong = [said for key, said in files.aside.items() if self.files.aside.get(key) != said]
            wrong += [files.aside[change.key] for change in made if change.key in files.aside]
            if wrong:
                raise SettingsError(list(dict.fromkeys(problem for said in wrong for problem in said)))
            generation = await recall.next_generation(self._journal, self._clock)
            new = lay_over(files, changes.values(), self._clock.now_ns(), generation)
            await recall.keep_numbers(self._journal, registry.new, self._clock)
            await self._journal.write(*map(forget, ended), *map(store, made))
            self.files, self._changes = files, changes
            self.inventory = Inventory(self._text, changes, files, self._endpoints)
            await self._swap(new)

    async def set_limits(self, address: str, limits: Limits, owner: str, reason: str, until_ns: int | None) -> None:
        """Lay limits over the files' and put them into effect; those of the files end the change.

        Raises:
            NotFoundError: the point is gone.
            UnavailableError: they cannot be kept; nothing was changed.
        """
        async with self._applying:
            now_ns = self._clock.now_ns()
            made = Change(LIMITS + address, None, owner, reason, until_ns, now_ns)
            change = limit_change(self.files, address, limits, made)
            changes = {key: old for key, old in self._changes.items() if key != made.key}
            if change is not None:
                changes[change.key] = change
            generation = await recall.next_generation(self._journal, self._clock)
            new = lay_over(self.files, changes.values(), now_ns, generation)
            await self._journal.write(forget(made.key) if change is None else store(change))
            self._changes = changes
            self._use_limits(new)

    async def set_plan(self, building: str, floor: str, plan: Plan | None, owner: str, reason: str) -> None:
        """Use a plan in place of the files'; None, or that of the files, ends the change.

        Raises:
            UnavailableError: it cannot be kept; nothing was changed.
        """
        async with self._applying:
            made = Change(plan_key(building, floor), None, owner, reason, None, self._clock.now_ns())
            change = None if plan is None else plan_change(self.files, plan, made)
            changes = {key: old for key, old in self._changes.items() if key != made.key}
            if change is not None:
                changes[change.key] = change
            await self._journal.write(forget(made.key) if change is None else store(change))
            self._changes = changes
            self.configuration = replace(self.configuration, plans=apply_plans(self.files, changes.values()))

    async def set_entry(self, kind: str, id_: str, value: Mapping[str, Any] | None, owner: str, reason: str) -> None:
        """Lay a row of a calendar over the files' and put it into effect; None takes the entry away.

        Raises:
            UnavailableError: it cannot be kept; nothing was changed.
        """
        of_files = id_ in self.files.calendar.entries(kind)
        await self._lay(entry_key(kind, id_), value, owner, reason, of_files=of_files)

    async def reset_entry(self, kind: str, id_: str) -> None:
        """Have an entry be as the files say again.

        Raises:
            UnavailableError: this cannot be kept; nothing was changed.
        """
        await self._reset(entry_key(kind, id_))

    async def set_schedule(self, kind: str, id_: str, value: Mapping[str, Any] | None, owner: str, reason: str) -> None:
        """Lay a change of a schedule or an exception over the files'; None takes an exception away.

        Raises:
            UnavailableError: it cannot be kept; nothing was changed.
        """
        of_files = id_ in self.files.timetable.exceptions
        await self._lay(schedule_key(kind, id_), value, owner, reason, of_files=of_files)

    async def reset_schedule(self, kind: str, id_: str) -> None:
        """Have a schedule or an exception be as the files say again.

        Raises:
            UnavailableError: this cannot be kept; nothing was changed.
        """
        await self._reset(schedule_key(kind, id_))

    async def _lay(self, key: str, value: Mapping[str, Any] | None, owner: str, reason: str, *, of_files: bool) -> None:
        if value is None and not of_files:
            await self._reset(key)  # what is of a screen alone leaves nothing behind
            return
        async with self._applying:
            change = Change(key, value, owner, reason, None, self._clock.now_ns())
            await self._journal.write(store(change))
            self._use_calendar({**self._changes, key: change})

    async def _reset(self, key: str) -> None:
        async with self._applying:
            await self._journal.write(forget(key))
            self._use_calendar({mine: change for mine, change in self._changes.items() if mine != key})

    def _use_calendar(self, changes: dict[str, Change]) -> None:
        """Calendars change no point and no alarm's definition: the site stays as it is, and so do all screens."""
        now_ns, generation = self._clock.now_ns(), self.configuration.site.generation
        self._changes = changes
        new = lay_over(self.files, changes.values(), now_ns, generation)
        self.configuration = replace(self.configuration, calendar=new.calendar, timetable=new.timetable)
        self._effects.calendars()

    async def set_roster(self, duty: str, value: Mapping[str, Any] | None, owner: str, reason: str) -> None:
        """Lay a roster over the files'; None has it be as the files say again.

        Raises:
            UnavailableError: it cannot be kept; nothing was changed.
        """
        async with self._applying:
            made = Change(roster_key(duty), value, owner, reason, None, self._clock.now_ns())
            await self._journal.write(forget(made.key) if value is None else store(made))
            changes = {key: change for key, change in self._changes.items() if key != made.key}
            self._changes = changes if value is None else {**changes, made.key: made}
            notify = lay_rosters(self.files.notify, self._changes.values())
            self.configuration = replace(self.configuration, notify=notify)

    async def set_mode(self, strategy: str, mode: Mode, owner: str, reason: str) -> None:
        """Switch a strategy; the mode of the files ends the change.

        Raises:
            UnavailableError: it cannot be kept; nothing was changed.
        """
        async with self._applying:
            change = Change(strategy_key(strategy), mode, owner, reason, None, self._clock.now_ns())
            same = any(one.strategy.id == strategy and one.mode == mode for one in self.files.strategies)
            await self._journal.write(forget(change.key) if same else store(change))
            self._changes = {key: old for key, old in self._changes.items() if key != change.key}
            if not same:
                self._changes[change.key] = change
            self._use_strategies()

    def _use_strategies(self) -> None:
        changes = self._changes.values()
        entries = lay_declarations(lay_strategies(self.files.strategies, changes), changes)
        self.configuration = replace(self.configuration, strategies=entries)
        self._effects.modes()

    async def declare(self, charger: str, said: Declared | None, owner: str, reason: str) -> None:
        """Keep what was declared of the car at a charger, in place of what was said before; None takes it back.

        Raises:
            UnavailableError: it cannot be kept; nothing was changed.
        """
        async with self._applying:
            key = declared_key(charger)
            change = None
            if said is not None:
                change = Change(key, declared_row(said), owner, reason, None, self._clock.now_ns())
            await self._journal.write(forget(key) if change is None else store(change))
            self._changes = {old: made for old, made in self._changes.items() if old != key}
            if change is not None:
                self._changes[key] = change
            self._use_strategies()

    async def end_declaration(self, charger: str, made_ns: int | None, why: str) -> None:
        """End what was declared of a session that is over; with `made_ns` only what was declared then.

        Raises:
            UnavailableError: it cannot be recorded; it is to be ended again.
        """
        async with self._applying:
            key = declared_key(charger)
            change = self._changes.get(key)
            if change is None or made_ns not in (None, change.time_ns):
                return
            said = AuditRow(
                self._clock.now_ns(),
                "system",
                "charging_declaration",
                charger,
                reason=why,
                data={"before": change.value, "after": None, "by": change.who},
            )
            await self._journal.change(said, forget(key, made_ns=change.time_ns))
            self._changes = {old: made for old, made in self._changes.items() if old != key}
            self._use_strategies()

    @property
    def declared(self) -> tuple[str, ...]:
        """Return the chargers of whose cars something is declared."""
        return tuple(key.removeprefix(DECLARED) for key in self._changes if key.startswith(DECLARED))

    def _use_limits(self, new: Configuration) -> None:
        self.configuration = new
        self._effects.limits(new)

    async def run(self) -> None:
        """Have changes end by themselves when their time is over, also those that ended while nothing ran."""
        ended: list[Change] = []
        while True:
            async with self._applying:
                # The files' limits come back first: with the journal down they must not wait for it.
                ended += self._end_changes()
            try:
                while ended:
                    await self._record_end(ended[0])
                    ended.pop(0)
            except UnavailableError as error:
                _log.error("limits of %s ended, which is not recorded yet: %s", ended[0].key, error)
            await self._clock.sleep(1.0)

    def _end_changes(self) -> list[Change]:
        now_ns = self._clock.now_ns()
        ended = [change for change in self._changes.values() if change.over(now_ns)]
        if ended:
            self._changes = {key: change for key, change in self._changes.items() if change not in ended}
            generation = self.configuration.site.generation + 1
            self._use_limits(lay_over(self.files, self._changes.values(), now_ns, generation))
        return ended

    async def _record_end(self, change: Change) -> None:
        address = change.key.removeprefix(LIMITS)
        base = self.base_limits(address)
        data = {"before": change.value, "after": None if base is None else limits_json(base), "by": change.who}
        now_ns = self._clock.now_ns()
        await recall.next_generation(self._journal, self._clock)
        row = AuditRow(now_ns, "system", "limit_change", address, reason="its time is over", data=data)
        await self._journal.change(row, forget(change.key, made_ns=change.time_ns))

    def change(self, key: str) -> LimitChange | None:
        """Return who changed what `key` names on a screen; None when it is as the files say."""
        change = self._changes.get(key)
        return None if change is None else LimitChange(change.who, change.why, change.time_ns, change.expires_ns)

    def limit_change(self, address: str) -> LimitChange | None:
        """Return who changed the limits of a point."""
        return self.change(LIMITS + address)

    def plan_change(self, building: str, floor: str) -> LimitChange | None:
        """Return who changed the plan of a floor."""
        return self.change(plan_key(building, floor))

    def base_limits(self, address: str) -> Limits | None:
        """Return the limits that the files give a point."""
        point = self.files.site.points.get(address)
        return None if point is None else point.limits
