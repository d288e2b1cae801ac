"""Clocks that are set: that of this process, and on PostgreSQL that of a database, for connections opened later."""

from datetime import timedelta

import psycopg
import pytest
import time_machine
from psycopg import sql

from app import clock

Clock = time_machine.Traveller
EVENING = "2026-11-23 20:00:00+00:00"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
by_hour_or_day = pytest.mark.parametrize("jump", [HOUR, DAY], ids=["an_hour", "a_day"])
either_way = pytest.mark.parametrize(
    "jump", [HOUR, DAY, -HOUR, -DAY], ids=["an_hour_forward", "a_day_forward", "an_hour_back", "a_day_back"]
)


def set_databases_clock(database_url: str, ahead: timedelta) -> None:
    """So far from the true time; nothing on SQLite, which has no clock of its own."""
    if database_url.startswith("sqlite"):
        return
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        # Without this, functions of pg_catalog come before all others.
        connection.execute(sql.SQL("ALTER DATABASE {} SET search_path = public, pg_catalog").format(name))
        connection.execute(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE"
                " AS 'SELECT pg_catalog.clock_timestamp() + make_interval(secs => {})'"
            ).format(sql.Literal(ahead.total_seconds()))
        )


def move_databases_clock_along(database_url: str) -> None:
    """To where the clock of this process was moved."""
    ahead = clock.now().timestamp() - time_machine.escape_hatch.time.time()
    set_databases_clock(database_url, timedelta(seconds=ahead))
