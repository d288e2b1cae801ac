"""DELETE of expired rows, a bounded number at a time."""

from sqlalchemy import ColumnElement, Table, delete, select, tuple_
from sqlalchemy.orm import DeclarativeBase, Session


def purge_rows(session: Session, model: type[DeclarativeBase], is_over: ColumnElement[bool], *, at_most: int) -> int:
    """Delete up to `at_most` rows, skipping those that other transactions have locked. Returns how many."""
    assert isinstance(model.__table__, Table)
    key = list(model.__table__.primary_key.columns)
    due = select(*key).where(is_over).limit(at_most).with_for_update(skip_locked=True)
    purged = delete(model).where((tuple_(*key) if len(key) > 1 else key[0]).in_(due)).returning(key[0])
    return len(session.scalars(purged).all())
