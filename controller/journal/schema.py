"""The tables of the state database, as SQLAlchemy Core; `migrations` builds the same, step by step.

Times are ns since 1970 UTC as integers. Journals (`*_entry`) are append-only and their `id` grows in the order of the
commits, so that `id` is also the cursor of a page. JSON columns hold canonical text (sorted keys).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "acknowledge_link",
    "alarm_entry",
    "alarm_state",
    "audit_entry",
    "command_entry",
    "command_slot",
    "commissioning_entry",
    "drill",
    "drill_entry",
    "drill_person",
    "drill_tick",
    "event_entry",
    "fire_entry",
    "fire_state",
    "metadata",
    "notification",
    "notify_person",
    "overlay",
    "point_number",
    "point_rename",
    "push_subscription",
    "session",
    "setting",
    "sign_in_link",
    "token",
    "user",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

alarm_entry = Table(
    "alarm_entry",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("occurrence", String, nullable=False),
    Column("definition", String, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("event", String, nullable=False),
    Column("from_state", String, nullable=False),
    Column("to_state", String, nullable=False),
    Column("value", Float),
    Column("limit", Float),
    Column("user", String, nullable=False, default=""),
    Column("comment", Text, nullable=False, default=""),
    Index(None, "definition", "id"),
    Index(None, "occurrence", "id"),
    Index(None, "time_ns"),
    sqlite_autoincrement=True,
)
"""Every transition of every alarm; newest = highest id."""

alarm_state = Table(
    "alarm_state",
    metadata,
    Column("definition", String, primary_key=True),
    Column("occurrence", String, nullable=False),
    Column("state", String, nullable=False),
    Column("raised_ns", BigInteger),
    Column("returned_ns", BigInteger),
    Column("acknowledged_ns", BigInteger),
    Column("acknowledged_by", String, nullable=False, default=""),
    Column("comment", Text, nullable=False, default=""),
    Column("value", Float),
    Column("limit", Float),
    Column("count", Integer, nullable=False, default=0),
    Column("data", JSON, nullable=False, default=dict),
)
"""The present state of each alarm, written in the transaction of its entry; a normal alarm has no row."""

command_entry = Table(
    "command_entry",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("command", String, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("point", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("value", Float),
    Column("previous", Float),
    Column("owner", String, nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("state", String, nullable=False),
    Column("message", Text, nullable=False, default=""),
    Column("until_ns", BigInteger),
    Column("readback", Float),
    Index(None, "command", "id"),
    Index(None, "point", "id"),
    Index(None, "time_ns"),
    sqlite_autoincrement=True,
)
"""Every state a command went through."""

command_slot = Table(
    "command_slot",
    metadata,
    Column("point", String, primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("value", Float, nullable=False),
    Column("owner", String, nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("since_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger),
    Column("lease_s", Float),
)
"""The filled slots of the priority arrays."""

event_entry = Table(
    "event_entry",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("source", String, nullable=False),
    Column("key", String, nullable=False),
    Column("type", String, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("received_ns", BigInteger, nullable=False),
    Column("late", Boolean(create_constraint=False), nullable=False, default=False),
    Column("data", JSON, nullable=False, default=dict),
    UniqueConstraint("source", "key"),
    Index(None, "type", "id"),
    Index(None, "time_ns"),
    sqlite_autoincrement=True,
)
"""Device events; (source, key) is idempotent."""

commissioning_entry = Table(
    "commissioning_entry",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time_ns", BigInteger, nullable=False),
    Column("device", String, nullable=False),
    Column("point", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("unit", String, nullable=False, default=""),
    Column("value", Float),
    Column("quality", Integer, nullable=False),
    Column("raw", String, nullable=False, default=""),
    Column("reference", Float),
    Column("deviation", Float),
    Column("verdict", String, nullable=False),
    Column("note", Text, nullable=False, default=""),
    Column("who", String, nullable=False),
    Index(None, "device", "id"),
    Index(None, "point", "id"),
    sqlite_autoincrement=True,
)
"""Points compared with an instrument at commissioning: what was read, with what it was compared, by whom."""

drill = Table(
    "drill",
    metadata,
    Column("id", String, primary_key=True),
    Column("phase", String, nullable=False),
    Column("planned_ns", BigInteger, nullable=False, index=True),
    Column("data", JSON, nullable=False),
)
"""Every fire drill as it stands; `data` is the whole of it with its scenario, as it was when it was planned."""

drill_entry = Table(
    "drill_entry",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("drill", String, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("who", String, nullable=False),
    Column("zh", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("data", JSON, nullable=False, default=dict),
    Index(None, "drill", "id"),
    sqlite_autoincrement=True,
)
"""The record of each drill, line by line; every text begins with 演練 DRILL."""

drill_tick = Table(
    "drill_tick",
    metadata,
    Column("drill", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("received_ns", BigInteger, nullable=False),
    Column("data", JSON, nullable=False),
)
"""What wardens and cards said in a drill; a key is kept once."""

drill_person = Table(
    "drill_person",
    metadata,
    Column("drill", String, primary_key=True),
    Column("person", String, primary_key=True),
    Column("area", String, nullable=False),
    Column("floor", String, nullable=False),
    Column("door", String, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
)
"""Who was in the building when a drill began, by the ids of the access controllers."""
fire_entry = Table(
    "fire_entry",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("response", String, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("event", String, nullable=False),
    Column("zone", String, nullable=False, default=""),
    Column("point", String, nullable=False, default=""),
    Column("who", String, nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Index(None, "response", "id"),
    sqlite_autoincrement=True,
)
"""What happened in each response to a fire."""

fire_state = Table(
    "fire_state",
    metadata,
    Column("key", String, primary_key=True),
    Column("data", JSON, nullable=False, default=dict),
)
"""The response that runs, written in the transaction of its entries; none while no fire is answered."""

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time_ns", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False, default=""),
    Column("outcome", String, nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("client", String, nullable=False, default=""),
    Column("data", Text, nullable=False, default="{}"),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index(None, "actor", "id"),
    Index(None, "time_ns"),
    sqlite_autoincrement=True,
)
"""Who did what; each row carries the hash of the one before it."""

point_number = Table(
    "point_number",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("address", String, nullable=False, unique=True),
    Column("created_ns", BigInteger, nullable=False),
)
"""A number belongs to an address for ever."""

point_rename = Table(
    "point_rename",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("number", Integer, nullable=False),
    Column("old", String, nullable=False),
    Column("new", String, nullable=False),
    Column("who", String, nullable=False, default=""),
    Column("time_ns", BigInteger, nullable=False),
)

overlay = Table(
    "overlay",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", JSON),
    Column("who", String, nullable=False),
    Column("why", Text, nullable=False, default=""),
    Column("expires_ns", BigInteger),
    Column("time_ns", BigInteger, nullable=False),
    Column("version", Integer, nullable=False, default=1),
)
"""What was changed while running, laid over the files. `version` grows with each change (ETag)."""

user = Table(
    "user",
    metadata,
    Column("name", String, primary_key=True),
    Column("display_name", String, nullable=False, default=""),
    Column("role", String, nullable=False),
    Column("password_hash", String),
    Column("areas", JSON, nullable=False, default=list),
    Column("disabled", Boolean(create_constraint=False), nullable=False, default=False),
    Column("must_set_password", Boolean(create_constraint=False), nullable=False, default=False),
    Column("failed_count", Integer, nullable=False, default=0),
    Column("locked_until_ns", BigInteger),
    Column("created_ns", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("id_hash", String, primary_key=True),
    Column("user", String, ForeignKey("user.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("csrf", String, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("address", String, nullable=False, default=""),
)

token = Table(
    "token",
    metadata,
    Column("id", String, primary_key=True),
    Column("user", String, ForeignKey("user.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("hash", String, nullable=False, unique=True),
    Column("permissions", JSON, nullable=False, default=list),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger),
    Column("last_used_ns", BigInteger),
    Column("revoked", Boolean(create_constraint=False), nullable=False, default=False),
)

sign_in_link = Table(
    "sign_in_link",
    metadata,
    Column("hash", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("user", String, nullable=False, default=""),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("used_ns", BigInteger),
    Column("first_admin", Boolean(create_constraint=False), nullable=False, default=False),
)

setting = Table(
    "setting",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", JSON),
    Column("time_ns", BigInteger, nullable=False, default=0),
)
"""Single values of the controller itself: applied generation, head of the audit chain."""

notification = Table(
    "notification",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("message", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("contact", String, nullable=False),
    Column("occurrence", String, nullable=False, default=""),
    Column("alarm", String, nullable=False, default=""),
    Column("area", String, nullable=False, default=""),
    Column("priority", Integer, nullable=False),
    Column("life_safety", Boolean(create_constraint=False), nullable=False),
    Column("state", String, nullable=False),
    Column("way", Integer, nullable=False),
    Column("only", String, nullable=False, default=""),
    Column("channel", String, nullable=False, default=""),
    Column("attempt", Integer, nullable=False),
    Column("repeat", Boolean(create_constraint=False), nullable=False),
    Column("text", Text, nullable=False, default=""),
    Column("created_ns", BigInteger, nullable=False),
    Column("due_ns", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Column("data", JSON, nullable=False, default=dict),
    Column("history", JSON, nullable=False, default=list),
    Index(None, "alarm", "id"),
    Index(None, "occurrence", "id"),
    Index(None, "state", "id"),
    Index(None, "created_ns"),
    sqlite_autoincrement=True,
)
"""The outbox: every message to every contact, from the intent to what became of it. Never a secret or an address."""

push_subscription = Table(
    "push_subscription",
    metadata,
    Column("id", String, primary_key=True),
    Column("user", String, ForeignKey("user.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("label", String, nullable=False, default=""),
    Column("endpoint", String, nullable=False, unique=True),
    Column("p256dh", String, nullable=False),
    Column("auth", String, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("sent_ns", BigInteger),
    Column("received_ns", BigInteger),
    Column("receipt", String, nullable=False, default="", index=True),
    Column("gone_ns", BigInteger),
)
"""Phones that get push messages. One that its vendor's service has ended keeps its row, without keys, to be told of."""

notify_person = Table(
    "notify_person",
    metadata,
    Column("user", String, ForeignKey("user.name", ondelete="CASCADE"), primary_key=True),
    Column("language", String, nullable=False),
)
"""What a user chose for the own messages."""

acknowledge_link = Table(
    "acknowledge_link",
    metadata,
    Column("hash", String, primary_key=True),
    Column("user", String, ForeignKey("user.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("alarm", String, nullable=False),
    Column("occurrence", String, nullable=False),
    Column("message", String, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("used_ns", BigInteger),
)
"""Single-use links that acknowledge one occurrence of one alarm with the rights of one user; hashes alone."""
