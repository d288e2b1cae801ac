"""Resources of the web application and the worker: settings, database, catalogue, links.

Made once per process, by `create_app`.
"""

import threading
from dataclasses import dataclass, field
from typing import cast

from flask import Flask

from app.abuse.rate_limit import Counter
from app.api_keys import KeyRing
from app.cache import TtlCache
from app.database import Database
from app.database.write_check import WriteCheck
from app.ledger.log import Log
from app.links import Links
from app.metrics_counters import Counters
from app.newsletters.definitions import Catalogue
from app.privacy.clock_check import ClockCheck
from config import Settings


@dataclass(frozen=True, slots=True)
class Resources:
    settings: Settings
    database: Database
    catalogue: TtlCache[Catalogue]
    links: Links
    key_ring: KeyRing
    log: Log
    limiter: Counter
    counters: Counters
    writable: WriteCheck
    clock_check: ClockCheck
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set once the server is told to stop: waits within requests then end."""


def install(app: Flask, resources: Resources) -> None:
    app.extensions["jawel"] = resources


def resources_of(app: Flask) -> Resources:
    return cast(Resources, app.extensions["jawel"])
