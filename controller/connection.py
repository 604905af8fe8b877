"""Makes the driver of one connection by the protocol of its devices; the only room that names the concrete drivers.

The protocol libraries are imported when a device needs them: `shifu check` of a site of Modbus meters does not wait
for OPC UA.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from drivers.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drivers.driver import Clock, Device, Driver

__all__ = ["build_driver", "check_devices"]


def build_driver(clock: Clock, endpoint: str, devices: Sequence[Device]) -> Driver:
    """Make the driver of one connection; nothing is opened.

    Raises:
        ProfileError: devices of different protocols share one endpoint, or a profile or option cannot be used.
    """
    protocols = {device.profile.protocol for device in devices}
    if len(protocols) != 1:
        raise ProfileError(f"{endpoint}: devices of {', '.join(sorted(protocols))} on one connection; give them two")
    protocol = protocols.pop()
    if protocol == "modbus":
        from drivers.modbus.driver import modbus_driver  # noqa: PLC0415

        return modbus_driver(devices, clock)
    if protocol == "opcua":
        from drivers.opcua.driver import OpcUaDriver  # noqa: PLC0415

        return OpcUaDriver(devices, clock)
    from drivers.mqtt.driver import MqttDriver  # noqa: PLC0415

    return MqttDriver(devices, clock)


def check_devices(devices: Iterable[Device], clock: Clock) -> list[tuple[str, str]]:
    """Have the protocols check profiles, options and endpoints; return (device, what is wrong).

    A mistake in a profile is said once, for the first device that has it.
    """
    groups: defaultdict[str, list[Device]] = defaultdict(list)
    for device in devices:
        groups[device.endpoint].append(device)
    found: dict[str, str] = {}
    for endpoint, group in groups.items():
        try:
            build_driver(clock, endpoint, group)
        except ProfileError as error:
            name, message = _culprit(clock, endpoint, group, error)
            found.setdefault(message, name)
    return [(name, message) for message, name in found.items()]


def _culprit(clock: Clock, endpoint: str, group: Sequence[Device], whole: ProfileError) -> tuple[str, str]:
    """Return the first device that is wrong alone, or the first of all when they only contradict each other."""
    for device in group:
        try:
            build_driver(clock, endpoint, [device])
        except ProfileError as error:
            return device.id, str(error)
    return group[0].id, str(whole)
