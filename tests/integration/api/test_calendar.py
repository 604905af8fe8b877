"""Calendars, vehicles, energy and events over the API: who may, what is refused, and what is found."""

from __future__ import annotations

from typing import Any

import icalendar
import pytest

from controller.history.store import Buckets
from controller.identity.permission import Role
from drivers.event import Event

WORKS = {
    "kind": "maintenance",
    "title": {"zh": "空調保養", "en": "Service"},
    "from": "2026-01-01",
    "to": "2026-01-02",
    "equipment": ["hall.hvac.*"],
    "reason": "年度保養",
}
FAIR = {"venue": "hall", "title": {"zh": "展", "en": "Show"}, "reason": "申請"}


async def test_of_two_who_change_the_same_works_the_second_is_told(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    made = await engineer("PUT", "/calendar/works/w9", json=WORKS)
    assert (made.status_code, made.json()["phase"]) == (200, "on")
    assert made.json()["change"]["reason"] == "年度保養"
    assert (await engineer("PUT", "/calendar/works/w9", json=WORKS)).status_code == 428
    etag = {"If-Match": made.headers["etag"]}
    longer = {**WORKS, "to": "2026-01-20"}
    changed = await engineer("PUT", "/calendar/works/w9", json=longer, headers=etag)
    assert changed.status_code == 200
    assert (await engineer("PUT", "/calendar/works/w9", json=WORKS, headers=etag)).status_code == 412
    assert (await engineer("PUT", "/calendar/works/w10", json=WORKS, headers=etag)).status_code == 412
    admin = await house.user(Role.ADMINISTRATOR)
    audit = (await admin("GET", "/audit", params={"action": "calendar_change"})).json()["items"]
    done = [row for row in audit if row["outcome"] == "done"]
    assert [(row["target"], row["data"]["before"] is None) for row in done] == [("works/w9", False), ("works/w9", True)]
    # What time makes of an entry is no change of it: a plan that began meanwhile can be changed with the tag it had.
    house.clock.move(86_400 * 30)
    engineer = await house.user(Role.ENGINEER, name="later")
    again = await engineer("PUT", "/calendar/works/w9", json=WORKS, headers={"If-Match": changed.headers["etag"]})
    assert (again.status_code, again.json()["phase"]) == (200, "over")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"to": "2025-12-31"}, 422),
        ({"equipment": ["hall.nothing.*"]}, 422),
        ({"floors": ["77F"]}, 422),
        ({"area": "moon"}, 422),
        ({"from": "2026-13-45"}, 422),
        ({"kind": "party"}, 422),
        ({"reason": ""}, 422),
        ({"title": {"zh": "\u202e", "en": "x"}}, 422),
        ({"equipment": []}, 422),
    ],
)
async def test_works_that_cannot_be_are_refused_and_nothing_changes(
    house: Any, changes: dict[str, Any], status: int
) -> None:
    engineer = await house.user(Role.ENGINEER)
    reply = await engineer("PUT", "/calendar/works/w9", json={**WORKS, **changes})
    assert reply.status_code == status, reply.text
    assert reply.json()["what_to_do"]
    assert (await engineer("GET", "/calendar/works/w9")).status_code == 404


async def test_an_engineer_of_one_area_takes_nothing_of_another_out_of_service(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER, areas=("west",))
    assert (await engineer("PUT", "/calendar/works/w9", json=WORKS)).status_code == 200
    plant = {**WORKS, "equipment": ["hall.plant.ch1"]}
    assert (await engineer("PUT", "/calendar/works/w8", json=plant)).status_code == 403
    both = {**WORKS, "equipment": ["hall.*"]}
    assert (await engineer("PUT", "/calendar/works/w8", json=both)).status_code == 403
    etag = (await engineer("GET", "/calendar/works/w1")).headers["etag"]
    gone = await engineer("POST", "/calendar/works/w1/remove", json={"reason": "x"}, headers={"If-Match": etag})
    assert gone.status_code == 403
    # The calendar is the whole house's; of equipment he sees what is his.
    calendar = (await engineer("GET", "/calendar")).json()
    assert {one["id"]: one["equipment"] for one in calendar["works"]} == {"w1": [], "w9": ["hall.hvac.ahu1"]}
    assert [one["equipment"] for one in calendar["out_of_service"]] == ["hall.hvac.ahu1"]


async def test_a_venue_is_let_to_one_at_a_time(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    late = {**FAIR, "start": "2026-01-03T16:00:00+08:00", "end": "2026-01-03T19:00:00+08:00"}
    reply = await engineer("PUT", "/calendar/booking/b2", json=late)
    assert (reply.status_code, "hall is taken" in reply.json()["detail"]) == (409, True)
    after = {**late, "start": "2026-01-03T17:00:00+08:00"}
    assert (await engineer("PUT", "/calendar/booking/b2", json=after)).status_code == 200
    naive = {**late, "start": "2026-01-05T16:00:00"}
    assert (await engineer("PUT", "/calendar/booking/b3", json=naive)).status_code == 422
    house.clock.move(86_400 * 2 + 2 * 3_600)  # Saturday at ten, in Taipei
    engineer = await house.user(Role.ENGINEER, name="later")
    calendar = (await engineer("GET", "/calendar")).json()
    assert [(one["id"], one["venue"]) for one in calendar["bookings"]] == [("b1", "hall"), ("b2", "hall")]
    assert [(one["equipment"], one["booking"]) for one in calendar["in_use"]] == [("hall.hvac.ahu1", "b1")]


async def test_an_inspection_that_was_done_is_due_an_interval_later(house: Any) -> None:
    engineer = await house.user(Role.ENGINEER)
    before = await engineer("GET", "/calendar/inspection/i1")
    assert (before.json()["standing"], before.json()["deadline"]) == ("overdue", "2025-12-01")
    etag = {"If-Match": before.headers["etag"]}
    path = "/calendar/inspection/i1/done"
    for wrong in ("2026-01-02", "2025-05-30", "2025-02-30"):
        reply = await engineer("POST", path, json={"date": wrong, "reason": "x"}, headers=etag)
        assert reply.status_code == 422, wrong
    body = {"date": "2025-12-30", "certificate_until": "2026-06-15", "reason": "合格"}
    done = await engineer("POST", path, json=body, headers=etag)
    assert (done.json()["standing"], done.json()["deadline"]) == ("good", "2026-06-15")
    assert (await engineer("POST", path, json=body, headers=etag)).status_code == 412
    reset = {"json": {"reason": "誤登"}, "headers": {"If-Match": done.headers["etag"]}}
    back = await engineer("POST", "/calendar/inspection/i1/reset", **reset)
    assert (back.json()["deadline"], back.json()["change"], back.headers["etag"]) == (
        "2025-12-01",
        None,
        before.headers["etag"],
    )
    reset["headers"] = {"If-Match": back.headers["etag"]}
    assert (await engineer("POST", "/calendar/inspection/i1/reset", **reset)).status_code == 409


async def test_the_calendar_is_a_file_for_any_calendar_program(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    span = {"format": "ics", "start": "2025-01-01T00:00:00+08:00", "end": "2026-12-31T00:00:00+08:00"}
    reply = await viewer("GET", "/calendar", params=span)
    assert reply.headers["content-type"] == "text/calendar; charset=utf-8"
    events = icalendar.Calendar.from_ical(reply.content).walk("VEVENT")
    assert sorted(str(event["SUMMARY"]) for event in events) == ["主機保養", "到期 變壓器檢查", "市集"]
    english = await viewer("GET", "/calendar", params={**span, "language": "en"})
    assert "SUMMARY:Fair" in english.text
    assert (
        await viewer("GET", "/calendar", params={"start": "2026-01-01T00:00Z", "end": "2036-01-01T00:00Z"})
    ).is_error


async def test_a_charger_finds_the_official_vehicle_by_plate_or_card(house: Any) -> None:
    viewer = await house.user(Role.VIEWER)
    for reported in ("XEV-0001", "xev 0001", "F1EE7001", "car-01"):
        assert (await viewer("GET", f"/vehicles/{reported}")).json()["departure"] == "08:30", reported
    assert (await viewer("GET", "/vehicles/ABC-1234")).status_code == 404


async def test_energy_is_counted_from_the_meter_and_its_carbon_names_its_factor(house: Any) -> None:
    hour = 3_600_000_000_000
    asked: list[tuple[int, int, int]] = []

    async def aggregate(numbers: Any, start_ns: int, end_ns: int, bucket_ns: int) -> list[Buckets]:
        import numpy as np

        asked.append((start_ns, end_ns, bucket_ns))
        start = np.arange(start_ns, end_ns, bucket_ns, dtype=np.int64)
        last = 100.0 * (np.minimum(start + bucket_ns, end_ns) - start_ns) / hour
        one = np.ones(len(start))
        return [Buckets(n, start, one.astype(np.int64), last * 0, last, last, last, one) for n in numbers]

    house.history.aggregate = aggregate
    house.clock.move(3 * 3_600)  # 11:00 in Taipei
    viewer = await house.user(Role.VIEWER)
    energy = (await viewer("GET", "/energy")).json()
    assert energy["today"]["kwh"] == pytest.approx(1_100)
    assert energy["today"]["before"]["yesterday"]["kwh"] == pytest.approx(1_100)
    assert energy["today"]["carbon_kg"] == pytest.approx(1_100 * 0.474)
    (factor,) = energy["factors"]
    assert (factor["year"], factor["factor_year"], factor["provisional"], factor["source"]) == (
        2026,
        2024,
        True,
        "能源署",
    )
    days = {(start_ns // hour, end_ns - start_ns) for start_ns, end_ns, _ in asked}
    assert len({length for _, length in days}) == 1  # the same span each time, of the 1st of January


async def test_events_are_found_by_time_type_source_place_and_text(house: Any) -> None:
    viewer = await house.user(Role.GUARD)  # who may see persons may look for them
    for number in range(20):
        device = "dev-tx1" if number % 2 else "dev-ahu1"
        data = {"plate": f"車{number:02}", "note": "100%_done" if number == 3 else "x"}
        kind = "plate_read" if number < 15 else "door_forced"
        house.journal.event(Event(str(number), device, kind, number * 1_000_000_000, data))
    await house.journal.commit()

    async def keys(**query: Any) -> list[int]:
        reply = await viewer("GET", "/events", params={"limit": 100, **query})
        assert reply.status_code == 200, reply.text
        return [int(item["key"]) for item in reply.json()["items"]]

    assert await keys(q="車07") == [7]
    assert await keys(q="%_") == [3]  # wild cards of the database are letters here
    assert await keys(q="DOOR") == [19, 18, 17, 16, 15]
    assert await keys(q="door 車16") == [16]
    assert await keys(type=["door_forced", "other"], source=["dev-tx1"]) == [19, 17, 15]
    assert await keys(area="west") == list(range(18, -1, -2))
    assert await keys(equipment="hall.electrical.tx1", start="5000", end="10000") == [9, 7, 5]
    assert await keys(floor="77F") == []
    name = house.site.equipment["hall.hvac.ahu1"].name.zh
    assert await keys(q=f"{name} 車04") == [4]
    one = (await viewer("GET", "/events", params={"q": "車07"})).json()["items"][0]
    assert (one["equipment"], one["area"]) == ("hall.electrical.tx1", "substation")
    assert (await viewer("GET", "/events/types")).json() == {"types": ["door_forced", "plate_read"]}
    for wrong in ({"start": "yesterday"}, {"start": "10", "end": "5"}, {"q": "x" * 101}, {"type": ["x"] * 51}):
        assert (await viewer("GET", "/events", params=wrong)).status_code == 422, wrong
    west = await house.user(Role.GUARD, name="west", areas=("west",))
    found = (await west("GET", "/events", params={"q": "車"})).json()["items"]
    assert {item["source"] for item in found} == {"dev-ahu1"}
    nobody = await house.user(Role.VIEWER, name="nobody")
    assert (await nobody("GET", "/events", params={"q": "車07"})).json()["items"] == []


async def test_the_stream_counts_only_what_one_may_see(house: Any) -> None:
    from controller.identity.identity import Principal
    from controller.identity.permission import preset

    hub = house.runtime.hub
    everybody, west = (
        hub.join(Principal(name, name, Role.VIEWER, preset(Role.VIEWER, areas), "key"))
        for name, areas in (("all", ()), ("west", ("west",)))
    )
    for client in (everybody, west):
        hub.receive(client, {"subscribe": ["events"]})
        client.texts.clear()
    items: list[dict[str, Any]] = [{"n": n, "area": "west" if n % 2 else "plant", "data": {}} for n in range(200)]
    hub.publish_events(items, {"west": 6_000, "plant": 3_999, "": 1})
    told = {name: client.texts[-1][1] for name, client in (("all", everybody), ("west", west))}
    import orjson

    every, half = orjson.loads(told["all"]), orjson.loads(told["west"])
    assert (every["count"], len(every["items"]), every["left_out"]) == (10_000, 200, 9_800)
    assert (half["count"], len(half["items"]), half["left_out"]) == (6_000, 100, 5_900)
    hub.publish_events([{"n": 1, "area": "plant", "data": {}}], {"plant": 1})
    assert len(west.texts) == 1  # nothing for these eyes, not even a number


async def test_a_limit_of_the_calendar_is_a_number(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from controller.api import calendar

    monkeypatch.setattr(calendar, "MAX_ENTRIES", 1)
    engineer = await house.user(Role.ENGINEER)
    assert (await engineer("PUT", "/calendar/works/w9", json=WORKS)).status_code == 409
