"""The built-in mailbox: shows a development machine's letters in the browser. Never present in production."""

from flask import Blueprint, Response, render_template
from werkzeug.exceptions import NotFound

from app.mail import dev_mailbox
from app.mail.dev_mailbox import LetterNotFound
from app.web import current, problems

blueprint = Blueprint("mailbox", __name__, url_prefix="/mailbox")


@blueprint.get("")
def show_list() -> str:
    return render_template("pages/mailbox.html", letters=dev_mailbox.list_letters(current.settings().mailbox))


@blueprint.get("/<name>")
def show_letter(name: str) -> str:
    return render_template("pages/letter.html", letter=dev_mailbox.read_letter(current.settings().mailbox, name))


@blueprint.get("/<name>/html")
def show_html(name: str) -> str:
    return dev_mailbox.read_letter(current.settings().mailbox, name).html


@blueprint.get("/<name>/raw")
def show_raw(name: str) -> Response:
    raw = dev_mailbox.read_letter(current.settings().mailbox, name).raw
    return Response(raw, content_type="text/plain; charset=utf-8")


@blueprint.errorhandler(LetterNotFound)
def show_not_found(_error: LetterNotFound) -> Response:
    return problems.answer(NotFound())
