"""LoRaWAN devices as ChirpStack passes them on: the payload of each model in ChirpStack v4 uplink events.

Sources: Milesight-IoT/SensorDecoders, `am-series/am319-hcho/README.md` (TLV, low byte first); the codec of the Axioma
Qalcosonic W1 (2024); chirpstack-docs, `events.md` (topic and JSON keys of the event `up`).
"""

from __future__ import annotations

import base64
import json
import math
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

__all__ = ["FPORT", "LORAWAN", "LorawanModel", "Sensor", "encode_am319", "encode_w1"]

FPORT = 85
_W1_DELTAS = 15

_FIELDS: tuple[tuple[bytes, str, str, float], ...] = (
    (b"\x01\x75", "battery", "<B", 1.0),
    (b"\x03\x67", "temperature", "<h", 10.0),
    (b"\x04\x68", "humidity", "<B", 2.0),
    (b"\x05\x00", "occupied", "<B", 1.0),
    (b"\x06\xcb", "light_level", "<B", 1.0),
    (b"\x07\x7d", "co2", "<H", 1.0),
    (b"\x08\x7d", "tvoc", "<H", 100.0),
    (b"\x09\x73", "pressure", "<H", 10.0),
    (b"\x0a\x7d", "hcho", "<H", 100.0),
    (b"\x0b\x7d", "pm25", "<H", 1.0),
    (b"\x0c\x7d", "pm10", "<H", 1.0),
)
"""Channel and type, quantity, struct of the value, raw per unit."""
_ENDS = {"<B": (0, 255), "<h": (-32768, 32767), "<H": (0, 65535)}


def encode_am319(state: Mapping[str, float], *, battery: bool = True) -> bytes:
    """Return the payload of one report; a quantity that is missing or NaN is left out.

    `battery` is sent now and then only, as the real device does.
    """
    payload = bytearray()
    for head, quantity, layout, factor in _FIELDS:
        value = state.get(quantity, math.nan)
        if not math.isfinite(value) or (quantity == "battery" and not battery):
            continue
        low, high = _ENDS[layout]
        payload += head + struct.pack(layout, max(low, min(high, round(value * factor))))
    return bytes(payload)


def encode_w1(state: Mapping[str, float], time_ns: int) -> bytes:
    """Return the payload of a Qalcosonic W1, 48 bytes: time, status, litres; then its log of 15 steps of 20 min."""

    def litres(name: str) -> int:
        value = state.get(name, math.nan)
        return 0xFFFFFFFF if math.isnan(value) else round(value * 1000.0) & 0xFFFFFFFF

    status = state.get("status", math.nan)
    head = struct.pack(
        "<IBIII",
        time_ns // 1_000_000_000,
        0xFF if math.isnan(status) else int(status),
        litres("volume"),
        int(state.get("log_time", 0.0)),
        litres("log_volume"),
    )
    steps = [min(litres(f"delta_{n}"), 0xFFFF) for n in range(1, _W1_DELTAS + 1)]
    return head + struct.pack(f"<{_W1_DELTAS}Hx", *steps)


@dataclass(frozen=True, slots=True)
class LorawanModel:
    """How a model of device speaks: its port and bytes, and what the network server calls it."""

    f_port: int
    encode: Callable[[Mapping[str, float], int, int], bytes]
    """Makes the payload from the quantities, the time (ns UTC) and the number of frames before it."""
    application: str
    name: str


LORAWAN: Mapping[str, LorawanModel] = {
    "milesight-am319": LorawanModel(
        FPORT,
        lambda state, _, frames: encode_am319(state, battery=frames % 6 == 0),
        "environment",
        "Milesight AM319",
    ),
    "axioma-qalcosonic-w1": LorawanModel(
        100, lambda state, time_ns, _: encode_w1(state, time_ns), "water", "Axioma Qalcosonic W1"
    ),
}
"""By the profile id that the site's files use."""


@dataclass(slots=True)
class Sensor:
    """One device on the air: frame counter, radio and the spoiled payloads of its faults."""

    id: str
    dev_eui: str
    application: str
    random: Random
    state: Callable[[], Mapping[str, float]]
    model: LorawanModel = LORAWAN["milesight-am319"]
    frames: int = 0

    @property
    def topic(self) -> str:
        """Where its uplinks are published."""
        return f"application/{self.application}/device/{self.dev_eui}/event/up"

    def uplink(self, time_ns: int, *, corrupt: str = "") -> bytes:
        """Return the JSON of the next uplink, received at `time_ns` (UTC)."""
        data = self.model.encode(self.state(), time_ns, self.frames)
        frames, self.frames = self.frames, self.frames + 1
        random = self.random
        event: dict[str, object] = {
            "deduplicationId": str(UUID(int=random.getrandbits(128), version=4)),
            "time": iso(time_ns),
            "deviceInfo": {
                "tenantName": "taipei-city-hall",
                "applicationId": self.application,
                "applicationName": self.model.application,
                "deviceProfileName": self.model.name,
                "deviceName": self.id,
                "devEui": self.dev_eui,
                "tags": {},
            },
            "devAddr": f"01{self.dev_eui[-6:]}",
            "adr": True,
            "dr": 5,
            "fCnt": frames,
            "fPort": self.model.f_port,
            "confirmed": False,
            "data": base64.b64encode(data).decode(),
            "rxInfo": [
                {
                    "gatewayId": "24e124fffef00001",
                    "uplinkId": random.getrandbits(32),
                    "rssi": round(random.gauss(-84.0, 4.0)),
                    "snr": round(random.gauss(7.5, 1.5), 1),
                }
            ],
            "txInfo": {"frequency": 923_200_000 + 200_000 * random.randrange(8)},
        }
        return json.dumps(event, separators=(",", ":")).encode() if not corrupt else _spoil(event, random)


def _spoil(event: dict[str, object], random: Random) -> bytes:
    """Return an uplink that no decoder may believe."""
    match random.randrange(6):
        case 0:
            return json.dumps(event).encode()[: random.randrange(1, 40)]
        case 1:
            return json.dumps([event]).encode()
        case 2:
            return json.dumps({**event, "data": "%%%"}).encode()
        case 3:
            return json.dumps({**event, "data": base64.b64encode(b"\x03\x67\xee").decode()}).encode()
        case 4:
            return json.dumps({**event, "data": base64.b64encode(b"\x77\x99\x01\x02").decode()}).encode()
        case _:
            return random.randbytes(64)


def iso(time_ns: int) -> str:
    """Return `time_ns` as ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="milliseconds")
