"""The resources of the application that answers this request."""

from flask import current_app

from app.database import Database
from app.links import Links
from app.newsletters.definitions import Catalogue
from app.resources import Resources, resources_of
from config import Settings


def resources() -> Resources:
    return resources_of(current_app)


def settings() -> Settings:
    return resources().settings


def database() -> Database:
    return resources().database


def catalogue() -> Catalogue:
    return resources().catalogue.get()


def links() -> Links:
    return resources().links
