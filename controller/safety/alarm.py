"""The alarms of the watch over fire: status unknown, a response that runs, an effect that did not come.

Zones have alarms of their own, from the site's files. These belong to the panel's equipment and area, and nothing
shelves, suppresses or takes them out of service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.alarm.definition import AlarmDefinition
from controller.point.model import Name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.safety.cause import FireTable
    from controller.safety.effect import Sight
    from controller.safety.fire import FirePicture
    from controller.safety.response import Response

__all__ = ["EFFECTS", "RESPONSE", "STATUS", "definitions", "effects_reason", "response_reason", "status_reason"]

STATUS, RESPONSE, EFFECTS = "fire#status", "fire#response", "fire#effects"
_SHOWN = 3


def definitions(table: FireTable) -> tuple[AlarmDefinition, ...]:
    """Return the alarms of a site that has a panel; none of one that has not."""
    if not table.panel:
        return ()

    def definition(id_: str, on_delay_s: float, respond_min: float, *words: Name) -> AlarmDefinition:
        text, consequence, action = words
        return AlarmDefinition(
            id_,
            "system",
            device=id_,
            priority=1,
            life_safety=True,
            on_delay_s=on_delay_s,
            text=text,
            consequence=consequence,
            action=action,
            respond_s=respond_min * 60.0,
            equipment=table.panel,
            system="fire",
            area=table.area,
            floor=table.floor,
        )

    return (
        definition(
            STATUS,
            3.0,
            2,
            Name("火警狀態不明", "fire status unknown"),
            Name("火警可能不會顯示於本系統", "A fire may not be shown here"),
            Name(
                "1 派員至受信總機前值守 2 依原因檢查閘道器、網路、繼電器接線或測試中的分區",
                "1 Have somebody watch the panel itself 2 By the reason: check gateway, network, relay wiring or the "
                "zone under test",
            ),
        ),
        definition(
            RESPONSE,
            0.0,
            1,
            Name("真實火警，連動設備由受信總機控制", "real fire: the panel has the building"),
            Name(
                "火警樓層設備的排程、策略與手動指令已清除並拒絕，直到總機復歸且安全主管解除",
                "Schedules, strategies and overrides of the floors in fire are taken out and refused until the panel "
                "is reset and a safety officer stands down",
            ),
            Name(
                "1 依火警程序處置 2 總機復歸後，由安全主管於消防頁解除 3 設備分段交還排程與策略",
                "1 Act as for a fire 2 When the panel is reset, a safety officer stands down on the fire page 3 It is "
                "given back to schedule and strategies step by step",
            ),
        ),
        definition(
            EFFECTS,
            0.0,
            3,
            Name("火警連動未完成", "the building does not answer the fire as it should"),
            Name(
                "火煙可能經由未動作的防火門、閘門或風機擴散，電梯或門可能未釋放",
                "Smoke may spread where a door, damper or fan has not followed; a lift or a door may not be released",
            ),
            Name(
                "1 於消防頁查看未動作的項目 2 派員現場手動操作 3 回報指揮官",
                "1 See on the fire page what did not follow 2 Send somebody to work it by hand 3 Tell the commander",
            ),
        ),
    )


def status_reason(picture: FirePicture) -> str:
    """Return why the status is unknown."""
    return ", ".join(picture.reasons)


def response_reason(response: Response, table: FireTable) -> str:
    """Return where the fire is."""
    names = [table.name_of(item.zone).en for item in response.zones[:_SHOWN]]
    more = len(response.zones) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "") if names else "zone not known"


def effects_reason(wrong: Sequence[Sight]) -> str:
    """Return what did not follow, the first of them by name."""
    names = [f"{sight.effect.point} ({sight.state})" for sight in wrong[:_SHOWN]]
    return ", ".join(names) + (f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else "")
