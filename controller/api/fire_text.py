"""`/fire/words`: what is read out over the loudspeakers (廣播詞) and told to 119 (119 摘要), from the present state.

Where it burns is for everybody who is signed in. People are counted by floor, by their cards, in the areas that the
asker may see, as on the board of a muster; nobody is named.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Item, NameReply
from controller.api.fire import visible
from controller.api.render import Json, iso, name_json
from controller.api.runtime import Runtime
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.point.model import Name
from controller.safety.announcement import BurningZone, FireFacts, announcement, summary
from controller.safety.effect import DEVIATIONS, Sight, SightState
from controller.safety.response import Phase

__all__ = ["router"]

router = APIRouter(prefix="/fire", tags=["fire"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
_SEEN = frozenset({SightState.DONE, SightState.LATE})


class WordsReply(Item):
    """The words, in both languages; null while no response is active: there is nothing to announce then."""

    time: str
    response: str | None
    announcement: NameReply | None
    summary: NameReply | None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "time": "2026-01-01T01:02:00.000Z",
                    "response": "fire-1767229200000000000",
                    "announcement": {
                        "zh": "各位同仁、各位市民請注意：臺北市政府市政大樓 3F 發生火警。…",
                        "en": "Attention please. There is a fire at Taipei City Hall, 3F. …",
                    },
                    "summary": {"zh": "事由：火警，…", "en": "What: fire, …"},
                }
            ]
        }
    )


@router.get("/words", response_model=WordsReply)
async def read_words(runtime: RuntimeDep, principal: Viewer) -> Json:
    """Return the words of the emergency broadcast and the summary for 119 as they are now."""
    response = runtime.fire.response
    reply: dict[str, Any] = {
        "time": iso(runtime.clock.now_ns()),
        "response": response.id or None,
        "announcement": None,
        "summary": None,
    }
    if response.phase is Phase.ACTIVE:
        facts = _facts(runtime, principal)
        reply |= {"announcement": name_json(announcement(facts)), "summary": name_json(summary(facts))}
    return Json(reply)


def _facts(runtime: Runtime, principal: Principal) -> FireFacts:
    watch, site = runtime.fire, runtime.site()
    response, table = watch.response, watch.table
    zones = []
    for item in response.zones:
        piece = site.equipment.get(item.zone)
        zones.append(BurningZone(table.name_of(item.zone), piece.floor if piece else "", item.since_ns))
    people, whole = _people(runtime, principal)
    return FireFacts(
        now_ns=runtime.clock.now_ns(),
        zone=ZoneInfo(site.timezone),
        site=site.name,
        since_ns=response.since_ns,
        zones=zones,
        everywhere=response.everywhere_ns is not None,
        doubts=watch.picture.reasons,
        reset_ns=response.reset_ns,
        address=table.address,
        entrance=table.entrance,
        assembly=_assembly(runtime, {one.floor for one in zones}),
        people=people,
        outside_view=not whole,
        effects=(sum(sight.state in _SEEN for sight in watch.sights), len(watch.sights)),
        wrong=_wrong(runtime, principal, watch.sights),
        calls=table.calls,
    )


def _wrong(runtime: Runtime, principal: Principal, sights: Iterable[Sight]) -> list[Name]:
    """Return the names of what did not come, of those that may be seen."""
    site, found = runtime.site(), []
    for sight in sights:
        if sight.state in DEVIATIONS and visible(runtime, principal, sight.effect.point):
            point = site.points[sight.effect.point]
            piece = site.equipment[point.equipment]
            found.append(Name(f"{piece.name.zh} {point.name.zh}", f"{piece.name.en} {point.name.en}"))
    return found


def _assembly(runtime: Runtime, floors: set[str]) -> list[Name]:
    """Return the assembly points of floors, as the drills know them."""
    points = {one.id: one for scenario in runtime.scenarios().values() for one in scenario.assembly}
    return [one.name for one in points.values() if floors and (not one.floors or floors.intersection(one.floors))]


def _people(runtime: Runtime, principal: Principal) -> tuple[dict[str, int] | None, bool]:
    """Return how many people are on each floor by their cards, and whether that is everybody who has one."""
    if runtime.drills is None:
        return None, True
    areas = principal.permissions.areas(Action.VIEW)
    inside = runtime.drills.presence.inside(runtime.clock.now_ns())
    seen = [person for person in inside if areas is None or person.area in areas]
    return (dict(Counter(person.floor for person in seen)) or None), areas is None
