"""Declaring of a car at a charger over the API: what is kept, who may, what is refused and changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.api.charging_session import SessionDetail
from controller.identity.permission import Role
from controller.point.model import Name
from controller.strategy.charging.bay import Bay
from controller.strategy.charging.declaration import Declarations, Declared
from controller.strategy.charging.demand import Rank
from controller.strategy.charging.outlook import Situation
from controller.strategy.charging.strategy import Setting
from controller.strategy.engine import StrategyStatus
from controller.strategy.strategy import Decision
from tests.virtual.charging_day import strategy_of

HOUR_NS = 3_600_000_000_000
CHARGER, OTHER = "hall.hvac.ahu1", "hall.plant.ch1"
PATH = f"/charging/sessions/{CHARGER}"
FIRST = {"instruction": "first", "reason": "下午出勤"}


class Post:
    """Two chargers, for which equipment of the test site stands in, one with a car."""

    def __init__(self, house: Any) -> None:
        self.house = house
        self.mode = "run"
        self.said = Declarations()
        now = house.clock.now_ns()
        self.bays = [
            Bay(
                CHARGER, "charging", True, "in_time", now - HOUR_NS, 3.2, 16.8, "assumed", now + 8 * HOUR_NS, "assumed",
                Rank.STAFF, Rank.STAFF, "", 500.0, 0.0, Name("計畫", "planned"),
            ),
            Bay(OTHER, "free", False),
        ]  # fmt: skip
        self.calls: list[tuple[str, Declared | None, str, str]] = []
        house.runtime.strategies = replace(house.runtime.strategies, statuses=self.statuses, declare=self.declare)

    def statuses(self) -> list[StrategyStatus]:
        strategy = replace(strategy_of(self.said, Setting()))
        decision = Decision("acting", Name("充電", "charging"), detail=Situation((), None, tuple(self.bays)))
        return [StrategyStatus(strategy, self.mode, decision, 1, (), {}, ())]  # type: ignore[arg-type]

    async def declare(self, charger: str, said: Declared | None, owner: str, reason: str) -> None:
        self.calls.append((charger, said, owner, reason))
        if said is None:
            self.said.forget(charger)
        else:
            self.said.by_charger[charger] = replace(said, made_ns=self.house.clock.now_ns())


@pytest.fixture
def post(house: Any) -> Post:
    return Post(house)


async def tagged(browser: Any, path: str = PATH) -> dict[str, str]:
    return {"If-Match": (await browser("GET", path)).headers["etag"]}


def local(house: Any, hours: float) -> str:
    """A time from now on, as a form sends it."""
    return datetime.fromtimestamp(house.clock.now_ns() / 1e9 + hours * 3600.0, UTC).isoformat(timespec="seconds")


async def test_an_operator_declares_and_takes_back(house: Any, post: Post) -> None:
    operator = await house.user(Role.OPERATOR)
    read = await operator("GET", PATH)
    SessionDetail.model_validate_json(read.content)
    row = read.json()
    assert (row["verdict"], row["wanted_of"], row["leaves_of"], row["declared"]) == (
        "in_time",
        "assumed",
        "assumed",
        None,
    )
    body = {**FIRST, "departure": local(house, 6.0), "kwh": 20.0}
    reply = await operator("PUT", PATH, json=body, headers=await tagged(operator))
    assert reply.status_code == 200, reply.text
    SessionDetail.model_validate_json(reply.content)
    said = reply.json()["declared"]
    assert (said["instruction"], said["kwh"], said["full"], said["reason"]) == ("first", 20.0, False, "下午出勤")
    assert said["departure"] is not None
    assert said["owner"]
    assert said["time"] is not None
    kept = post.said.of(CHARGER)
    assert kept is not None
    assert (kept.since_ns, kept.meter_kwh) == (post.bays[0].since_ns, 500.0)
    nothing = {"reason": "誤按"}
    taken = await operator("PUT", PATH, json=nothing, headers={"If-Match": reply.headers["etag"]})
    assert taken.json()["declared"] is None
    assert post.said.of(CHARGER) is None
    assert [call[1] is None for call in post.calls] == [False, True]


async def test_the_audit_has_who_declared_what_and_why(house: Any, post: Post) -> None:
    assert post
    operator, administrator = await house.user(Role.OPERATOR), await house.user(Role.ADMINISTRATOR)
    body = {"instruction": "stop", "reason": "車位要清空"}
    await operator("PUT", PATH, json=body, headers=await tagged(operator))
    rows = [
        one for one in (await administrator("GET", "/audit")).json()["items"] if one["action"] == "charging_declaration"
    ]
    assert {one["outcome"] for one in rows} == {"requested", "done"}
    assert {one["reason"] for one in rows} == {"車位要清空"}
    assert all(one["data"]["after"]["instruction"] == "stop" for one in rows)


@pytest.mark.parametrize("role", list(Role))
async def test_only_who_commands_there_declares(house: Any, post: Post, role: Role) -> None:
    other = await house.user(role)
    reply = await other("PUT", PATH, json=FIRST, headers=await tagged(other))
    allowed = role in (Role.OPERATOR, Role.ENGINEER)
    assert reply.status_code == (200 if allowed else 403), reply.text
    assert bool(post.calls) is allowed


async def test_an_operator_of_another_area_does_not_even_see_it(house: Any, post: Post) -> None:
    local_operator = await house.user(Role.OPERATOR, areas=("substation",))
    assert (await local_operator("GET", PATH)).status_code == 404
    assert (await local_operator("PUT", PATH, json=FIRST, headers={"If-Match": "x"})).status_code == 404
    rows = (await local_operator("GET", "/charging")).json()["sessions"]
    assert rows == []
    assert post.calls == []


async def test_an_operator_who_only_sees_it_may_not(house: Any, post: Post) -> None:
    mixed = await house.user(Role.VIEWER)
    assert [row["charger"] for row in (await mixed("GET", "/charging")).json()["sessions"]] == [CHARGER, OTHER]
    assert (await mixed("PUT", PATH, json=FIRST, headers=await tagged(mixed))).status_code == 403
    assert post.calls == []


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"reason": ""}, 422, ""),
        ({"instruction": "now", "reason": "x"}, 422, ""),
        ({"kwh": 201.0, "reason": "x"}, 422, ""),
        ({"kwh": -1.0, "reason": "x"}, 422, ""),
        ({"kwh": "20", "reason": "x"}, 422, ""),
        ({"kwh": 5.0, "full": True, "reason": "x"}, 422, "one of them"),
        ({"departure": "yesterday", "reason": "x"}, 422, ""),
        ({"departure": -1.0, "reason": "x"}, 422, "departure: it is past"),
        ({"departure": 169.0, "reason": "x"}, 422, "more than 7 days"),
        ({"instruction": "later", "reason": "x"}, 422, "until"),
        ({"instruction": "first", "until": 2.0, "reason": "x"}, 422, "until"),
        ({"instruction": "later", "until": 3.0, "departure": 2.0, "reason": "x"}, 422, "not before the departure"),
        ({"instruction": "stop", "reason": "a\nb"}, 422, ""),
        ({"instruction": "stop", "reason": "x", "more": 1}, 422, ""),
    ],
)
async def test_what_cannot_be_is_refused_clearly_and_changes_nothing(
    house: Any, post: Post, body: dict[str, Any], status: int, text: str
) -> None:
    operator = await house.user(Role.OPERATOR)
    sent = {
        key: local(house, value) if key in ("departure", "until") and isinstance(value, float) else value
        for key, value in body.items()
    }
    reply = await operator("PUT", PATH, json=sent, headers=await tagged(operator))
    assert reply.status_code == status, reply.text
    assert text in reply.text
    assert post.calls == []


async def test_no_car_an_unheard_charger_and_one_that_is_none_are_told_apart(house: Any, post: Post) -> None:
    operator = await house.user(Role.OPERATOR)
    path = f"/charging/sessions/{OTHER}"
    reply = await operator("PUT", path, json=FIRST, headers=await tagged(operator, path))
    assert (reply.status_code, "no car is plugged in" in reply.text) == (409, True)
    post.bays[1] = Bay(OTHER, "unknown", None, "unknown")
    reply = await operator("PUT", path, json=FIRST, headers=await tagged(operator, path))
    assert (reply.status_code, "not heard" in reply.text) == (409, True)
    reply = await operator("PUT", "/charging/sessions/hall.nothing", json=FIRST, headers={"If-Match": "x"})
    assert reply.status_code == 404
    reply = await operator("PUT", "/charging/sessions/hall.electrical.tx1", json=FIRST, headers={"If-Match": "x"})
    assert (reply.status_code, "no charger of the plan" in reply.text) == (404, True)
    post.mode = "off"
    reply = await operator("PUT", PATH, json=FIRST, headers={"If-Match": "x"})
    assert (reply.status_code, "smart charging is off" in reply.text) == (409, True)
    assert post.calls == []


async def test_of_two_the_second_is_told_and_another_car_is_another_session(house: Any, post: Post) -> None:
    operator = await house.user(Role.OPERATOR)
    old = await tagged(operator)
    assert (await operator("PUT", PATH, json=FIRST)).status_code == 428
    assert (await operator("PUT", PATH, json=FIRST, headers=old)).status_code == 200
    assert (await operator("PUT", PATH, json=FIRST, headers=old)).status_code == 412
    old = await tagged(operator)
    post.bays[0] = replace(post.bays[0], since_ns=post.bays[0].since_ns + HOUR_NS)
    assert (await operator("PUT", PATH, json=FIRST, headers=old)).status_code == 412
    assert (await operator("GET", PATH)).json()["declared"] is None, "that was of the car before"


async def test_later_until_it_is_cheaper(house: Any, post: Post) -> None:
    operator = await house.user(Role.OPERATOR)
    # 2026-01-01 08:00 in Taipei by the clock of the house: the cheapest price of the model's tariff until 09:00.
    body = {"instruction": "later", "until": "cheaper", "reason": "x"}
    reply = await operator("PUT", PATH, json=body, headers=await tagged(operator))
    assert (reply.status_code, "does not become cheaper" in reply.text) == (409, True)
    house.clock.move(2 * 3600.0)
    operator = await house.user(Role.OPERATOR, name="late")
    cheaper = (await operator("GET", PATH)).json()["cheaper"]
    assert cheaper == "2026-01-01T16:00:00.000Z", "midnight in Taipei"
    reply = await operator("PUT", PATH, json=body, headers=await tagged(operator))
    assert reply.json()["declared"]["until"] == cheaper
    assert len(post.calls) == 1
