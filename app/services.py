"""What an entry point finds at hand: settings, database, catalogue, links. Made once a process, by `create_app`."""

import threading
from dataclasses import dataclass, field
from typing import cast

from flask import Flask

from app.abuse.rate_limit import Counter
from app.clock_watch import ClockWatch
from app.counters import Counters
from app.database import Database
from app.database.write_check import WriteCheck
from app.keys import KeyRing
from app.lately import Lately
from app.ledger.log import Log
from app.links import Links
from app.newsletters.definitions import Catalogue
from config import Settings


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    database: Database
    catalogue: Lately[Catalogue]
    links: Links
    key_ring: KeyRing
    log: Log
    limiter: Counter
    counters: Counters
    writable: WriteCheck
    clock_watch: ClockWatch
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set once the server is told to stop: what waits within a request then waits no longer."""


def install(app: Flask, services: Services) -> None:
    app.extensions["jawel"] = services


def of(app: Flask) -> Services:
    return cast(Services, app.extensions["jawel"])
