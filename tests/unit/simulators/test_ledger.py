from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulators.ledger import Ledger, LedgerError, Served, Written, read_ledger

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES: list[Served | Written] = [
    Served(1, "a", "3000", 2, b"\x01\x02\x03\x04"),
    Written(2, "a", "101", b"\x02\xbc", accepted=True),
    Written(3, "環", "AHU/01F-W/Mode", b"", accepted=False),
    Served(4, "b", "", 0, b""),
]


def fill(ledger: Ledger) -> None:
    for entry in ENTRIES:
        if isinstance(entry, Served):
            ledger.serve(*entry)
        else:
            ledger.write(entry.time_ns, entry.device, entry.address, entry.raw, accepted=entry.accepted)


def test_what_was_noted_is_read_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "l.ledger"
    for _ in range(2):  # a second run goes on in the same file
        ledger = Ledger(path)
        fill(ledger)
        ledger.close()
        ledger.close()
    assert list(read_ledger(path)) == ENTRIES + ENTRIES


def test_memory_is_bounded_and_says_what_it_dropped() -> None:
    ledger = Ledger(keep=2)
    for number in range(5):
        ledger.serve(number, "a", number, 1, b"")
    ledger.write(9, "a", 1, b"", accepted=True)
    assert [entry.time_ns for entry in ledger.served] == [3, 4]
    assert (ledger.served_total, ledger.written_total, ledger.dropped) == (5, 1, 3)


def test_a_file_keeps_what_memory_dropped(tmp_path: Path) -> None:
    path = tmp_path / "l.ledger"
    ledger = Ledger(path, keep=1)
    for number in range(5000):
        ledger.serve(number, "device", number, 1, b"0123456789abcdef")
    assert path.stat().st_size > 0  # written on the way, not only at the end
    ledger.close()
    assert [entry.time_ns for entry in read_ledger(path)] == list(range(5000))


@pytest.mark.parametrize("cut", [1, 7, 22])
def test_a_torn_end_is_said_after_all_whole_entries(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "l.ledger"
    ledger = Ledger(path)
    fill(ledger)
    ledger.serve(5, "last", "40001", 1, b"x")
    ledger.close()
    path.write_bytes(path.read_bytes()[:-cut])
    entries = read_ledger(path)
    assert [next(entries) for _ in ENTRIES] == ENTRIES
    with pytest.raises(LedgerError, match="cut off"):
        next(entries)


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"hello")
    with pytest.raises(LedgerError, match="not a ledger"):
        list(read_ledger(path))
