"""What can go wrong between the controller and a device, split by what the caller can do about it.

    DriverError
    ├── TryAgainError          the same request may succeed soon
    │   ├── ConnectError           no connection, or it was refused or lost
    │   │   ├── NotSentError           and so nothing has left this machine
    │   │   └── NotTrustedError        a certificate is missing, over, or not trusted
    │   └── DeviceTimeoutError     connected, but no (valid) answer in time
    ├── GiveUpError            this request will not succeed as it is
    │   ├── DeviceRefusedError     the device answered with an exception or a bad status
    │   ├── DecodeError            the answer has another shape than the profile says
    │   └── NotWritableError       the profile has no way to write this point
    └── ProfileError           the file must be mended

A sentence names the thing, what was got, what was wanted and where to look. It is English, for logs and engineers; its
`cause` is a word of `CAUSES`, which screens say in the language of whoever looks.
"""

from __future__ import annotations

import errno
import socket

__all__ = [
    "CAUSES",
    "ConnectError",
    "DecodeError",
    "DeviceRefusedError",
    "DeviceTimeoutError",
    "DriverError",
    "GiveUpError",
    "NotSentError",
    "NotTrustedError",
    "NotWritableError",
    "ProfileError",
    "TryAgainError",
    "cause_of",
]

CAUSES = {
    "name": "the name of the host is unknown",
    "closed": "nobody listens at the address",
    "unreachable": "no way to the host, or it does not answer a connect",
    "line": "the serial port is not there, or may not be used",
    "connection": "no connection, or it was lost",
    "trust": "a certificate is missing, over, or not trusted",
    "sign_in": "user or password were refused",
    "silent": "no valid answer in time",
    "refused": "the device says no",
    "shape": "the answer has another shape than the profile says",
    "failure": "the device or its gateway reports a failure",
    "part": "a part of it cannot be had",
    "settings": "profile, address or options are wrong",
    "service": "taken out of service",
    "fault": "a mistake of the driver",
}
"""What can be wrong with a device, in one word each."""

_ERRNO = {
    errno.ECONNREFUSED: "closed",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.ETIMEDOUT: "unreachable",
    errno.ENOENT: "line",
    errno.EACCES: "line",
    errno.ENODEV: "line",
}


class DriverError(Exception):
    """Base of all errors of the drivers. `cause` says more than the class where whoever raises it knows more."""

    cause = "fault"

    def __init__(self, message: str = "", *, cause: str = "") -> None:
        super().__init__(message)
        if cause:
            self.cause = cause


class TryAgainError(DriverError):
    """The same request may succeed soon."""


class ConnectError(TryAgainError):
    """No connection, or it was refused or lost."""

    cause = "connection"


class NotSentError(ConnectError):
    """Nothing has left this machine: no connection, or the line was not free in time."""


class NotTrustedError(ConnectError):
    """A certificate is missing, over, or not trusted; nothing falls back to less security."""

    cause = "trust"


class DeviceTimeoutError(TryAgainError):
    """The connection stands, but no valid answer came in time."""

    cause = "silent"


class GiveUpError(DriverError):
    """This request will not succeed as it is."""


class DeviceRefusedError(GiveUpError):
    """The device answered, and said no.

    `code` is the protocol's own number: the Modbus exception code or the OPC UA status code.
    """

    cause = "refused"

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class DecodeError(GiveUpError):
    """The answer has another shape than the profile says; nothing of it was used."""

    cause = "shape"


class NotWritableError(GiveUpError):
    """The profile has no way to write this point."""


class ProfileError(DriverError):
    """A profile file is wrong; the message has file, key, what was got and what is wanted."""

    cause = "settings"


def cause_of(error: BaseException) -> str:
    """Return the word of `CAUSES` for an error; for a lost connection what the operating system said of it."""
    word = error.cause if isinstance(error, DriverError) else "fault"
    if word != "connection":
        return word
    under = error.__cause__
    if isinstance(under, socket.gaierror):
        return "name"
    return _ERRNO.get(under.errno or 0, word) if isinstance(under, OSError) else word
