"""What every table is made of: the metadata they share, whole numbers of 64 bits, local integer keys."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)

Int = BigInteger
_Key = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER is SQLite's own row id


def key() -> Column[int]:
    """The local key of a row, given by the sink."""
    return Column("id", _Key, primary_key=True, autoincrement=False)
