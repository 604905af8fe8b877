from __future__ import annotations

import pytest

from controller.point.model import Equipment, Name, Point, Site
from controller.point.search import SearchIndex


def build() -> SearchIndex:
    pieces = [
        Equipment(
            "hall.electrical.tx1",
            "transformer",
            Name("一號變壓器", "Transformer 1"),
            "hall",
            "electrical",
            maker="Tatung",
        ),
        Equipment("hall.electrical.tx2", "transformer", Name("二號變壓器", "Transformer 2"), "hall", "electrical"),
        Equipment(
            "hall.plant.ch1",
            "chiller",
            Name("一號冰水主機", "Chiller 1"),
            "hall",
            "plant",
            maker="Carrier",
            model="23XRV",
        ),
    ]
    points = [
        ("hall.electrical.tx1.winding_temp_a", "A 相繞組溫度", "Winding temperature A", "tx1-temp"),
        ("hall.electrical.tx1.winding_temp_b", "B 相繞組溫度", "Winding temperature B", "tx1-temp"),
        ("hall.electrical.tx2.winding_temp_a", "A 相繞組溫度", "Winding temperature A", "tx2-temp"),
        ("hall.electrical.tx1.power", "總功率", "Total power", "tx1-meter"),
        ("hall.plant.ch1.power", "功率", "Power", "ch1-unit"),
        ("hall.plant.ch1.chw_supply_temp", "冰水出水溫度", "Chilled-water supply temperature", "ch1-unit"),
    ]
    return SearchIndex(
        Site(
            "hall",
            Name("府", "Hall"),
            "Asia/Taipei",
            1,
            {},
            {},
            {piece.address: piece for piece in pieces},
            {
                address: Point(n, address, "analog", "", Name(zh, en), address.rpartition(".")[0], device)
                for n, (address, zh, en, device) in enumerate(points)
            },
        )
    )


INDEX = build()


def addresses(q: str, limit: int = 20) -> list[str]:
    return [hit.address for hit in INDEX.search(q, limit)]


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("繞組", "hall.electrical.tx1.winding_temp_a"),
        ("變壓器", "hall.electrical.tx1"),
        ("二號變壓器 繞組", "hall.electrical.tx2.winding_temp_a"),
        ("總功率", "hall.electrical.tx1.power"),
        ("Chiller", "hall.plant.ch1"),
        ("CHILL", "hall.plant.ch1"),
        ("ＣＨＩＬＬＥＲ", "hall.plant.ch1"),
        ("tx2", "hall.electrical.tx2"),
        ("tx2 temp", "hall.electrical.tx2.winding_temp_a"),
        ("winding_temp_b", "hall.electrical.tx1.winding_temp_b"),
        ("hall.plant.ch1.power", "hall.plant.ch1.power"),
        ("wtb", "hall.electrical.tx1.winding_temp_b"),
        ("cwst", "hall.plant.ch1.chw_supply_temp"),
        ("carrier", "hall.plant.ch1"),
        ("23xrv", "hall.plant.ch1"),
        ("tx1-meter", "hall.electrical.tx1.power"),
        ("supply wat", "hall.plant.ch1.chw_supply_temp"),
    ],
)
def test_the_best_hit(q: str, first: str) -> None:
    assert addresses(q)[0] == first


def test_all_words_are_needed_and_nothing_else_is_found() -> None:
    assert addresses("tx1 繞組") == ["hall.electrical.tx1.winding_temp_a", "hall.electrical.tx1.winding_temp_b"]
    assert addresses("tx1 冰水") == []
    assert addresses("nothing") == []


@pytest.mark.parametrize("q", ["", "   ", "\n", "_"])
def test_nothing_asked_nothing_found(q: str) -> None:
    assert addresses(q) == []


def test_limit() -> None:
    assert len(addresses("溫度", 2)) == 2
    assert addresses("溫度", 0) == []
    assert len(addresses("溫度")) == 4


def test_hits_say_what_they_are() -> None:
    assert [hit.kind for hit in INDEX.search("ch1")][:2] == ["equipment", "point"]
    assert len(INDEX) == 9


def test_the_last_thing_is_found_once() -> None:
    assert addresses("chilled") == ["hall.plant.ch1.chw_supply_temp"]


def test_long_queries_are_cut() -> None:
    assert addresses("功率" + " 功率" * 5000)[:1] == ["hall.plant.ch1.power"]


def test_an_empty_site() -> None:
    empty = SearchIndex(Site("x", Name("x", "x"), "Asia/Taipei", 1, {}, {}, {}, {}))
    assert empty.search("x") == []
