"""Permissions as data: pairs of action and area; roles are presets of them.

A principal may do an action in an area when it holds the pair (action, area) or (action, "*"). Everything else is
refused: there is no default that allows. Source of the principle: IEC 62443-3-3 SR 2.1 RE1/RE2, OWASP ASVS 4.1.3.

Who may do what, and why:

- Doors, cameras and persons of card events are seen and worked by `security`: guards, and the operators of the control
  room, who answer SOS calls and look at the cameras there. Whoever has it in an area also unlocks its doors (slot 8).
- The plant is run by those who answer for it. Operators acknowledge alarms and fill slot 8; engineers also the slots
  that programs use (`command` and `configure`), and the limits of alarms.
- Slot 7, the emergency of the site, is above the operators' and belongs to the safety officer (`safety`), who has no
  other slot: an emergency is declared by one person and worked off by others. No slot needs rights that no role has.
- The administrator manages users, tokens and settings and reads the audit journal, but runs no plant: least privilege
  and separation of duties (附表十, account management; ISO/IEC 27002 5.3). Whoever does both has two accounts, so
  that the journals tell which of the two acted. A token for a program that commands is made for an operator or an
  engineer (`user` of POST /api/v1/tokens) and never has more rights than that person has.
- Slots 1, 2 and 6 are nobody's: those of the fire panel, the fireman and the arbiter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["EVERYWHERE", "ROLES", "Action", "Permission", "PermissionSet", "Role", "preset"]

EVERYWHERE = "*"
"""The area that stands for all areas, and for things that belong to none."""


class Action(StrEnum):
    """What can be done. A route names exactly one."""

    VIEW = "view"
    ACKNOWLEDGE = "acknowledge"
    COMMAND = "command"
    CONFIGURE = "configure"
    MANAGE_USERS = "manage_users"
    AUDIT = "audit"
    SAFETY = "safety"
    """Declare an emergency of the site (slot 7), stand down after a fire, end a drill."""
    SECURITY = "security"
    """Doors, cameras, intercom; who passed a door."""
    MUSTER = "muster"
    """Count the people of a floor at an assembly point."""


class Role(StrEnum):
    """Names of the presets."""

    VIEWER = "viewer"
    GUARD = "guard"
    OPERATOR = "operator"
    SAFETY_OFFICER = "safety_officer"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"
    WALL = "wall"
    WARDEN = "warden"


ROLES: Mapping[Role, frozenset[Action]] = {
    Role.VIEWER: frozenset({Action.VIEW}),
    Role.WALL: frozenset({Action.VIEW}),
    Role.WARDEN: frozenset({Action.VIEW, Action.MUSTER}),
    Role.GUARD: frozenset({Action.VIEW, Action.ACKNOWLEDGE, Action.SECURITY}),
    Role.OPERATOR: frozenset({Action.VIEW, Action.ACKNOWLEDGE, Action.COMMAND, Action.SECURITY}),
    Role.SAFETY_OFFICER: frozenset({Action.VIEW, Action.ACKNOWLEDGE, Action.SAFETY, Action.MUSTER}),
    Role.ENGINEER: frozenset({Action.VIEW, Action.ACKNOWLEDGE, Action.COMMAND, Action.CONFIGURE}),
    Role.ADMINISTRATOR: frozenset({Action.VIEW, Action.CONFIGURE, Action.MANAGE_USERS, Action.AUDIT}),
}


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One pair."""

    action: Action
    area: str


@dataclass(frozen=True, slots=True)
class PermissionSet:
    """The pairs of one principal."""

    pairs: frozenset[Permission] = frozenset()

    @classmethod
    def parse(cls, rows: Iterable[Mapping[str, object]]) -> PermissionSet:
        """Read the rows of the API or the database, `{"action": …, "area": …}`.

        Raises:
            InvalidError: an unknown action or an empty area.
        """
        pairs = set()
        for row in rows:
            area = row.get("area")
            try:
                action = Action(str(row.get("action")))
            except ValueError:
                known = ", ".join(Action)
                raise InvalidError(f"unknown action {row.get('action')!r}; use one of {known}") from None
            if not isinstance(area, str) or not area:
                raise InvalidError(f"area of {action.value!r} is {area!r}; name an area of the site or '*' for all")
            pairs.add(Permission(action, area))
        return cls(frozenset(pairs))

    def rows(self) -> list[dict[str, str]]:
        """Return the pairs for JSON, sorted."""
        return [{"action": pair.action.value, "area": pair.area} for pair in sorted(self.pairs)]

    def allows(self, action: Action, area: str = EVERYWHERE) -> bool:
        """Tell whether `action` may be done in `area`; an empty area needs the right everywhere."""
        return Permission(action, EVERYWHERE) in self.pairs or (bool(area) and Permission(action, area) in self.pairs)

    def anywhere(self, action: Action) -> bool:
        """Tell whether `action` may be done in at least one area."""
        return any(pair.action is action for pair in self.pairs)

    def areas(self, action: Action) -> frozenset[str] | None:
        """Return the areas in which `action` may be done; None means all."""
        if Permission(action, EVERYWHERE) in self.pairs:
            return None
        return frozenset(pair.area for pair in self.pairs if pair.action is action)

    def covers(self, other: PermissionSet) -> bool:
        """Tell whether everything in `other` is also allowed here."""
        return all(self.allows(pair.action, pair.area) for pair in other.pairs)

    def narrowed(self, other: PermissionSet) -> PermissionSet:
        """Return what both allow (a token never has more than its owner has now)."""
        both = {pair for pair in other.pairs if self.allows(pair.action, pair.area)}
        both |= {pair for pair in self.pairs if other.allows(pair.action, pair.area)}
        return PermissionSet(frozenset(both))


def preset(role: Role, areas: Iterable[str] = (EVERYWHERE,)) -> PermissionSet:
    """Return the pairs of a role in the given areas (none given: everywhere)."""
    places = tuple(areas) or (EVERYWHERE,)
    return PermissionSet(frozenset(Permission(action, area) for action in ROLES[role] for area in places))
