"""Where things stand: placed ones at their place, the rest inside the zone of their wing or area, none lost."""

from __future__ import annotations

from controller.plan.layout import lay_out
from controller.plan.plan import Placement, Plan, Zone
from controller.plan.polygon import contains
from controller.point.model import Equipment, Name


def thing(name: str, area: str = "", wing: str = "", floor: str = "5F") -> Equipment:
    return Equipment(f"hall.hvac.{name}", "ahu", Name(name, name), "hall", "hvac", floor, area, wing)


WEST = Zone("west", Name("西", "West"), ((0, 0), (400, 0), (400, 300), (0, 300)))
L_SHAPE = Zone(
    "rest",
    Name("其他", "Rest"),
    ((500, 0), (900, 0), (900, 100), (600, 100), (600, 300), (500, 300)),
    ("public", "east"),
)
PLAN = Plan("hall", "5F", 1000, 300, None, (WEST, L_SHAPE), (Placement("hall.hvac.a", 700, 50),))


def test_a_wing_goes_before_an_area_and_what_no_zone_holds_is_named() -> None:
    things = [
        thing("b", "public", "west"),
        thing("c", "public"),
        thing("d", "plant"),
        thing("e"),
        thing("f", "west", floor="6F"),
    ]
    spots, homeless = lay_out(PLAN, things)

    assert [(spot.address, spot.zone) for spot in spots] == [("hall.hvac.b", "west"), ("hall.hvac.c", "rest")]
    assert homeless == ["hall.hvac.d", "hall.hvac.e"]


def test_placements_stay_and_the_others_keep_off_them() -> None:
    spots, _ = lay_out(PLAN, [thing("a", "west"), *(thing(f"p{n:02}", "public") for n in range(12))])
    placed = next(spot for spot in spots if spot.address == "hall.hvac.a")
    others = [spot for spot in spots if spot is not placed]

    assert (placed.x, placed.y, placed.automatic, placed.zone) == (700, 50, False, "rest")
    assert len({(spot.x, spot.y) for spot in others}) == 12
    assert all(contains(L_SHAPE.polygon, spot.x, spot.y) and spot.automatic for spot in others)
    assert min(abs(spot.x - 700) + abs(spot.y - 50) for spot in others) > 20


def test_a_point_may_be_placed_beside_its_equipment() -> None:
    plan = Plan("hall", "5F", 1000, 300, None, (WEST,), (Placement("hall.hvac.a.co2", 10, 10),))
    spots, _ = lay_out(plan, [thing("a", "west")])

    assert [(spot.address, spot.equipment) for spot in spots] == [
        ("hall.hvac.a.co2", "hall.hvac.a"),
        ("hall.hvac.a", "hall.hvac.a"),
    ]


def test_far_too_many_are_still_all_there() -> None:
    small = Zone("west", Name("西", "West"), ((0, 0), (20, 0), (20, 10), (0, 10)))
    spots, homeless = lay_out(
        Plan("hall", "5F", 100, 100, None, (small,)), [thing(f"n{n}", "west") for n in range(300)]
    )

    assert (len(spots), homeless) == (300, [])
    assert all(contains(small.polygon, spot.x, spot.y, margin=0) for spot in spots)
