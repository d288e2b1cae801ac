"""Attack detection: one breaker per newsletter, which trips when requests come in that nobody confirms.

While it is tripped, signups for the newsletter have to carry a proof of work. Detection reads only the sealed log: it
adds no statement to a signup, and anyone can recount its input.
"""

from sqlalchemy import Connection, select

from app.abuse.attack_detection.model import Breaker


def tripped(connection: Connection) -> frozenset[str]:
    """The newsletters whose breaker is tripped."""
    return frozenset(connection.scalars(select(Breaker.newsletter)))
