"""Topics: filled from a device's options, and refused where a broker or a library would choke on them.

Source: MQTT 3.1.1 (OASIS), 4.7 and 1.5.3. paho accepts a NUL in `publish()` and the broker then drops the connection,
so every topic passes here before it reaches the library.
"""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

from drivers.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_TOPIC_BYTES", "check_topic", "fill_topic"]

MAX_TOPIC_BYTES = 200
"""Longest topic that is published or subscribed, in bytes of UTF-8; the protocol allows 65,535."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def check_topic(topic: str) -> str:
    """Return `topic` when it names exactly one topic.

    Raises:
        ValueError: empty, longer than `MAX_TOPIC_BYTES`, or with a wildcard, NUL or control character.
    """
    if not topic:
        raise ValueError("an MQTT topic cannot be empty")
    if _UNPRINTABLE.search(topic):
        raise ValueError(f"MQTT topic {topic!r}: NUL, control characters and half surrogates are not allowed")
    if "+" in topic or "#" in topic:
        raise ValueError(f"MQTT topic {topic!r}: + and # are wildcards; a device has topics of its own")
    size = len(topic.encode())
    if size > MAX_TOPIC_BYTES:
        raise ValueError(f"MQTT topic {topic[:40]!r}…: {size} bytes, at most {MAX_TOPIC_BYTES}")
    return topic


def fill_topic(template: str, options: Mapping[str, object], where: str) -> str:
    """Put a device's options into a template such as `application/{application}/device/{dev_eui}/event/up`.

    Raises:
        ProfileError: an option is missing, or the result is no usable topic; `where` begins the message.
    """
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise ProfileError(f"{where}: topic {template!r}: {error}") from error
    for name in names:
        if not isinstance(options.get(name), str | int) or isinstance(options.get(name), bool):
            raise ProfileError(
                f"{where}: topic {template!r} needs the option {name!r}; got {options.get(name)!r}, wanted a text. "
                f"Add it to the device's options"
            )
        if "/" in str(options[name]):
            raise ProfileError(f"{where}: option {name!r}: {options[name]!r} holds a /, which would be another topic")
    topic = template.format(**{name: options[name] for name in names})
    try:
        return check_topic(topic)
    except ValueError as error:
        raise ProfileError(f"{where}: {error}") from error
