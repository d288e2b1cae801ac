"""Download my data (GDPR Art. 15 and 20): all data about the person, as a page and as a JSON file."""

import json

from flask import Response, make_response, render_template
from werkzeug.exceptions import Gone

from app import clock
from app.newsletters import receivers
from app.privacy import access, portability
from app.privacy.access import Holdings
from app.privacy.portability import ExportIssue
from app.web import current, language
from app.web.negotiation import wants_page
from app.web.pages.preferences.access import Visit, begin_fresh, blueprint, nobody


@blueprint.get("/<token>/data")
def show_data(token: str) -> str:
    visit = begin_fresh(token)
    found = _find(visit)
    if found is None:
        return nobody()
    catalogue = current.catalogue()
    return render_template(
        "pages/preferences/data.html",
        holdings=found,
        token=token,
        made_at=clock.now(),
        controller=catalogue.controller,
        receivers=receivers,
        newsletters=portability.newsletters_of(found, catalogue),
        words={slug: each.words(language.preferred()) for slug, each in catalogue.newsletters.items()},
    )


@blueprint.get("/<token>/data.json")
def download_data(token: str) -> Response:
    visit = begin_fresh(token)
    found = _find(visit)
    if found is None:
        if wants_page():
            return make_response(nobody())
        raise Gone("Nothing is kept about you any more.")
    document = portability.build(found, ExportIssue(clock.now(), current.catalogue()))
    answer = Response(json.dumps(document, ensure_ascii=False, indent=2) + "\n", mimetype="application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return answer


def _find(visit: Visit) -> Holdings | None:
    with current.database().read_only() as connection:
        found = access.find(connection, visit.subscriber_id)
    if found:
        language.use(str(found.person["language"]))
    return found
