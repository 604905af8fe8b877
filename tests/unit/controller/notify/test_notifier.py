"""Alarms to messages with time in the test's hand: steps, storms, quiet hours, what is over, a journal that is down."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import select

from controller.alarm.definition import AlarmDefinition
from controller.alarm.engine import AlarmEngine
from controller.clock import VirtualClock
from controller.errors import NotFoundError, UnavailableError
from controller.journal.journal import InlineExecutor, Journal
from controller.journal.schema import notification
from controller.notify.dispatcher import DRILLS_PER_CHANNEL, Dispatcher
from controller.notify.notice import Notice, Outcome
from controller.notify.notifier import Notifier
from controller.notify.outbox import Outbox
from controller.notify.plan import ChannelSpec, Contact, NotifyPlan, Route, Step, Target, Way
from controller.notify.roster import Quiet
from controller.point.model import Area, Building, Equipment, Name, Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NAME = Name("名", "name")
SITE = Site(
    "s", NAME, "Asia/Taipei", 1, {"b": Building("b", NAME, ())}, {"west": Area("west", NAME, "b")},
    {"b.plant.e": Equipment("b.plant.e", "plant", NAME, "b", "plant")}, {},
)  # fmt: skip
FIRE, HOT = "fire#state", "p1#high"


def definition(number: int, **values: Any) -> AlarmDefinition:
    shared = {"equipment": "b.plant.e", "system": "plant", "area": "west", "priority": 2, "text": NAME, "action": NAME}
    return AlarmDefinition(f"p{number}#high", "high", number, f"p{number}", limit=10.0, **{**shared, **values})


class Courier:
    """Takes every message and says what the test wants."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.notices: list[Notice] = []
        self.outcome = Outcome("sent")
        self.of_channel: dict[str, Outcome] = {}

    async def deliver(self, notice: Notice, contact: Contact, way: Way) -> Outcome:
        self.sent.append((contact.id, way.channel))
        self.notices.append(notice)
        return self.of_channel.get(way.channel, self.outcome)

    def close(self) -> None:
        pass


class Bench:
    """An alarm engine, a real state database, and everything between it and the courier."""

    def __init__(self, journal: Journal, clock: VirtualClock) -> None:
        self.clock, self.journal, self.courier = clock, journal, Courier()
        definitions = [
            AlarmDefinition(FIRE, "state", 900, "fire", states=(1,), life_safety=True, priority=3, text=NAME)
        ]
        definitions += [definition(number) for number in range(600)]
        self.alarms = AlarmEngine(definitions, clock, lambda _entry: None)
        ways = (Way("phone"), Way("mail", "x"))
        self.plan = NotifyPlan(
            {name: Contact(name, NAME, ways) for name in ("duty", "chief")},
            {},
            (Route("r", NAME, (Step(0, (Target("contact", "duty"),)), Step(600, (Target("contact", "chief"),)))),),
            {"phone": ChannelSpec("phone", "push", NAME), "mail": ChannelSpec("mail", "mail", NAME)},
        )
        self.begin()

    def begin(self) -> None:
        """Make the parts anew, as a restart does."""
        self.outbox = Outbox(self.journal)
        self.dispatcher = Dispatcher(lambda: self.plan, self.outbox, self.courier, self.clock)  # type: ignore[arg-type]
        self.notifier = Notifier(
            lambda: self.plan, lambda: SITE, lambda: self.alarms, lambda day: day.weekday() < 5, self.outbox,
            self.dispatcher, self.clock,
        )  # fmt: skip

    async def put(self, *values: tuple[int, float]) -> None:
        """Read values, tell what changed, and let everything that is due happen."""
        number = np.array([one for one, _ in values], np.int32)
        version = self.alarms.version
        self.alarms.check(number, np.array([value for _, value in values]), np.zeros(len(values), np.uint8))
        self.alarms.tick()
        await self.told(version)

    async def told(self, version: int) -> None:
        self.notifier.tell(self.alarms.changed_since(version)[1])
        await self.pass_s(0)

    async def pass_s(self, seconds: float) -> None:
        """Let time pass, with a look each second."""
        for _ in range(max(1, round(seconds))):
            if seconds:
                self.clock.move(1.0)
            self.notifier.look()
            for _ in range(3):
                self.dispatcher._look()
                await asyncio.gather(*self.dispatcher._tasks)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = VirtualClock()
    journal = await Journal.open(tmp_path / "state.db", clock, InlineExecutor())
    bench = Bench(journal, clock)
    await bench.notifier.start()
    yield bench
    await journal.close()


async def test_the_next_step_comes_when_nobody_acknowledges(bench: Bench) -> None:
    await bench.put((1, 20.0))
    assert bench.courier.sent == [("duty", "phone")]
    await bench.pass_s(599)
    assert len(bench.courier.sent) == 1
    await bench.pass_s(2)
    assert bench.courier.sent[1:] == [("chief", "phone")]
    assert bench.courier.notices[1].kind == "escalated"


async def test_who_acknowledges_ends_it(bench: Bench) -> None:
    await bench.put((1, 20.0))
    version = bench.alarms.version
    bench.alarms.acknowledge(["p1#high"], "wang")
    await bench.told(version)
    await bench.pass_s(700)
    assert bench.courier.sent == [("duty", "phone")]


async def test_a_calendar_that_jumps_hurries_no_step(bench: Bench) -> None:
    await bench.put((1, 20.0))
    bench.clock.jump(7200)
    await bench.pass_s(5)
    assert len(bench.courier.sent) == 1
    bench.clock.jump(-14_400)
    await bench.pass_s(600)
    assert ("chief", "phone") in bench.courier.sent


async def test_life_safety_goes_by_every_way_at_once_and_without_a_route_for_its_priority(bench: Bench) -> None:
    await bench.put((900, 1.0))
    assert sorted(bench.courier.sent) == [("duty", "mail"), ("duty", "phone")]
    assert len({notice.id for notice in bench.courier.notices}) == 2


async def test_a_storm_is_one_message_with_a_count_and_life_safety_comes_first_and_alone(bench: Bench) -> None:
    await bench.put(*((number, 20.0) for number in range(500)), (900, 1.0))
    assert sorted(bench.courier.sent) == [("duty", "mail"), ("duty", "phone")]
    await bench.pass_s(2)
    group = bench.courier.notices[-1]
    assert (group.kind, group.data["count"], len(bench.courier.sent)) == ("group", 500, 3)
    await bench.put(*((number, 20.0) for number in range(500, 560)))
    await bench.pass_s(300)
    assert len(bench.courier.sent) == 3
    rows = await bench.journal.fetch(_states())
    assert {row.state: row.n for row in rows} == {"grouped": 500, "queued": 60, "sent": 3}


def _states() -> Any:
    from sqlalchemy import func, select

    from controller.journal.schema import notification

    return select(notification.c.state, func.count().label("n")).group_by(notification.c.state)


async def test_what_waits_for_the_count_is_told_after_a_restart(bench: Bench) -> None:
    await bench.put(*((number, 20.0) for number in range(10)))
    assert bench.courier.sent == []
    bench.begin()
    await bench.notifier.start()
    await bench.pass_s(3)
    (group,) = bench.courier.notices
    assert (group.kind, group.data["count"]) == ("group", 10)


async def test_a_restart_tells_nobody_twice_and_what_nobody_was_told_once(bench: Bench) -> None:
    await bench.put((1, 20.0))
    version = bench.alarms.version
    bench.alarms.check(np.array([2], np.int32), np.array([20.0]), np.zeros(1, np.uint8))
    assert bench.alarms.version > version  # raised and recorded, but the controller died before it told anybody
    bench.begin()
    await bench.notifier.start()
    await bench.pass_s(3)
    assert [notice.alarm for notice in bench.courier.notices] == ["p1#high", "p2#high"]
    # The next step of the first one comes at its own time.
    await bench.pass_s(600)
    assert [notice.kind for notice in bench.courier.notices[2:]] == ["escalated", "escalated"]


async def test_what_is_over_is_told_by_push_to_who_was_told_that_it_is_not(bench: Bench) -> None:
    await bench.put((1, 20.0))
    await bench.put((1, 5.0))
    assert [(notice.kind, notice.contact) for notice in bench.courier.notices] == [
        ("raised", "duty"),
        ("cleared", "duty"),
    ]
    bench.plan = replace(bench.plan, cleared="none")
    await bench.put((2, 20.0))
    await bench.put((2, 5.0))
    assert bench.courier.notices[-1].kind == "raised"


async def test_a_message_that_waits_is_not_sent_when_the_alarm_is_over(bench: Bench) -> None:
    bench.courier.outcome = Outcome("failed", "down")
    await bench.put((1, 20.0))
    bench.courier.outcome = Outcome("sent")
    await bench.put((1, 5.0))
    await bench.pass_s(60)
    assert bench.courier.sent == [("duty", "phone")]
    assert not bench.outbox.open


async def test_quiet_hours_hold_low_priorities_until_morning_and_never_life_safety(bench: Bench) -> None:
    quiet = Quiet(("every",), 8 * 60, 9 * 60, (2, 3, 4))  # the clock begins at 08:00 in Taipei
    contacts = {name: replace(contact, quiet=quiet) for name, contact in bench.plan.contacts.items()}
    bench.plan = replace(bench.plan, contacts=contacts)
    await bench.put((1, 20.0), (900, 1.0))
    assert {notice.alarm for notice in bench.courier.notices} == {FIRE}
    bench.clock.move(3599)
    await bench.pass_s(2)
    assert "p1#high" in {notice.alarm for notice in bench.courier.notices}


async def test_the_second_channel_is_tried_within_a_minute_and_the_trouble_is_told(bench: Bench) -> None:
    bench.courier.of_channel = {"phone": Outcome("failed", "down")}
    await bench.put((1, 20.0))
    await bench.pass_s(25)
    assert bench.courier.sent == [("duty", "phone")] * 3 + [("duty", "mail")]
    assert bench.dispatcher.trouble == {"phone": "phone: down"}
    bench.courier.of_channel = {}
    await bench.put((2, 20.0))
    assert bench.dispatcher.trouble == {}


async def test_a_final_failure_is_counted_and_names_the_contact_for_which_no_way_is_set_up(bench: Bench) -> None:
    whole = bench.plan
    bench.plan = replace(
        bench.plan, channels={"phone": ChannelSpec("phone", "push", NAME, missing=Name("未設定", "not set"))}
    )
    await bench.put((1, 20.0))
    assert (bench.courier.sent, bench.dispatcher.failed, bench.dispatcher.trouble) == ([], 1, {})
    assert bench.dispatcher.unreached() == {"duty": "no way to this contact is set up"}
    bench.plan = whole
    assert set(bench.dispatcher.unreached()) == {"duty"}, "until a message gets through"
    await bench.put((2, 20.0))
    assert bench.dispatcher.unreached() == {}


async def test_a_contact_that_every_way_refuses_is_unreached_until_one_gets_through(bench: Bench) -> None:
    nobody = Outcome("refused", "nobody has set up a phone")
    bench.courier.of_channel = {"phone": nobody}
    await bench.put((1, 20.0))
    assert bench.courier.sent == [("duty", "phone"), ("duty", "mail")]
    assert bench.dispatcher.unreached() == {}, "the mail got through"
    bench.courier.of_channel = {"phone": nobody, "mail": Outcome("refused", "no such box")}
    await bench.put((2, 20.0))
    assert bench.dispatcher.unreached()["duty"] == "no such box"
    bench.begin()
    await bench.notifier.start()
    assert bench.dispatcher.unreached()["duty"] == "no such box", "a restart forgets nothing"
    bench.courier.of_channel = {}
    assert (await bench.dispatcher.test("mail", "duty", NAME, NAME)).state == "sent"
    assert "duty" not in bench.dispatcher.unreached()
    bench.begin()
    await bench.notifier.start()
    assert "duty" not in bench.dispatcher.unreached()
    bench.courier.of_channel = {"mail": nobody}
    await bench.dispatcher.test("mail", "duty", NAME, NAME)
    assert "duty" not in bench.dispatcher.unreached(), "the phone was not tried since"


async def test_of_life_safety_one_way_that_gets_through_is_enough_and_a_round_in_vain_is_told(bench: Bench) -> None:
    bench.courier.of_channel = {"phone": Outcome("refused", "nobody has set up a phone")}
    await bench.put((900, 1.0))
    assert bench.dispatcher.unreached() == {}
    await bench.put((900, 0.0))
    bench.courier.of_channel |= {"mail": Outcome("failed", "relay down")}
    await bench.put((900, 1.0))
    assert bench.dispatcher.unreached() == {}, "the mail is still tried"
    await bench.pass_s(25)
    assert bench.dispatcher.unreached() == {"duty": "relay down"}
    bench.courier.of_channel = {}
    await bench.pass_s(62)
    assert bench.dispatcher.unreached() == {}


async def test_when_nobody_can_be_reached_the_next_step_comes_at_once(bench: Bench) -> None:
    contacts = {**bench.plan.contacts, "duty": Contact("duty", NAME, (Way("away"),))}
    bench.plan = replace(bench.plan, contacts=contacts)
    await bench.put((1, 20.0))
    await bench.pass_s(2)
    assert bench.courier.sent == [("chief", "phone")]


async def test_with_the_journal_down_life_safety_goes_out_and_the_rest_waits(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down() -> None:
        raise UnavailableError("disk full")

    monkeypatch.setattr(bench.outbox, "commit", down)
    await bench.put((1, 20.0), (900, 1.0))
    await bench.pass_s(3)
    assert {notice.alarm for notice in bench.courier.notices} == {FIRE}
    monkeypatch.undo()
    await bench.pass_s(3)
    assert [notice.alarm for notice in bench.courier.notices].count("p1#high") == 1


async def test_a_report_is_sent_once_to_each_contact_whatever_happens(bench: Bench) -> None:
    to = [Target("contact", "duty"), Target("contact", "chief"), Target("contact", "duty")]
    made = await bench.notifier.post("report/2026-01", to, NAME, NAME, attachments=["/x/report.pdf"])
    assert len(made) == 2
    await bench.pass_s(1)
    assert sorted(bench.courier.sent) == [("chief", "phone"), ("duty", "phone")]
    bench.begin()
    await bench.notifier.start()
    assert await bench.notifier.post("report/2026-01", to, NAME, NAME) == []
    with pytest.raises(NotFoundError):
        await bench.notifier.post("x", [Target("duty", "nobody")], NAME, NAME)


async def test_more_than_can_wait_is_counted_and_life_safety_is_not_among_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.notify.outbox.MOST_OPEN", 3)
    await bench.put(*((number, 20.0) for number in range(10)), (900, 1.0))
    assert bench.outbox.dropped > 0
    assert {notice.alarm for notice in bench.courier.notices} == {FIRE}


class Held(Courier):
    """Takes messages and answers none of a drill until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def deliver(self, notice: Notice, contact: Contact, way: Way) -> Outcome:
        outcome = await super().deliver(notice, contact, way)
        if notice.drill:
            await self.go_on.wait()
        return outcome


async def _turn(bench: Bench) -> None:
    bench.dispatcher._look()
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_drill_whose_messages_hang_delays_no_real_one(bench: Bench) -> None:
    bench.courier = held = Held()
    bench.begin()
    everybody = {f"c{number}": Contact(f"c{number}", NAME, (Way("phone"),)) for number in range(40)}
    bench.plan = replace(bench.plan, contacts={**bench.plan.contacts, **everybody})
    await bench.notifier.start()
    to = [Target("contact", name) for name in everybody]
    await bench.notifier.post("exercise/d-1/start", to, NAME, NAME, drill=True)
    await _turn(bench)
    assert len(held.sent) == DRILLS_PER_CHANNEL, "two of the channel's eight places"
    # Older than the alarms, of a higher priority than one of them, and a channel full of it: real ones go at once.
    number = np.array([1, 900], np.int32)
    version = bench.alarms.version
    bench.alarms.check(number, np.array([20.0, 1.0]), np.zeros(2, np.uint8))
    bench.alarms.tick()
    bench.notifier.tell(bench.alarms.changed_since(version)[1])
    await _turn(bench)
    real = [notice.alarm for notice in held.notices if not notice.drill]
    assert sorted(real) == [FIRE, FIRE, HOT], "each way of the fire, and the other alarm"
    assert sum(notice.drill for notice in held.notices) == DRILLS_PER_CHANNEL
    held.go_on.set()
    await bench.pass_s(30)
    assert sum(notice.drill for notice in held.notices) == 40


async def test_a_drill_goes_after_every_real_message_that_waits_with_it(bench: Bench) -> None:
    low = replace(bench.plan.routes[0], steps=(Step(0, (Target("contact", "duty"),)),))
    bench.plan = replace(bench.plan, routes=(low,))
    await bench.notifier.post("exercise/d-1/start", [Target("contact", "chief")], NAME, NAME, drill=True)
    bench.clock.move(5.0)
    bench.alarms = AlarmEngine([definition(1, priority=4)], bench.clock, lambda _entry: None)
    await bench.put((1, 20.0))
    assert [notice.drill for notice in bench.courier.notices] == [False, True]


async def test_what_is_taken_back_is_not_sent_and_what_was_under_way_is_not_tried_again(bench: Bench) -> None:
    bench.courier = held = Held()
    bench.begin()
    await bench.notifier.start()
    held.outcome = Outcome("failed", "no network")
    to = [Target("contact", "duty"), Target("contact", "chief")]
    await bench.notifier.post("exercise/d-1/start", to[:1], NAME, NAME, drill=True)
    await _turn(bench)
    await bench.notifier.post("exercise/d-1/inject/a", to[1:], NAME, NAME, drill=True)
    await bench.notifier.post("exercise/d-2/start", to[1:], NAME, NAME, drill=True)
    bench.notifier.withdraw("exercise/d-1/", but="exercise/d-1/end")
    held.go_on.set()
    held.outcome = Outcome("sent")
    await bench.pass_s(200)
    assert [notice.occurrence for notice in held.notices] == ["post~exercise/d-1/start", "post~exercise/d-2/start"]
    assert bench.outbox.open == {}
    assert not bench.notifier._void, "forgotten when nothing of it is open"
    rows = await bench.journal.fetch(select(notification.c.occurrence, notification.c.state))
    assert dict(map(tuple, rows)) == {
        "post~exercise/d-1/start": "withdrawn",
        "post~exercise/d-1/inject/a": "withdrawn",
        "post~exercise/d-2/start": "sent",
    }


async def test_the_messages_of_drills_are_kept_as_long_as_their_record(bench: Bench) -> None:
    to = [Target("contact", "duty")]
    for key in ("exercise/d-1/start", "report/2026-01"):
        await bench.notifier.post(key, to, NAME, NAME)
    await bench.pass_s(1)
    await bench.outbox.prune(bench.clock.now_ns() + 500 * 86_400_000_000_000)
    rows = await bench.journal.fetch(select(notification.c.occurrence))
    assert [row.occurrence for row in rows] == ["post~exercise/d-1/start"]
