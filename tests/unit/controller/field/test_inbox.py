"""The inbox: bounded, counted, urgent things first to wake, and in the order in which things came."""

from __future__ import annotations

import numpy as np
import pytest

from controller.field.inbox import Inbox
from drivers.driver import Device
from drivers.event import Event
from drivers.profile import parse_profile
from drivers.reading import Readings

PROFILE = parse_profile(
    {
        "profile": {
            "id": "fake", "equipment": "meter", "protocol": "modbus", "vendor": "v", "model": "m", "source": "this file"
        },
        "point": [{"tag": "value", "zh": "值", "en": "value"}],
    },
    "fake",
)  # fmt: skip


def device(name: str = "a", *, urgent: bool = False) -> Device:
    return Device(name, PROFILE, "tcp://10.0.0.1:502", np.array([1], np.int32), urgent=urgent)


def batch(value: float, n: int = 1, *, late: bool = False) -> Readings:
    return Readings.of(list(range(n)), [value] * n, 0, late=late)


def event(key: str, *, urgent: bool = False) -> Event:
    return Event(key, "a", "door_forced", 0, urgent=urgent)


class Woken:
    def __init__(self) -> None:
        self.calls: list[bool] = []

    def __call__(self, urgent: bool) -> None:
        self.calls.append(urgent)


@pytest.fixture
def woken() -> Woken:
    return Woken()


def test_each_delivery_wakes_and_urgent_ones_say_so(woken: Woken) -> None:
    inbox = Inbox(woken)
    inbox.readings(device(), batch(1))
    inbox.readings(device("fire", urgent=True), batch(1))
    inbox.events(device(), [event("1")])
    inbox.events(device(), [event("2"), event("3", urgent=True)])
    inbox.events(device("sos", urgent=True), [event("4")])

    assert woken.calls == [False, True, False, True, True]


def test_an_empty_batch_wakes_nobody(woken: Woken) -> None:
    inbox = Inbox(woken)
    inbox.readings(device(), Readings.of([], [], 0))

    assert woken.calls == []
    assert inbox.drain().live == ()


def test_draining_gives_everything_once_and_in_order(woken: Woken) -> None:
    inbox = Inbox(woken)
    inbox.readings(device("a"), batch(1))
    inbox.readings(device("b"), batch(2))
    inbox.readings(device("c"), batch(3, late=True))
    inbox.events(device(), [event("1"), event("2", urgent=True), event("3")])
    delivery = inbox.drain()

    assert [[float(one.value[0]) for one in turn] for turn in delivery.live] == [[1.0, 2.0]]
    assert [float(one.value[0]) for one in delivery.late] == [3.0]
    assert [one.key for one in delivery.events] == ["1", "2", "3"]
    assert inbox.received == 3
    assert inbox.waiting == 0
    assert inbox.drain() == type(delivery)((), (), ())


def test_two_polls_of_one_device_come_in_two_rounds(woken: Woken) -> None:
    inbox = Inbox(woken)
    for name, value in (("a", 1), ("b", 2), ("a", 3), ("a", 4), ("b", 5)):
        inbox.readings(device(name), batch(value))

    assert [[float(one.value[0]) for one in turn] for turn in inbox.drain().live] == [[1, 2], [3, 5], [4]]


def test_too_many_readings_push_out_the_oldest_and_are_counted(woken: Woken) -> None:
    inbox = Inbox(woken, max_readings=10)
    for value in range(5):
        inbox.readings(device(str(value)), batch(value, 4))

    assert inbox.waiting == 8
    assert inbox.dropped_readings == 12
    assert [float(one.value[0]) for turn in inbox.drain().live for one in turn] == [3, 4]


def test_a_flood_of_late_readings_costs_no_live_one(woken: Woken) -> None:
    inbox = Inbox(woken, max_readings=10)
    inbox.readings(device("live"), batch(1, 4))
    for _ in range(100):
        inbox.readings(device("spool"), batch(9, 3, late=True))
    delivery = inbox.drain()

    assert [len(one) for turn in delivery.live for one in turn] == [4]
    assert sum(map(len, delivery.late)) == 6
    assert inbox.dropped_readings == 294


def test_one_batch_larger_than_the_bound_is_kept_alone(woken: Woken) -> None:
    inbox = Inbox(woken, max_readings=10)
    inbox.readings(device("a"), batch(1, 4))
    inbox.readings(device("b"), batch(2, 50))

    assert [len(one) for turn in inbox.drain().live for one in turn] == [50]
    assert inbox.dropped_readings == 4


def test_too_many_events_push_out_the_oldest_that_is_not_urgent(woken: Woken) -> None:
    inbox = Inbox(woken, max_events=3)
    inbox.events(device(), [event("u1", urgent=True), event("1"), event("2"), event("3"), event("u2", urgent=True)])

    assert [one.key for one in inbox.drain().events] == ["u1", "3", "u2"]
    assert inbox.dropped_events == 2


def test_urgent_events_alone_are_bounded_too(woken: Woken) -> None:
    inbox = Inbox(woken, max_events=100)
    inbox.events(device(), [event(str(n), urgent=True) for n in range(60_000)])

    assert [one.key for one in inbox.drain().events] == [str(n) for n in range(59_900, 60_000)]
    assert inbox.dropped_events == 59_900
