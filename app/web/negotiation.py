"""Content negotiation: whether an answer is read as a page by a person, or as JSON by a program."""

from flask import request

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
FOR_PROGRAMS = ("/api/", "/metrics", "/checkpoint", "/log/")
"""Where the beginning of the path is one of them, nobody wants a page."""


def wants_page() -> bool:
    """A browser asks for HTML before all else; a program that says nothing, or `*/*`, gets JSON."""
    if request.path.startswith(FOR_PROGRAMS):
        return False
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def is_form_of_a_person() -> bool:
    """The answer is read as a page, from which they can go on with the form that they sent."""
    return wants_page() and request.mimetype in FORM_TYPES
