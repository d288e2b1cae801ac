"""A signup form for other web sites to copy, with a working preview."""

from flask import Blueprint, Response, make_response, render_template
from flask_babel import force_locale

from app.newsletters.definitions import Newsletter
from app.web import current, language
from app.web.http import headers
from app.web.pages.signup import on_offer

blueprint = Blueprint("embed", __name__)


@blueprint.get("/newsletters/<slug>/embed")
def show(slug: str) -> Response:
    newsletter = on_offer(slug)
    service = current.settings().public_url
    page = render_template(
        "pages/embed.html",
        newsletter=newsletter,
        snippet=_snippet(newsletter),
        service=service,
        service_origin=current.links().origin,
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = headers.policy([service])
    response.headers["Referrer-Policy"] = "same-origin"  # as on the signup page, for the preview
    return response


def _snippet(newsletter: Newsletter) -> str:
    """The form in one language throughout: the reader's best among those of the newsletter."""
    spoken = newsletter.language_for(language.preferred())
    with force_locale(spoken):
        return render_template(
            "pages/snippet.html",
            newsletter=newsletter,
            spoken=spoken,
            words=newsletter.words([spoken]),
            controller=current.catalogue().controller,
            service=current.settings().public_url,
        ).strip()
