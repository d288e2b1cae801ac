"""Content negotiation: whether an answer is read as a page by a person, or as JSON by a program."""

from flask import request

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
FOR_PROGRAMS = ("/api/", "/metrics", "/checkpoint", "/log/")
"""Path prefixes under which the answer is never a page."""


def wants_page() -> bool:
    """A browser prefers HTML; a program that sends no `Accept`, or `*/*`, gets JSON."""
    if request.path.startswith(FOR_PROGRAMS):
        return False
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def is_form_of_a_person() -> bool:
    """Whether a browser sent a form, so that the answer can be a page with that form again."""
    return wants_page() and request.mimetype in FORM_TYPES
