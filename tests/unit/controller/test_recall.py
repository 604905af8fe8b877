"""What a start reads from the state database."""

from pathlib import Path

from controller import recall
from controller.clock import VirtualClock
from controller.journal.journal import Journal


async def test_generation_grows_with_each_start_and_each_apply(tmp_path: Path) -> None:
    clock = VirtualClock()
    given = []
    for _ in range(2):
        journal = await Journal.open(tmp_path / "state.db", clock)
        for _ in range(2):
            given.append(await recall.next_generation(journal, clock))
            await journal.commit()
        await journal.close()

    assert given == [1, 2, 3, 4]
