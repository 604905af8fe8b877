"""Base of the controller's errors, split by what the caller can do about it.

ShifuError
├── InvalidError       the request or the file is wrong; the message says what is wanted
├── NotFoundError      the thing named does not exist
├── ForbiddenError     who asks may not do this
├── ConflictError      it exists, but not in the state that the request assumes
└── UnavailableError   try again later; something that is needed does not answer
"""

from __future__ import annotations

__all__ = ["ConflictError", "ForbiddenError", "InvalidError", "NotFoundError", "ShifuError", "UnavailableError"]


class ShifuError(Exception):
    """Base of all errors of the controller."""


class InvalidError(ShifuError):
    """The request or the file is wrong; the message says what was got and what is wanted."""


class NotFoundError(ShifuError):
    """The thing named does not exist."""


class ForbiddenError(ShifuError):
    """Who asks may not do this."""


class ConflictError(ShifuError):
    """The thing exists, but not in the state that the request assumes."""


class UnavailableError(ShifuError):
    """Something that is needed does not answer now; try again later."""
