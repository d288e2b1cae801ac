"""The web application: `create_app` only wires the parts together."""

from dataclasses import replace
from functools import partial

from flask import Flask
from flask_babel import Babel
from sqlalchemy import Connection
from werkzeug.middleware.proxy_fix import ProxyFix

from app import database, event_macs, logs
from app.abuse import attack_detection
from app.api_keys import KeyRing
from app.cache import TtlCache
from app.database.write_check import WriteCheck
from app.ledger.log import Log
from app.links import Links
from app.metrics_counters import Counters
from app.newsletters import load
from app.newsletters.definitions import Catalogue
from app.privacy.clock_check import ClockCheck
from app.resources import Resources, install
from app.tokens import Signer
from app.web import api, feedback_webhooks, language, problems, rate_limits, rendering
from app.web.health import blueprint as health
from app.web.http import body, headers, retry, token_paths
from app.web.metrics import blueprint as metrics
from app.web.pages import (
    about,
    address,
    challenge,
    code,
    confirm,
    decline,
    embed,
    mailbox,
    notice,
    preferences,
    receipt,
    signup,
    subscribe,
    unsubscribe,
)
from app.web.parsing import MAX_BYTES
from config import Settings

KEEP_STATIC_SECONDS = 3600
"""Browser cache lifetime: static files cost no round trip, and a changed style arrives up to an hour late."""


def create_app(settings: Settings) -> Flask:
    # Templates, static files and translations are in the folder of this package.
    app = Flask("app", static_url_path="/static")
    # Werkzeug would redirect //x to /x with a URL that names whatever host the request claims.
    app.url_map.merge_slashes = False
    app.request_class = body.Request
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BYTES,
        BABEL_DEFAULT_TIMEZONE=settings.timezone,
        SEND_FILE_MAX_AGE_DEFAULT=None if settings.in_development else KEEP_STATIC_SECONDS,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    install_resources(app, settings)
    Babel(app, locale_selector=language.choose)
    rendering.register(app)
    _add_pages(app, settings)
    api.register(app)
    problems.register(app)
    rate_limits.register(app)
    retry.register(app)
    app.wsgi_app = token_paths.cleaned(app.wsgi_app, app)  # type: ignore[assignment, method-assign]
    files = f"{app.static_url_path}/"
    app.wsgi_app = headers.added(app.wsgi_app, settings.public_url, files)  # type: ignore[assignment, method-assign]
    app.wsgi_app = body.in_one_piece(app.wsgi_app)  # type: ignore[assignment, method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def install_resources(app: Flask, settings: Settings) -> None:
    """Replaces those that it has, if any, which are left as they are."""
    logs.configure(settings)
    opened = event_macs.attach_keys(database.connect(settings.database_url), settings.secret_keys)
    resources = Resources(
        settings=settings,
        database=opened,
        catalogue=TtlCache(opened, _catalogue_of_now),
        links=Links(settings.public_url, Signer(settings.secret_keys), settings.feedback.address),
        key_ring=KeyRing(opened),
        log=Log.of(settings.log_origin, settings.log_signing_keys),
        limiter=rate_limits.counter(settings, opened),
        counters=Counters(opened.writer),
        writable=WriteCheck(opened),
        clock_check=ClockCheck.of_now(),
    )
    install(app, resources)
    logs.count_dropped(partial(resources.counters.add, logs.LINES_DROPPED, "all"))


def _catalogue_of_now(connection: Connection) -> Catalogue:
    """The newsletters, and which are under attack, in one read."""
    return replace(load.catalogue(connection), attacked=attack_detection.tripped(connection))


def _add_pages(app: Flask, settings: Settings) -> None:
    open_to_all = about, notice, signup, subscribe, challenge, embed
    by_letter = code, confirm, decline, unsubscribe, preferences, address, receipt
    for module in (*open_to_all, *by_letter):
        app.register_blueprint(module.blueprint)
    app.register_blueprint(health)
    app.register_blueprint(metrics)
    if settings.feedback.secret:
        app.register_blueprint(feedback_webhooks.blueprint)
    if settings.in_development:
        app.register_blueprint(mailbox.blueprint)
