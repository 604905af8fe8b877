from __future__ import annotations

import pytest

from controller.errors import InvalidError
from controller.identity.permission import ROLES, Action, PermissionSet, Role, preset


def test_area_of_its_own_allows_nothing_else() -> None:
    west = preset(Role.OPERATOR, ["west"])
    assert west.allows(Action.COMMAND, "west")
    assert not west.allows(Action.COMMAND, "east")
    assert not west.allows(Action.COMMAND, "")
    assert not west.allows(Action.COMMAND)
    assert not west.allows(Action.CONFIGURE, "west")
    assert west.areas(Action.VIEW) == frozenset({"west"})


def test_star_is_everywhere_also_outside_of_areas() -> None:
    everywhere = preset(Role.OPERATOR)
    assert everywhere.allows(Action.COMMAND, "")
    assert everywhere.areas(Action.VIEW) is None
    assert everywhere.areas(Action.AUDIT) == frozenset()


def test_everybody_views_and_only_few_do_more() -> None:
    assert all(Action.VIEW in actions for actions in ROLES.values())
    assert {role for role, actions in ROLES.items() if Action.MANAGE_USERS in actions} == {Role.ADMINISTRATOR}
    assert {role for role, actions in ROLES.items() if Action.SAFETY in actions} == {Role.SAFETY_OFFICER}
    assert ROLES[Role.WALL] == {Action.VIEW}


def test_who_administers_runs_no_plant_and_who_declares_an_emergency_works_it_not_off() -> None:
    assert not ROLES[Role.ADMINISTRATOR] & {Action.COMMAND, Action.ACKNOWLEDGE, Action.SAFETY, Action.SECURITY}
    assert Action.COMMAND not in ROLES[Role.SAFETY_OFFICER]
    assert all(any(action in actions for actions in ROLES.values()) for action in Action), "a right that nobody has"


def test_token_is_narrowed_by_what_its_owner_has_now() -> None:
    token = PermissionSet.parse([{"action": "command", "area": "*"}, {"action": "view", "area": "plant"}])
    owner = preset(Role.OPERATOR, ["plant", "west"])
    narrowed = owner.narrowed(token)
    assert narrowed.allows(Action.COMMAND, "west")
    assert not narrowed.allows(Action.COMMAND, "east")
    assert narrowed.allows(Action.VIEW, "plant")
    assert not narrowed.allows(Action.VIEW, "west")
    assert not preset(Role.VIEWER).narrowed(token).anywhere(Action.COMMAND)
    assert PermissionSet.parse(token.rows()) == token


@pytest.mark.parametrize("row", [{"action": "fly", "area": "*"}, {"action": "view"}, {"action": "view", "area": ""}])
def test_wrong_rows_are_refused(row: dict[str, str]) -> None:
    with pytest.raises(InvalidError, match=r"use one of|name an area"):
        PermissionSet.parse([row])
