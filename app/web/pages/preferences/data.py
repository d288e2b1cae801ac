"""Download my data (GDPR Art. 15 and 20): all data about the person, as a page and as a JSON file."""

import json
from pathlib import Path

from flask import Flask, Response, make_response, render_template
from flask_babel import gettext as _

from app import clock
from app.newsletters import data_recipients
from app.privacy import access, portability
from app.privacy.access import Holdings
from app.privacy.portability import ExportIssue
from app.web import current, language
from app.web.negotiation import wants_page
from app.web.pages.preferences.access import Visit, begin_fresh, blueprint, nobody
from app.web.problems import EvidenceErased


@blueprint.get("/<token>/data")
def show_data(token: str) -> str:
    visit = begin_fresh(token)
    found = _find(visit)
    return _page(found, token=token) if found else nobody()


@blueprint.get("/<token>/data.json")
def download_data(token: str) -> Response:
    visit = begin_fresh(token)
    found = _find(visit)
    if found is None or found.person is None:
        if wants_page():
            return make_response(nobody())
        raise EvidenceErased(_("Nothing is kept about you any more."))
    spoken = str(found.person["language"])
    answer = Response(
        as_json(found, ExportIssue(clock.now(), current.catalogue(), spoken)), mimetype="application/json"
    )
    answer.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return answer


def as_json(found: Holdings, issue: ExportIssue) -> str:
    return json.dumps(portability.build(found, issue), ensure_ascii=False, indent=2) + "\n"


def to_print(app: Flask, found: Holdings, address: str, spoken: str) -> str:
    """The page as a file by itself, without links that need a token, for who has none."""
    style = Path(str(app.static_folder), "jawel.css").read_text(encoding="utf-8")
    with app.test_request_context():
        language.use(spoken)
        return _page(found, address=address, style=style)


def _page(found: Holdings, **shown: str) -> str:
    catalogue = current.catalogue()
    return render_template(
        "pages/preferences/data.html",
        holdings=found,
        made_at=clock.now(),
        controller=catalogue.controller,
        data_recipients=data_recipients,
        newsletters=portability.newsletters_of(found, catalogue),
        words={slug: each.words(language.preferred()) for slug, each in catalogue.newsletters.items()},
        **shown,
    )


def _find(visit: Visit) -> Holdings | None:
    with current.database().read_only() as connection:
        found = access.find(connection, visit.subscriber_id)
    if found and found.person:
        language.use(str(found.person["language"]))
    return found
