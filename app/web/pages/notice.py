"""The privacy notice of a newsletter (GDPR Art. 13): the text that evidence cites, and every earlier one.

The page shows the text stored when the catalogue was applied. `Accept: text/plain` returns its exact bytes.
"""

from collections.abc import Iterator, Sequence

from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.exceptions import NotFound

from app.newsletters import load, notice
from app.newsletters.definitions import Newsletter
from app.web import current, language

blueprint = Blueprint("notice", __name__, url_prefix="/privacy/<slug>")

Block = tuple[str, Sequence[str]]
"""The name of the block's HTML element, and its lines."""
_MARKS = {"# ": "h1", "## ": "h2", "- ": "ul"}


@blueprint.get("")
def show(slug: str) -> Response:
    """`?also=` names other newsletters, whose notices are linked: a letter may be about several."""
    newsletter = _find(slug)
    spoken = newsletter.language_for(language.preferred())
    versions = newsletter.notices.get(spoken)
    if versions:
        return _answer(newsletter, spoken, versions[0])
    # Notices are kept since revision 0017; until the catalogue is applied again there is nothing to cite.
    controller = current.catalogue().controller
    assert controller is not None
    return _page(notice.compose(controller, newsletter)[spoken], newsletter=newsletter, spoken=spoken)


@blueprint.get("/<sha256>")
def version(slug: str, sha256: str) -> Response:
    """A version that people were shown, in force or not, by the SHA-256 that receipts cite."""
    newsletter = _find(slug)
    for spoken, versions in newsletter.notices.items():
        if sha256 in versions:
            return _answer(newsletter, spoken, sha256)
    raise NotFound


def blocks(text: str) -> Iterator[Block]:
    """Parses the marks of `app.newsletters.notice`."""
    for block in text.strip().split("\n\n"):
        lines = block.split("\n")
        mark = next((mark for mark in _MARKS if all(line.startswith(mark) for line in lines)), "")
        yield _MARKS.get(mark, "p"), [line.removeprefix(mark) for line in lines]


def _find(slug: str) -> Newsletter:
    """Retired newsletters too: their subscribers have the same rights as before. Raises NotFound."""
    newsletter = current.catalogue().newsletters.get(slug)
    if newsletter is None:
        raise NotFound
    return newsletter


def _answer(newsletter: Newsletter, spoken: str, digest: str) -> Response:
    versions = newsletter.notices[spoken]
    with current.database().read_only() as connection:
        texts = load.wordings(connection, versions)
    return _page(
        texts[digest].text,
        newsletter=newsletter,
        spoken=spoken,
        digest=digest,
        newest=versions[0],
        since={each: texts[each].first_used_at for each in versions},
    )


def _page(text: str, **about: object) -> Response:
    if request.accept_mimetypes.best_match(["text/html", "text/plain"]) == "text/plain":
        return Response(text, mimetype="text/plain")
    known, preferred = current.catalogue().newsletters, language.preferred()
    titles = {each: known[each].words(preferred).title for each in request.args.getlist("also") if each in known}
    return make_response(render_template("pages/notice.html", blocks=list(blocks(text)), others=titles, **about))
