"""Response headers that every answer carries.

A link with a token is a capability, so nothing may keep it (`no-store`), pass it on (`no-referrer`) or frame its page.
"""

import re
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from structlog.contextvars import bound_contextvars

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


def policy(form_targets: Iterable[str] = ()) -> str:
    """The Content-Security-Policy. Browsers apply `form-action` also to the redirect after a form.

    `form_targets`: URLs of the catalogue to which the page's form may redirect.
    """
    parts = [urlsplit(target) for target in form_targets]
    origins = "".join(sorted({f" {each.scheme}://{each.netloc}" for each in parts}))
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        f"form-action 'self'{origins}; frame-ancestors 'none'; base-uri 'none'"
    )


POLICY = policy()
ALWAYS = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Robots-Tag", "noindex"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]
UNLESS_SAID_OTHERWISE = [("Content-Security-Policy", POLICY), ("Referrer-Policy", "no-referrer")]
HTTPS_ONLY = ("Strict-Transport-Security", "max-age=31536000")
"""Links in sent letters are https and stay valid for years. Without `includeSubDomains`, because other names are not
ours to decide for."""
# Only files may be used by any site and stored by any cache. Browsers import a module into a page of another site only
# if the file's headers allow that site to read it.
FILES = [("Cross-Origin-Resource-Policy", "cross-origin"), ("Access-Control-Allow-Origin", "*")]
# Pages and problems vary by format and by the reader's language.
NEGOTIATED = [("Cross-Origin-Resource-Policy", "same-origin"), ("Vary", "Accept, Accept-Language")]
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What a caller may choose; anything else is replaced, because it is written to the log."""
NO_STORE = ("Cache-Control", "no-store")


def added(application: "WSGIApplication", public_url: str, files: str) -> "WSGIApplication":
    """Adds the headers as plain pairs outside Werkzeug, which checks and copies each of its own three times.

    `files`: the path prefix of static files.
    """
    always = ALWAYS + ([HTTPS_ONLY] if public_url.startswith("https://") else [])
    of_files = always + FILES, UNLESS_SAID_OTHERWISE
    of_others = always + NEGOTIATED, [*UNLESS_SAID_OTHERWISE, NO_STORE]

    def answer(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        in_files = environ["PATH_INFO"].startswith(files)
        sent = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = sent if REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            # A missing file is answered with a page like any other.
            ours, unless_said = of_files if in_files and status < "4" else of_others
            said = {name for name, _value in headers}
            headers += ours
            headers.append(("X-Request-Id", request_id))
            headers += [each for each in unless_said if each[0] not in said]
            return start_response(status, headers, *error)

        with bound_contextvars(request_id=request_id):
            return application(environ, start)

    return answer
