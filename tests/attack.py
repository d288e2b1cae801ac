"""Newsletters under attack, and the work that a signup then has to prove: puzzles solved by altcha's own library."""

import altcha

from app import clock
from app.abuse.attack_detection import switching
from app.database import Database
from tests.service import Service


def begin(database: Database, newsletter: str = "weekly") -> None:
    """To be called before the first request: a process looks once a second."""
    with database.transaction() as session:
        switching.trip(session, newsletter, clock.now())


def puzzle(service: Service) -> altcha.Challenge:
    return altcha.Challenge.from_dict(service.get("/challenge").get_json())


def solved(challenge: altcha.Challenge) -> altcha.Payload:
    solution = altcha.solve_challenge(challenge)
    assert solution
    return altcha.Payload(challenge, solution)


def proof(service: Service) -> str:
    return solved(puzzle(service)).to_base64()
