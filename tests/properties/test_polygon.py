"""Overlap of zones against a judge of another kind: the clipped area of convex polygons, and points thrown at any."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.plan.polygon import area, contains, interior, is_simple, overlap, spread

Polygon = list[tuple[float, float]]


@st.composite
def convex(draw: st.DrawFn) -> Polygon:
    """Points of an ellipse in order: always convex."""
    x, y = draw(st.integers(0, 400)), draw(st.integers(0, 400))
    a, b = draw(st.integers(20, 200)), draw(st.integers(20, 200))
    angles = sorted(draw(st.lists(st.integers(0, 35), min_size=3, max_size=10, unique=True)))
    return [(x + a * math.cos(n * math.pi / 18), y + b * math.sin(n * math.pi / 18)) for n in angles]


@st.composite
def star(draw: st.DrawFn) -> Polygon:
    """A polygon around a centre with any radius at each angle: simple, rarely convex."""
    x, y = draw(st.integers(0, 300)), draw(st.integers(0, 300))
    radii = draw(st.lists(st.integers(20, 150), min_size=4, max_size=12))
    step = 2 * math.pi / len(radii)
    return [(x + r * math.cos(i * step), y + r * math.sin(i * step)) for i, r in enumerate(radii)]


def clipped(subject: Polygon, clip: Polygon) -> float:
    """Sutherland and Hodgman (1974): the area that two convex polygons share."""
    result = subject
    for (ax, ay), (bx, by) in [*pairwise(clip), (clip[-1], clip[0])]:
        given_, result = result, []
        side = [(bx - ax) * (y - ay) - (by - ay) * (x - ax) for x, y in given_]
        for i, (x, y) in enumerate(given_):
            px, py = given_[i - 1]
            if (side[i] >= 0) != (side[i - 1] >= 0):
                t = side[i - 1] / (side[i - 1] - side[i])
                result.append((px + (x - px) * t, py + (y - py) * t))
            if side[i] >= 0:
                result.append((x, y))
    return area(result) if len(result) >= 3 else 0.0


@settings(max_examples=300, deadline=None)
@given(convex(), convex())
def test_overlap_of_convex_zones_is_that_of_their_clipped_area(a: Polygon, b: Polygon) -> None:
    shared = clipped(a, b)
    if shared > 60:  # well above what hands cannot avoid
        assert overlap(a, b)
    elif shared == 0:
        assert not overlap(a, b)
    assert overlap(a, b) == overlap(b, a)


@settings(max_examples=150, deadline=None)
@given(star(), star(), st.data())
def test_a_point_inside_of_both_says_that_they_overlap(a: Polygon, b: Polygon, data: st.DataObject) -> None:
    x, y = data.draw(st.floats(-150, 450)), data.draw(st.floats(-150, 450))
    if contains(a, x, y, margin=3) and contains(b, x, y, margin=3):
        assert overlap(a, b)


@settings(max_examples=150, deadline=None)
@given(star(), st.integers(0, 40))
def test_stars_are_simple_and_have_an_inside(polygon: Polygon, count: int) -> None:
    assert is_simple(polygon)
    assert is_simple(polygon[::-1])
    assert contains(polygon, *interior(polygon), margin=0)
    assert overlap(polygon, polygon)
    places = spread(polygon, count)
    assert len(places) == count
    assert all(contains(polygon, x, y, margin=0) for x, y in places)


def test_neighbours_that_touch_do_not_overlap_and_a_bow_is_not_simple() -> None:
    left, right = [(0, 0), (10, 0), (10, 10), (0, 10)], [(10, 0), (20, 0), (20, 10), (10, 10)]
    assert not overlap(left, right)
    assert not overlap(left, [(10.3, 0), (20, 0), (20, 10), (10.3, 10)])
    assert overlap(left, [(8, 2), (20, 2), (20, 8), (8, 8)])
    assert overlap(left, [(2, 2), (8, 2), (8, 8), (2, 8)]), "one inside the other"
    assert overlap([(0, 4), (30, 4), (30, 6), (0, 6)], [(14, 0), (16, 0), (16, 30), (14, 30)]), (
        "a cross, no corner inside"
    )
    assert not is_simple([(0, 0), (10, 10), (10, 0), (0, 10)])
    assert not is_simple([(0, 0), (10, 0), (5, 0), (5, 10)]), "a spike that runs back on itself"
    assert not is_simple([(0, 0), (0, 0), (5, 5)])
