"""Headers that every answer carries.

A link with a token is a capability, so nothing may keep it (`no-store`), pass it on (`no-referrer`) or frame its page.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Flask, Response, request


def policy(form_targets: Iterable[str] = ()) -> str:
    """Browsers hold the redirect after a form to `form-action` too, so a page whose form may end elsewhere says where.

    `form_targets` are URLs of the catalogue.
    """
    parts = [urlsplit(target) for target in form_targets]
    origins = "".join(sorted({f" {each.scheme}://{each.netloc}" for each in parts}))
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        f"form-action 'self'{origins}; frame-ancestors 'none'; base-uri 'none'"
    )


POLICY = policy()
NEGOTIATED = "Accept, Accept-Language"
"""Pages and problems are for programs or people, in the reader's language."""


def register(app: Flask) -> None:
    app.after_request(_add)


def _add(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Robots-Tag"] = "noindex"
    if request.endpoint == "static":
        # Browsers import a module for a page of another site only where the file says that it may be read there.
        headers["Access-Control-Allow-Origin"] = "*"
    else:
        headers.setdefault("Cache-Control", "no-store")
        headers.add("Vary", NEGOTIATED)
    return response
