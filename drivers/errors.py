"""What can go wrong between the controller and a device, split by what the caller can do about it.

    DriverError
    ├── TryAgainError          the same request may succeed soon
    │   ├── ConnectError           no connection, or it was refused or lost
    │   │   └── NotSentError           and so nothing has left this machine
    │   └── DeviceTimeoutError     connected, but no (valid) answer in time
    ├── GiveUpError            this request will not succeed as it is
    │   ├── DeviceRefusedError     the device answered with an exception or a bad status
    │   ├── DecodeError            the answer has another shape than the profile says
    │   └── NotWritableError       the profile has no way to write this point
    └── ProfileError           the file must be mended

A sentence names the thing, what was got, what was wanted and where to look.
"""

from __future__ import annotations

__all__ = [
    "ConnectError",
    "DecodeError",
    "DeviceRefusedError",
    "DeviceTimeoutError",
    "DriverError",
    "GiveUpError",
    "NotSentError",
    "NotWritableError",
    "ProfileError",
    "TryAgainError",
]


class DriverError(Exception):
    """Base of all errors of the drivers."""


class TryAgainError(DriverError):
    """The same request may succeed soon."""


class ConnectError(TryAgainError):
    """No connection, or it was refused or lost."""


class NotSentError(ConnectError):
    """Nothing has left this machine: no connection, or the line was not free in time."""


class DeviceTimeoutError(TryAgainError):
    """The connection stands, but no valid answer came in time."""


class GiveUpError(DriverError):
    """This request will not succeed as it is."""


class DeviceRefusedError(GiveUpError):
    """The device answered, and said no.

    `code` is the protocol's own number: the Modbus exception code or the OPC UA status code.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class DecodeError(GiveUpError):
    """The answer has another shape than the profile says; nothing of it was used."""


class NotWritableError(GiveUpError):
    """The profile has no way to write this point."""


class ProfileError(DriverError):
    """A profile file is wrong; the message has file, key, what was got and what is wanted."""
