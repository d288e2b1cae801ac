"""What a request finds at hand: settings, database, catalogue, links. Put there once, by `create_app`."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app
from limits.limits import RateLimitItem
from limits.strategies import RateLimiter

from app.database import Database
from app.links import Links
from app.newsletters.catalogue import CurrentCatalogue
from app.newsletters.terms import Catalogue
from config import Settings


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    database: Database
    catalogue: CurrentCatalogue
    links: Links
    limiter: RateLimiter
    signups_a_minute: RateLimitItem


def install(app: Flask, services: Services) -> None:
    app.extensions["jawel"] = services


def services() -> Services:
    return cast(Services, current_app.extensions["jawel"])


def settings() -> Settings:
    return services().settings


def database() -> Database:
    return services().database


def catalogue() -> Catalogue:
    return services().catalogue.get()


def links() -> Links:
    return services().links
