"""What is declared of a car at a charger, in a whole controller: followed, kept through a restart, ended with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.services.charger_site import ONE, Post, charger_site
from tests.services.city import Client, wait_for
from tests.services.hurry import Hurry

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

PATH = f"/charging/sessions/{ONE}"


def sign_in(house: Hurry, role: str) -> Client:
    client = Client(house.url)
    client.sign_in(f"#token={house.links[role]}")
    return client


def slot(house: Hurry) -> float | None:
    held = house.controller.parts.arbiter.slots(f"{ONE}.current_limit")[11]
    return None if held is None else held.value


def row(client: Client) -> dict[str, Any]:
    return dict(client.get(PATH))


@pytest.mark.timeout(240)
def test_a_stop_is_followed_lives_through_a_restart_and_ends_with_the_session(tmp_path: Path) -> None:
    charger_site(tmp_path)
    post = Post()
    with Hurry(tmp_path, post.values) as house:
        operator = sign_in(house, "operator")
        wait_for(lambda: operator.get("/charging")["sessions"], 30, "no decision yet")
        wait_for(lambda: row(operator)["verdict"] == "in_time", 60, lambda: str(row(operator)))
        wait_for(lambda: (slot(house) or 0.0) >= 6.0, 30, "it does not charge")
        operator.put(PATH, {"instruction": "stop", "reason": "車位要清空"}, operator.etag(PATH))
        wait_for(lambda: slot(house) == 0.0, 30, lambda: str(slot(house)))
        wait_for(lambda: row(operator)["state"] == "halted", 30, lambda: str(row(operator)))
        since = row(operator)["since"]
        assert "車位要清空" in row(operator)["why"]["zh"]
        keys = wait_for(
            lambda: [change.key for change in house.controller.revision._changes.values()], 10, "nothing is kept"
        )
        assert keys == [f"charging/{ONE}"]
    with Hurry(tmp_path, post.values) as house:
        operator = sign_in(house, "operator")
        wait_for(lambda: operator.get("/charging")["sessions"], 30, "no decision yet")
        wait_for(lambda: row(operator)["since"] is not None, 30, lambda: str(row(operator)))
        found = row(operator)
        assert (found["since"], found["declared"]["instruction"]) == (since, "stop")
        wait_for(lambda: slot(house) == 0.0, 30, lambda: str(slot(house)))
        post.there = False
        wait_for(lambda: house.controller.revision.declared == (), 30, "it was not ended")
        administrator = sign_in(house, "administrator")
        said = [one for one in administrator.get("/audit")["items"] if one["action"] == "charging_declaration"]
        assert (said[0]["actor"], said[0]["reason"]) == ("system", "the session is over")
        post.there = True
        wait_for(lambda: (slot(house) or 0.0) >= 6.0, 30, "the next car is stopped too")
        assert row(operator)["declared"] is None
        # Without the meter the safe current, and said so.
        post.heard = False
        wait_for(lambda: operator.get("/charging")["state"] == "stepped_back", 60, "it did not step back")
        wait_for(lambda: slot(house) == 8.0, 30, lambda: str(slot(house)))
        assert "安全電流" in operator.get("/charging")["why"]["zh"]
