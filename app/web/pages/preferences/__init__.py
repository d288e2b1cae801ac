"""Preferences: people see and change their own data, behind a link with one of two strengths (`access`)."""

from app.web.pages.preferences import data, erase, fresh_link, page
from app.web.pages.preferences.access import blueprint

__all__ = ["blueprint", "data", "erase", "fresh_link", "page"]
