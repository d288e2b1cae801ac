"""The services of the application that answers this request."""

from flask import current_app

from app import services as application
from app.database import Database
from app.links import Links
from app.newsletters.definitions import Catalogue
from app.services import Services
from config import Settings


def services() -> Services:
    return application.of(current_app)


def settings() -> Settings:
    return services().settings


def database() -> Database:
    return services().database


def catalogue() -> Catalogue:
    return services().catalogue.get()


def links() -> Links:
    return services().links
