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
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HTTPS_ONLY = "max-age=31536000"
"""Links that were sent out live for years and are https. What is beside the service, on other names, is not ours to
decide for, so `includeSubDomains` is left out."""
NEGOTIATED = "Accept, Accept-Language"
"""Pages and problems are for programs or people, in the reader's language."""


def register(app: Flask, public_url: str) -> None:
    always = ALWAYS | ({"Strict-Transport-Security": HTTPS_ONLY} if public_url.startswith("https://") else {})

    @app.after_request
    def add(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.extend(always)
        _keep_to_whom_it_was_for(response)
        return response


def _keep_to_whom_it_was_for(response: Response) -> None:
    """Only files are for any site and any cache: one that is not there is answered with a page like any other."""
    is_file = request.endpoint == "static" and response.status_code < 400
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin" if is_file else "same-origin"
    if is_file:
        # Browsers import a module for a page of another site only where the file says that it may be read there.
        response.headers["Access-Control-Allow-Origin"] = "*"
    else:
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.add("Vary", NEGOTIATED)
