"""What the panel says, judged: a fire is believed at once; what is lost, stale or contradicted is never normal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.safety.fire import FireInputs, FireMemory, FirePicture, FireStatus, Reason, judge

CALM = FireInputs(0.0, False, False, False, False, 0, (0, 0, 0, 0), False, False)


class Panel:
    """A panel that is looked at each half second; its heart beats unless the test stops it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.memory = FireMemory()
        self.beat = 0.0
        self.picture = FirePicture()
        self.look(CALM)
        self.look(CALM)

    def look(self, inputs: FireInputs, seconds: float = 0.5, *, beats: bool = True) -> FirePicture:
        for _ in range(max(1, round(seconds / 0.5))):
            self.now += 0.5
            self.beat += float(beats)
            told = inputs if inputs.heartbeat is None else replace(inputs, heartbeat=self.beat)
            self.picture, self.memory = judge(told, self.memory, self.now)
        return self.picture


@pytest.fixture
def panel() -> Panel:
    return Panel()


def test_nothing_is_normal_before_the_heart_was_seen_to_beat() -> None:
    picture, memory = judge(CALM, FireMemory(), 0.0)
    assert (picture.status, picture.reasons) == (FireStatus.UNKNOWN, (Reason.LINK_LOST,))
    assert {zone.status for zone in picture.zones} == {FireStatus.UNKNOWN}
    picture, _ = judge(replace(CALM, heartbeat=1.0), memory, 1.0)
    assert (picture.status, picture.reset) == (FireStatus.NORMAL, True)
    assert {zone.status for zone in picture.zones} == {FireStatus.NORMAL}


@pytest.mark.parametrize(
    "source",
    [{"fire": True}, {"zones": (0, 2, 0, 0)}, {"relay_fire": True}, {"zones_in_fire": 1}],
    ids=["panel", "zone", "relay", "count"],
)
def test_whoever_says_fire_is_believed_at_once(panel: Panel, source: dict[str, object]) -> None:
    picture = panel.look(replace(CALM, **source))  # type: ignore[arg-type]
    assert (picture.status, picture.evidence, picture.reset) == (FireStatus.FIRE, True, False)


@pytest.mark.parametrize(
    ("source", "patience", "reason"),
    [
        ({"zones": (0, 2, 0, 0)}, 2.0, Reason.ZONE_DENIED),
        ({"relay_fire": True}, 10.0, Reason.RELAY_DENIED),
        ({"zones_in_fire": 1}, 5.0, Reason.COUNT_DENIED),
    ],
    ids=["zone", "relay", "count"],
)
def test_a_fire_that_the_summary_goes_on_denying_is_unknown_and_still_answered(
    panel: Panel, source: dict[str, object], patience: float, reason: Reason
) -> None:
    lying = replace(CALM, **source)  # type: ignore[arg-type]
    assert panel.look(lying, patience).status is FireStatus.FIRE
    picture = panel.look(lying, 1.0)
    assert (picture.status, reason in picture.reasons) == (FireStatus.UNKNOWN, True)
    assert picture.evidence, "what is held stays held"
    assert not picture.reset
    if "zones" in source:
        assert picture.zones[1].status is FireStatus.UNKNOWN
    # The summary joins in: it is a fire again, and no longer unknown.
    assert panel.look(replace(lying, fire=True)).status is FireStatus.FIRE


@pytest.mark.parametrize(
    ("zone", "bit", "short"), [(1, "pre_alarm", FireStatus.PRE_ALARM), (3, "fault", FireStatus.FAULT)]
)
def test_other_states_that_the_summary_denies_are_unknown_after_two_seconds(
    panel: Panel, zone: int, bit: str, short: FireStatus
) -> None:
    told = replace(CALM, zones=(zone, 0, 0, 0))
    assert panel.look(told, 2.0).status is short
    assert panel.look(told, 1.0).reasons == (Reason.ZONE_DENIED,)
    assert panel.look(replace(told, **{bit: True})).status is short  # type: ignore[arg-type]


def test_a_heart_that_stands_still_makes_all_unknown_but_a_fire_that_was_told(panel: Panel) -> None:
    assert panel.look(CALM, 5.0, beats=False).status is FireStatus.NORMAL
    picture = panel.look(CALM, 1.0, beats=False)
    assert (picture.status, picture.reasons, picture.reset) == (FireStatus.UNKNOWN, (Reason.LINK_LOST,), False)
    assert {zone.reason for zone in picture.zones} == {Reason.LINK_LOST}
    burning = replace(CALM, fire=True, zones=(2, 0, 0, 0), zones_in_fire=1)
    picture = panel.look(burning, 1.0, beats=False)
    assert (picture.status, picture.reasons) == (FireStatus.FIRE, (Reason.LINK_LOST,))
    assert [zone.status for zone in picture.zones[:2]] == [FireStatus.FIRE, FireStatus.UNKNOWN]


def test_the_first_beat_after_a_gap_proves_nothing(panel: Panel) -> None:
    panel.look(FireInputs(zones=(None,) * 4), 12.0)
    panel.beat = 77.0
    picture = panel.look(CALM, 4.0, beats=False)
    assert (picture.status, picture.reasons) == (FireStatus.UNKNOWN, (Reason.LINK_LOST,)), (
        "another value, standing still"
    )
    assert panel.look(CALM).status is FireStatus.NORMAL


def test_a_panel_that_cannot_be_read_is_unknown_and_its_relay_is_believed(panel: Panel) -> None:
    silent = FireInputs(zones=(None,) * 4, relay_fire=False, relay_fault=False)
    picture = panel.look(silent)
    assert (picture.status, picture.evidence) == (FireStatus.UNKNOWN, False)
    assert Reason.NOT_READ in picture.reasons
    assert panel.look(replace(silent, relay_fire=True)).status is FireStatus.FIRE
    picture = panel.look(replace(silent, relay_fire=True), 4.0)
    assert (picture.status, picture.unlocated) == (FireStatus.FIRE, True), "nobody knows where: everywhere"


@pytest.mark.parametrize("name", ["pre_alarm", "fault", "test", "zones_in_fire", "relay_fire", "relay_fault"])
def test_a_source_that_cannot_be_read_is_never_normal_unless_the_site_has_none(panel: Panel, name: str) -> None:
    lost = replace(CALM, **{name: None})  # type: ignore[arg-type]
    wanted = Reason.RELAY_LOST if name.startswith("relay") else Reason.NOT_READ
    picture = panel.look(lost)
    assert (picture.status, picture.reasons, picture.reset) == (FireStatus.UNKNOWN, (wanted,), False)
    assert panel.look(replace(lost, absent=frozenset({name}))).status is FireStatus.NORMAL
    assert panel.look(replace(lost, fire=True)).status is FireStatus.FIRE


def test_a_relay_that_said_fire_and_fell_silent_has_not_put_it_out(panel: Panel) -> None:
    panel.look(replace(CALM, relay_fire=True), 12.0)
    picture = panel.look(replace(CALM, relay_fire=None, relay_fault=None), 60.0)
    assert (picture.status, picture.reset) == (FireStatus.UNKNOWN, False)


def test_one_zone_that_cannot_be_read_makes_the_whole_unknown(panel: Panel) -> None:
    for state in (None, 6, -1):
        picture = panel.look(replace(CALM, zones=(0, state, 0, 0)))
        assert (picture.status, picture.zones[1].reason) == (FireStatus.UNKNOWN, Reason.NOT_READ)


def test_a_walk_test_is_unknown_and_an_isolated_zone_speaks_for_itself(panel: Panel) -> None:
    for told in (replace(CALM, test=True), replace(CALM, zones=(0, 5, 0, 0))):
        assert panel.look(told).reasons == (Reason.WALK_TEST,)
        assert panel.look(told).status is FireStatus.UNKNOWN
        assert panel.look(replace(told, fire=True)).status is FireStatus.FIRE
        assert panel.look(CALM).status is FireStatus.NORMAL
    picture = panel.look(replace(CALM, zones=(0, 4, 0, 0)))
    assert picture.zones[1].status is FireStatus.UNKNOWN
    assert (picture.zones[1].reason, picture.status) == (Reason.ISOLATED, FireStatus.NORMAL)


def test_a_fire_without_a_zone_is_anywhere_after_three_seconds(panel: Panel) -> None:
    told = replace(CALM, fire=True)
    assert not panel.look(told, 3.0).unlocated
    assert panel.look(told).unlocated
    assert not panel.look(replace(told, zones=(2, 0, 0, 0), zones_in_fire=1)).unlocated


states = st.lists(st.one_of(st.none(), st.integers(-1, 7)), min_size=4, max_size=4).map(tuple)
maybe = st.one_of(st.none(), st.booleans())
told = st.builds(
    FireInputs,
    heartbeat=st.one_of(st.none(), st.just(0.0)),
    fire=maybe,
    pre_alarm=maybe,
    fault=maybe,
    test=maybe,
    zones_in_fire=st.one_of(st.none(), st.integers(0, 4)),
    zones=states,
    relay_fire=maybe,
    relay_fault=maybe,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(told, st.sampled_from([0.5, 2.5, 11.0]), st.booleans()), max_size=6))
def test_normal_is_said_only_when_every_source_is_known_and_calm(steps: list[tuple[FireInputs, float, bool]]) -> None:
    panel = Panel()
    for inputs, seconds, beats in steps:
        picture = panel.look(inputs, seconds, beats=beats)
        assert picture.evidence == bool(
            inputs.fire or 2 in inputs.zones or inputs.relay_fire or inputs.zones_in_fire
        ), "evidence of fire is never argued away"
        if inputs.fire:
            assert picture.status is FireStatus.FIRE
        if picture.status is FireStatus.NORMAL:
            assert inputs.fire is False
            assert not picture.evidence
            assert inputs.test is False
            assert inputs.pre_alarm is False
            assert (inputs.fault, inputs.zones_in_fire) == (False, 0)
            assert (inputs.relay_fire, inputs.relay_fault) == (False, False)
            assert set(inputs.zones) <= {0, 4}
            assert panel.now - panel.memory.moved <= 5.0
        if picture.reset:
            assert picture.status in (FireStatus.NORMAL, FireStatus.FAULT)
            assert not picture.evidence
        for zone, state in zip(picture.zones, inputs.zones, strict=True):
            assert zone.status is not FireStatus.NORMAL or state == 0
            assert (zone.reason is None) == (zone.status is not FireStatus.UNKNOWN)
