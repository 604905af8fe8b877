from __future__ import annotations

import pytest

from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.point.registry import Registry


def test_numbers_are_given_once_and_for_ever() -> None:
    registry = Registry([(3, "a"), (7, "b")])
    assert (registry.number("b"), registry.number("a")) == (7, 3)
    assert registry.new == []
    assert registry.number("c") == 8
    assert registry.number("d") == 9
    assert registry.number("c") == 8
    assert registry.new == [(8, "c"), (9, "d")]
    again = Registry([(3, "a"), (7, "b"), *registry.new])
    assert [again.number(address) for address in "abcd"] == [3, 7, 8, 9]
    assert len(again) == 4
    assert "d" in again
    assert "e" not in again


def test_the_first_number_is_one() -> None:
    assert Registry([]).number("a") == 1


def test_a_renamed_point_keeps_its_number() -> None:
    registry = Registry([(1, "old"), (2, "other")])
    assert registry.rename("old", "new") == 1
    assert registry.number("new") == 1
    assert registry.address(1) == "new"
    assert registry.renamed == [("old", "new")]
    assert registry.number("old") == 3


def test_wrong_renames() -> None:
    registry = Registry([(1, "a"), (2, "b")])
    with pytest.raises(NotFoundError, match="c has no point number"):
        registry.rename("c", "d")
    with pytest.raises(ConflictError, match="b has the point number 2"):
        registry.rename("a", "b")
    with pytest.raises(NotFoundError, match="3 was never given"):
        registry.address(3)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(1, "a"), (1, "b")], "point number 1 belongs to a and to b"),
        ([(1, "a"), (2, "a")], "a has the point numbers 1 and 2"),
        ([(0, "a")], "point number 0 of a"),
        ([(2**31, "a")], "from 1 to 2147483647"),
    ],
)
def test_wrong_rows(rows: list[tuple[int, str]], words: str) -> None:
    with pytest.raises(InvalidError, match=words):
        Registry(rows)
