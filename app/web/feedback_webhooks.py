"""Webhook for reports of mail providers: `POST /feedback/{provider}/{secret}`. Exists only if a secret is set.

Each report is a transaction of its own, so that one that fails does not undo the others. After a 5xx the provider
posts all of them again. Idempotent: a report that was processed before does nothing.
"""

import hmac

import structlog
from flask import Blueprint, Response, jsonify, request
from flask_babel import gettext as _
from werkzeug.exceptions import Forbidden, InternalServerError, NotFound, ServiceUnavailable

from app import feedback
from app.feedback import Outcome, Report, providers
from app.feedback.providers import PROVIDERS, Ours
from app.feedback.providers.post import Forged, Malformed, Post, ProofOutOfReach
from app.web import current, security_log
from app.web.problems import UNREACHABLE, InvalidFields
from app.web.security_log import Refusal

log = structlog.get_logger()

blueprint = Blueprint("feedback", __name__)

MAX_BYTES = 1024 * 1024
"""Some providers post all events of a second, or up to a thousand, at once."""
RETRY_SECONDS = 60


@blueprint.route("/feedback/<provider>/<secret>", methods=["HEAD"])
def exist(provider: str, secret: str) -> Response:
    """Mandrill takes a URL only if it answers HEAD with 200."""
    _check(provider, secret)
    return Response()


@blueprint.post("/feedback/<provider>/<secret>")
def receive(provider: str, secret: str) -> Response:
    """200 also for reports that are not about this service or are ignored: the provider would only post them again."""
    _check(provider, secret)
    request.max_content_length = MAX_BYTES
    reports = _read(provider)
    failed = [report for report in reports if not _has_been_taken(report)]
    if failed:
        raise InternalServerError
    return jsonify(reports=len(reports))


def _check(provider: str, secret: str) -> None:
    """Raises NotFound if the provider is unknown or the secret is wrong."""
    expected = current.settings().feedback.secret or ""
    is_known = hmac.compare_digest(secret.encode(), expected.encode())
    if not is_known:
        security_log.note(Refusal.WRONG_SECRET)
    if not expected or not is_known or provider not in PROVIDERS:
        raise NotFound


def _read(provider: str) -> list[Report]:
    """Raises InvalidFields, Forbidden, ServiceUnavailable or RequestEntityTooLarge."""
    ours = Ours(
        channels=current.settings().feedback,
        key=current.settings().suppression_key,
        letter_by_sender=current.links().bounced_letter,
    )
    try:
        return providers.read(provider, _post(provider), ours)
    except Malformed:
        raise InvalidFields({"body": [_("This is not JSON.")]}) from None
    except Forged as error:
        log.warning("feedback.refused", source=provider, reason=str(error))
        raise Forbidden(f"This is not known to come from {provider}.") from None
    except ProofOutOfReach as error:
        log.warning("feedback.postponed", source=provider, reason=str(error))
        raise ServiceUnavailable(retry_after=RETRY_SECONDS) from None


def _post(provider: str) -> Post:
    url = f"{current.settings().public_url}{request.path}"
    return Post.of(request.get_data(cache=False), request.headers, url=url, parse=PROVIDERS[provider].parse)


def _has_been_taken(report: Report) -> bool:
    try:
        outcome = _take(report)
    except UNREACHABLE:
        raise
    except Exception as error:
        # A driver's message may quote the address.
        log.error("feedback.failed", kind=report.kind, source=report.source, error=type(error).__name__)
        return False
    log.info("feedback.received", kind=report.kind, source=report.source, outcome=outcome)
    return True


def _take(report: Report) -> Outcome:
    catalogue, key = current.catalogue(), current.settings().suppression_key
    if report.provider_list and not catalogue.on_list(report.provider_list):
        log.warning("feedback.list_unknown", list=report.provider_list)
    with current.database().transaction() as session:
        return feedback.take(session, report, catalogue=catalogue, suppression_key=key)
