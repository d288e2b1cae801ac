"""What `jawel doctor` checks of the privacy notice: what the catalogue leaves unsaid, and where the mail server is.

Only the controller knows where data goes; of a relay whose operator is known to be outside the EEA, so do we.
"""

from app.cli.findings import CheckWarning, reading
from app.database import Database
from app.newsletters import art13, data_recipients, load
from app.newsletters.definitions import Controller
from config import Settings

RELAYS = {
    "amazonaws.com": "US",
    "gmail.com": "US",
    "mailgun.org": "US",
    "mandrillapp.com": "US",
    "postmarkapp.com": "US",
    "resend.com": "US",
    "sendgrid.net": "US",
    "smtp2go.com": "NZ",
    "sparkpostmail.com": "US",
}
"""By domain of the SMTP server, the country of whoever runs it."""


def openness(database: Database, settings: Settings) -> str:
    with reading(database) as connection:
        controller = load.catalogue(connection).controller
    if controller is None:
        return "nothing to say yet"
    unsaid = [*art13.unsaid(controller), *_relay(settings, controller)]
    if unsaid:
        raise CheckWarning("; ".join(unsaid))
    return "it names who receives data, where it goes, and what is measured"


def _relay(settings: Settings, controller: Controller) -> list[str]:
    host = settings.mail_server.host.lower().rstrip(".") if settings.mail_server else ""
    found = next((country for domain, country in RELAYS.items() if f".{host}".endswith(f".{domain}")), None)
    if found is None or data_recipients.outside_eea(controller) or controller.transfers:
        return []
    return [
        f"MAIL_SERVER is {host}, whose operator is outside the EEA ({found}), and the catalogue names no transfer: add "
        "a [[processor]] with its country and safeguard (GDPR Art. 13(1)(f), 44)"
    ]
