"""Fire drills: how each stands, its record, what wardens said, and who was in the building."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0005"
down_revision = "v0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "drill",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("planned_ns", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drill")),
    )
    op.create_index(op.f("ix_drill_planned_ns"), "drill", ["planned_ns"], unique=False)
    op.create_table(
        "drill_entry",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("drill", sa.String(), nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("zh", sa.Text(), nullable=False),
        sa.Column("en", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drill_entry")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_drill_entry_drill_id"), "drill_entry", ["drill", "id"], unique=False)
    op.create_table(
        "drill_tick",
        sa.Column("drill", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("received_ns", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("drill", "key", name=op.f("pk_drill_tick")),
    )
    op.create_table(
        "drill_person",
        sa.Column("drill", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("area", sa.String(), nullable=False),
        sa.Column("floor", sa.String(), nullable=False),
        sa.Column("door", sa.String(), nullable=False),
        sa.Column("seen_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("drill", "person", name=op.f("pk_drill_person")),
    )
