"""tariff.toml: what is wrong has file, line, key, got and wanted, and nothing is taken of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from controller.settings.difference import compare
from controller.share import share_dir

Folder = Any

TEXT = (share_dir("config") / "taipei-city-hall" / "tariff.toml").read_text("utf-8")
SUMMER = 'spans = ["00:00-09:00 off_peak", "09:00-16:00 half_peak", "16:00-22:00 peak", "22:00-24:00 half_peak"]'


def line_of(text: str, part: str, after: str = "") -> int:
    """Return the number of the first line that begins with `part`, behind the one that begins with `after`."""
    lines = text.splitlines()
    begin = next((at for at, line in enumerate(lines) if after and line.startswith(after)), 0)
    return next(at for at, line in enumerate(lines, 1) if at > begin and line.startswith(part))


def test_the_sites_tariff_is_read_to_the_cent(folder: Folder) -> None:
    folder.write("tariff.toml", TEXT)
    plan = folder.load().tariff
    assert plan.account is not None
    assert plan.account.coefficient == Decimal("1.017")
    (table,) = plan.tables
    assert table.energy["summer"]["peak"] == Decimal("9.39")
    assert table.basic["non_summer"]["saturday"] == Decimal("33.3")
    assert [tier.share for tier in table.tiers] == [Decimal("0.1"), None]


@pytest.mark.parametrize(("last", "said"), [("2025-12-31", True), ("2026-01-01", False), ("2026-12-31", False)])
def test_a_tariff_that_has_ended_is_a_note_of_the_check(folder: Folder, last: str, said: bool) -> None:
    folder.write("tariff.toml", TEXT.replace("checked_until =", f"valid_to = {last}\nchecked_until ="))
    notes = [note for note in folder.load().notices if note.startswith("tariff.toml:")]
    wanted = f"tariff.toml: table hv-three-113-10 ended on {last} and none follows: there is no price since"
    assert notes == ([wanted] if said else [])


def test_the_29th_of_february_may_end_a_season(folder: Folder) -> None:
    text = TEXT.replace('first = "05-16"', 'first = "03-01"').replace('last = "05-15"', 'last = "02-29"')
    folder.write("tariff.toml", text)
    assert folder.load().tariff.tables


def test_a_site_without_a_tariff_has_none(folder: Folder) -> None:
    plan = folder.load().tariff
    assert (plan.account, plan.tables) == (None, ())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (SUMMER, SUMMER.replace("09:00-16:00", "10:00-16:00"), "hours.spans: got a gap at 09:00, wanted the 24 hours"),
        (SUMMER, SUMMER.replace("09:00-16:00", "08:00-16:00"), "hours.spans: got two periods at 08:00, wanted the 24"),
        (SUMMER, SUMMER.replace("22:00-24:00", "22:00-23:00"), "table.hours.spans: got a gap at 23:00"),
        (SUMMER, SUMMER.replace("00:00-09:00", "09:00-00:00"), '"09:00-00:00 off_peak", wanted an end after its start'),
        (SUMMER, SUMMER.replace("22:00-24:00 half_peak", "22:00-24:00 shoulder"), "wanted from-to and period, such as"),
        ('last = "10-15"', 'last = "10-14"', "table.season: got 10-15 in no season, wanted each day of the year"),
        ('last = "10-15"', 'last = "10-16"', "table.season: got 10-16 in 2 seasons"),
        ('first = "05-16"', 'first = "02-30"', 'table.season.first: got "02-30", wanted a day of the year'),
        ('last = "10-15"', 'last = "09-31"', 'table.season.last: got "09-31", wanted a day of the year'),
        ("regular_kw = 5000", "regular_kw = 0", "account.regular_kw: got 0, wanted more than 0"),
        ("peak = 9.39", "peak = -9.39", "table.price.energy.peak: got -9.39, wanted at least 0"),
        ("energy = { peak = 9.39, half", "energy = { half", "got peak in summer, which has no price"),
        ("checked_until = 2025-11-17", "checked_until = 2025-11-17\nvalid_to = 2024-01-01", "valid_to: got 2024-01-01"),
        ("{ share = 0.10, times = 2 }, { times = 3 }", "{ share = 0.10, times = 2 }", "got tier 1 with a share"),
        ("cap_percent = 95", "cap_percent = 79", "table.power_factor: got 79 below 80"),
        ('day = "01-01"', 'day = "02-29"', 'table.off_peak_day.day: got "02-29", wanted a day that every year has'),
        ('day = "01-01"\n', "", 'table.off_peak_day.name: got neither, wanted exactly one of "day" and "festival"'),
        ('kind = "three_section"\nvoltage = "high"\nregular', 'kind = "three_section"\nvoltage = "extra_high"\nregular',
         "account.kind: got three_section, extra_high voltage, wanted the kind of a [[table]]"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place(folder: Folder, old: str, new: str, said: str) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    folder.write("tariff.toml", text)
    problem = folder.problem()
    assert said in problem
    assert problem.startswith("tariff.toml:")
    assert int(problem.split(":")[1]) > 0


def test_the_line_is_that_of_the_mistake(folder: Folder) -> None:
    text = TEXT.replace(SUMMER, SUMMER.replace("09:00-16:00", "10:00-16:00"), 1)
    folder.write("tariff.toml", text)
    assert folder.problem().startswith(f"tariff.toml:{line_of(text, 'spans =')}: ")


def second(valid_from: str) -> str:
    """Return the file with its first table, ended at the end of 2025, and a second one."""
    head, _, rest = TEXT.partition("[[table]]\n")
    first, _, _ = rest.partition("\n[[table]]\n")
    ended = first.replace("checked_until", "valid_to = 2025-12-31\nchecked_until", 1)
    again = first.replace('"hv-three-113-10"', '"hv-three-115-01"').replace("2024-10-16", valid_from, 1)
    return f"{head}[[table]]\n{ended}\n[[table]]\n{again}"


@pytest.mark.parametrize(("day", "good"), [("2026-01-01", True), ("2026-01-02", False), ("2025-12-31", False)])
def test_tables_follow_each_other_day_on_day(folder: Folder, day: str, good: bool) -> None:
    text = second(day)
    folder.write("tariff.toml", text)
    if good:
        assert [table.id for table in folder.load().tariff.tables] == ["hv-three-113-10", "hv-three-115-01"]
        return
    line = line_of(text, "valid_from", after='id = "hv-three-115-01"')
    wanted = "wanted 2026-01-01, the day after hv-three-113-10 ends"
    assert folder.problem().startswith(f"tariff.toml:{line}: table.valid_from: got {day}, {wanted}")


def test_a_table_after_one_without_an_end_is_refused(folder: Folder) -> None:
    folder.write("tariff.toml", second("2026-01-01").replace("valid_to = 2025-12-31\n", ""))
    assert "Give hv-three-113-10 a valid_to." in folder.problem()


def test_tables_without_an_account_are_refused(folder: Folder) -> None:
    rest = TEXT.partition("[[table]]\n")[2]
    folder.write("tariff.toml", "[[table]]\n" + rest)
    assert "account: got nothing, wanted a table [account]" in folder.problem()


def test_the_alarm_and_the_bill_have_one_contract(folder: Folder) -> None:
    folder.write("tariff.toml", TEXT)
    folder.write("energy.toml", 'main = ["main.electrical.meter1"]\n')
    folder.write("devices/meter.toml", DEVICE)
    folder.load()
    folder.change(
        "equipment.toml",
        "parameters = { limit_kw = 50 }",
        "parameters = { limit_kw = 50, contract_kw = 4800 }",
    )
    line = line_of(TEXT, "regular_kw")
    wanted = "wanted 4800, as contract_kw of main.electrical.meter1. Change both together."
    assert folder.problem() == f"tariff.toml:{line}: account.regular_kw: got 5000, {wanted}"


def test_apply_tells_what_of_the_tariff_changed(folder: Folder) -> None:
    folder.write("tariff.toml", TEXT)
    before = folder.load()
    folder.change("tariff.toml", "regular_kw = 5000", "regular_kw = 4850")
    folder.change("tariff.toml", "peak = 9.39", "peak = 9.99")
    assert compare(before, folder.load()).calendar.changed == ("tariff hv-three-113-10", "tariff account")


DEVICE = """\
[[device]]
id = "meter1"
equipment = "main.electrical.meter1"
profile = "eastron-sdm630"
endpoint = "tcp://192.0.2.10:502"
unit = 1
"""
