"""Breakers: one a newsletter, which trips when requests come in that nobody confirms.

While it has tripped, whoever signs up has to prove work. It goes by the sealed log alone: a signup costs no statement
more for it, and anyone can count again what it has seen.
"""

from sqlalchemy import Connection, select

from app.abuse.attack_detection.model import Breaker


def tripped(connection: Connection) -> frozenset[str]:
    """The newsletters that are under attack."""
    return frozenset(connection.scalars(select(Breaker.newsletter)))
