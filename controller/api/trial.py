"""`/test-reads`: look at a device before it is configured, with the bytes that go over the wire."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, Field, StringConstraints

from controller.api.access import Allow, RuntimeDep, may
from controller.api.body import Body, Item, Line, NameReply
from controller.api.change import audited
from controller.api.render import Json, finite, quality_name
from controller.api.runtime import Runtime
from controller.api.sheet import area_of, check_endpoint, check_options, check_secrets, sheet_of
from controller.errors import ConflictError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.settings.amendment import DEVICE
from controller.settings.build import SCHEMES
from controller.settings.file import Endpoint
from controller.settings.inventory import Inventory
from controller.settings.option import known_options
from controller.settings.problem import Problem, SettingsError, nearest, shown
from drivers.profile import Profile

__all__ = ["router"]

router = APIRouter(prefix="/test-reads", tags=["commissioning"])
Engineer = Annotated[Principal, Depends(Allow(Action.CONFIGURE))]
_ALONE = ("rtu+tcp", "serial")
"""Lines with one master: a second one would garble the answers of both."""


class TestReadBody(Body):
    """Where to read what. Secrets are named as in the files, and only those that the endpoint has are taken."""

    __test__ = False  # nothing for pytest
    profile: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    endpoint: Endpoint
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    options: Annotated[dict[str, Any], Field(default_factory=dict, max_length=50)]
    secrets: Annotated[dict[Line, Line], Field(default_factory=dict, max_length=10)]
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"profile": "eastron-sdm630", "endpoint": "tcp://10.20.3.11:502", "unit": 12}]}
    )


class ExchangeReply(Item):
    """One question with its answer, or one message that came; bytes in hexadecimal, a message as text."""

    what: str
    request: str
    answer: str
    error: str


class TestPointReply(Item):
    """One point of the profile as it was read; `quality` is null where nothing was said of it."""

    __test__ = False
    tag: str
    name: NameReply
    kind: str
    unit: str
    decimals: int
    where: str
    raw: str
    value: float | None
    quality: int | None
    quality_name: str
    status: str


class TestReadReply(Item):
    """What the device said. `running`: a device that is configured there; its last values, nothing was asked."""

    __test__ = False
    source: Literal["device", "running"]
    device: str
    endpoint: str
    unit: int
    took_ms: float
    exchanges: list[ExchangeReply]
    points: list[TestPointReply]
    error: str
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "source": "device",
                    "device": "",
                    "endpoint": "tcp://10.20.3.11:502",
                    "unit": 12,
                    "took_ms": 41.5,
                    "exchanges": [
                        {
                            "what": "FC04 52–53",
                            "request": "00 01 00 00 00 06 0c 04 00 34 00 02",
                            "answer": "00 01 00 00 00 07 0c 04 04 44 9a 40 00",
                            "error": "",
                        }
                    ],
                    "points": [
                        {
                            "tag": "power",
                            "name": {"zh": "總有效功率", "en": "Total active power"},
                            "kind": "analog",
                            "unit": "kW",
                            "decimals": 1,
                            "where": "4:52–53",
                            "raw": "449a 4000",
                            "value": 1.234,
                            "quality": 0,
                            "quality_name": "good",
                            "status": "",
                        }
                    ],
                    "error": "",
                }
            ]
        }
    )


@router.post("", response_model=TestReadReply)
async def make_test_read(request: Request, runtime: RuntimeDep, principal: Engineer, body: TestReadBody) -> Json:
    """Read every point of a profile once from an address, within 15 s; one at a time a person, each in the audit.

    An address that the running controller polls is not asked a second time: with the same profile its last values
    are the answer, and a line with one master is refused.
    """
    inventory = runtime.inventory()
    profile = _profile(inventory, body)
    check_secrets(inventory, body.endpoint, body.secrets, {})
    for names, devices in inventory.secrets(body.endpoint):
        if body.secrets == names:
            may(principal, Action.CONFIGURE, area_of(inventory, DEVICE + devices[0]))
    running = _running(runtime, principal, inventory, profile, body)
    begun = runtime.clock.monotonic()
    said = {"profile": profile.id, "unit": body.unit, "options": body.options}

    async def act() -> tuple[dict[str, Any], dict[str, Any]]:
        if running:
            reply = _last_values(runtime, profile, running)
        else:
            trial = await runtime.test_read(
                principal.actor, profile, body.endpoint, body.unit, body.options, _resolved(runtime, body)
            )
            reply = {
                "exchanges": [
                    {"what": item.what, "request": item.request, "answer": item.answer, "error": item.error}
                    for item in trial.exchanges
                ],
                "points": [
                    _point(profile, item.place, item.where, item.raw, item.value, item.quality, item.status)
                    for item in trial.points
                ],
                "error": trial.error,
            }
        good = sum(point["quality"] is not None and point["quality"] < 64 for point in reply["points"])
        return reply, {**said, "good": good, "error": reply["error"][:300]}

    reply = await audited(request, runtime, principal, "test_read", body.endpoint, reason="", data=said, act=act)
    return Json(
        {
            "source": "running" if running else "device",
            "device": running,
            "endpoint": body.endpoint,
            "unit": body.unit,
            "took_ms": round((runtime.clock.monotonic() - begun) * 1e3, 1),
            **reply,
        }
    )


def _profile(inventory: Inventory, body: TestReadBody) -> Profile:
    """Return the profile, when address and options go with it.

    Raises:
        SettingsError: they do not, or there is no such profile.
    """
    library = inventory.files.library
    profile = library.get(body.profile)
    if isinstance(profile, Problem):
        todo = nearest(body.profile, library.names())
        raise SettingsError([Problem("", 0, "device.profile", shown(body.profile), "a profile that exists", todo)])
    problems = check_options(body.options)
    scheme = body.endpoint.partition(":")[0]
    schemes = SCHEMES[profile.protocol]
    if scheme not in schemes:
        wanted = f"one that begins with {' or '.join(f'{name}:' for name in schemes)}"
        todo = f"The profile {profile.id} speaks {profile.protocol}."
        problems.append(Problem("", 0, "device.endpoint", shown(body.endpoint), wanted, todo))
    problems += check_endpoint(body.endpoint)
    known = known_options(profile)
    for key in body.options:
        if key not in known:
            todo = nearest(key, known) or f"Known are {', '.join(known) or 'none'}."
            problems.append(
                Problem("", 0, f"device.options.{key[:60]}", "an unknown option", "one that is known", todo)
            )
    if problems:
        raise SettingsError(problems)
    return profile


def _running(runtime: Runtime, principal: Principal, inventory: Inventory, profile: Profile, body: TestReadBody) -> str:
    """Return the device that is read at this address already; empty when a trial may go there.

    Raises:
        ConflictError: another profile is polled there, or the line has one master, which is the running link.
    """
    if profile.protocol != "modbus":
        return ""
    there = inventory.on_wire(body.endpoint, body.unit)
    if there:
        device = there[0]
        sheet, _ = sheet_of(runtime, principal, device)
        other = sheet["device"]["profile"]
        if other == profile.id:
            return device
        raise ConflictError(
            f"device {device!r} is polled at {body.endpoint} unit {body.unit} with profile {other}; "
            "take it out of service first, then test read again"
        )
    if body.endpoint.partition(":")[0] in _ALONE and (line := inventory.on_wire(body.endpoint)):
        raise ConflictError(
            f"the line {body.endpoint} has one master and is polled for {len(line)} devices ({line[0]!r} first); "
            "save the device without a test read, its link then reads it in turn with the others, or take those out "
            "of service for the time of the test"
        )
    return ""


def _last_values(runtime: Runtime, profile: Profile, device: str) -> dict[str, Any]:
    table = runtime.table()
    own = {point.tag: point for point in runtime.site().points.values() if point.device == device}
    points = []
    for place, source in enumerate(profile.points):
        if source.tag in own:
            number = own[source.tag].number
            value, quality = float(table.value[number]), int(table.quality[number])
            points.append(_point(profile, place, own[source.tag].address, "", value, quality, ""))
    return {"exchanges": [], "points": points, "error": ""}


def _resolved(runtime: Runtime, body: TestReadBody) -> dict[str, str]:
    """Return the secrets that a device of this endpoint was given when the configuration was read."""
    inventory = runtime.inventory()
    for names, devices in inventory.secrets(body.endpoint):
        if body.secrets and names == body.secrets:
            configuration = inventory.configuration
            known = (*configuration.devices, *(item.device for item in configuration.retired))
            return next((dict(device.secrets) for device in known if device.id in devices), {})
    return {}


def _point(
    profile: Profile, place: int, where: str, raw: str, value: float, quality: int | None, status: str
) -> dict[str, Any]:
    point = profile.points[place]
    return {
        "tag": point.tag,
        "name": {"zh": point.zh, "en": point.en},
        "kind": point.kind,
        "unit": point.unit,
        "decimals": point.decimals,
        "where": where,
        "raw": raw,
        "value": finite(value),
        "quality": quality,
        "quality_name": "" if quality is None else quality_name(quality),
        "status": status,
    }
