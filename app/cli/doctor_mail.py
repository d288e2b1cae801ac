"""What `jawel doctor` checks of mail: the server, what letters met there, encryption, and where bounces go."""

from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from app.cli.findings import CheckFailed, CheckWarning, reading
from app.database import Database
from app.links import LONGEST_MAILBOX, Links, can_be_signed
from app.mail import backlog, delivery, envelope
from app.mail.delivery import cleartext
from app.mail.delivery.failures import RelayRefused, SenderRefused, TemporaryFailure
from app.newsletters import load
from app.tokens import Signer
from config import Envelope, Settings

REMEDIES = {
    "auth": "the server refuses to log in; see MAIL_USERNAME and MAIL_PASSWORD",
    "connection": "the server cannot be reached; see MAIL_SERVER and MAIL_PORT",
    "timeout": "the server does not answer in time; see MAIL_SERVER, MAIL_PORT and MAIL_TIMEOUT",
    "tls": "the server offers no TLS, or no valid certificate; see MAIL_SERVER, MAIL_USE_TLS, MAIL_USE_SSL and"
    " MAIL_CA_FILE",
}


def mail(database: Database, settings: Settings) -> str:
    """As letters are sent: with a signed envelope sender, unless the plain one is set or in use."""
    try:
        return delivery.check(settings, _envelope_sender(database, settings))
    except SenderRefused as failure:
        raise CheckFailed(f"the server refuses our envelope sender ({failure.code}); set MAIL_ENVELOPE=plain") from None
    except RelayRefused as failure:
        refusal = f"the server wants no letters of ours ({failure.code}); see MAIL_USERNAME"
        raise CheckFailed(REMEDIES.get(failure.code, refusal)) from None
    except TemporaryFailure as failure:
        raise CheckFailed(REMEDIES.get(failure.code, f"the server answers {failure.code}")) from None


def _envelope_sender(database: Database, settings: Settings) -> str:
    links = Links(settings.public_url, Signer(settings.secret_keys), settings.feedback.address)
    server = settings.mail_server
    own, is_plain = "", server is not None and server.envelope is Envelope.PLAIN
    try:
        with database.read_only() as connection:
            own = next((each.mailbox for each in load.catalogue(connection).open.values()), "")
            is_plain = server is not None and envelope.is_plain(connection, server)
    except SQLAlchemyError:
        pass  # told by another check
    mailbox = (own if is_plain else "") or settings.feedback.address or own
    return mailbox if is_plain or not mailbox else links.envelope_sender(uuid4(), mailbox)


def relay(database: Database, settings: Settings) -> str:
    """What letters met, as opposed to `mail`, which meets the server now."""
    with reading(database) as connection:
        owed = backlog.owed(connection)
        plain = envelope.plain_since(connection, settings.mail_server) if settings.mail_server else None
    if owed.refused_by_relay:
        raise CheckFailed(
            f"{owed.refused_by_relay:,} letters wait, as the mail server refuses us ({owed.refusal}): a wrong login,"
            " relaying, a blocklist, or the quota of the account; they are tried for 7 days"
        )
    if plain:
        raise CheckWarning(
            f"the mail server refuses signed envelope senders, since {plain:%Y-%m-%d}, and the plain one is used;"
            " bounces are known by their Message-ID. Set MAIL_ENVELOPE=plain"
        )
    return "it took what it was given"


def encryption(settings: Settings) -> str:
    server = settings.mail_server
    if server is None:
        return "nothing leaves this machine"
    if cleartext.is_exposed(settings):
        raise CheckWarning(f"letters go to {server.host} in the clear, over networks of others; {cleartext.REMEDY}")
    if not server.is_encrypted:
        return "none, and none is needed within one's own network"
    return "TLS, with a certificate by an authority in MAIL_CA_FILE" if server.authorities else "TLS"


def feedback(database: Database, settings: Settings) -> str:
    if settings.feedback.address:
        return f"letters come back to {settings.feedback.address}, with a `+` and a token before the @"
    with reading(database) as connection:
        found = load.catalogue(connection)
    unsigned = [each.slug for each in found.open.values() if not can_be_signed(each.mailbox)]
    if unsigned:
        raise CheckFailed(
            f"nothing tells which letter bounced for {', '.join(unsigned)}: the sender has more than"
            f" {LONGEST_MAILBOX} characters before its @; set FEEDBACK_ADDRESS to a shorter one"
        )
    return "letters come back to the sender of each newsletter, with a `+` and a token before the @"
