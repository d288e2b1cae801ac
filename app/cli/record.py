"""`jawel privacy record`: the record of processing, from the catalogue and the settings."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import click
from psycopg.conninfo import conninfo_to_dict

from app.newsletters import load
from app.privacy import record as processing
from app.privacy import record_formats
from app.privacy.record import Record, missing
from config import ClientIp, MailServer, Settings
from config_checks import LOOPBACK

FORMATS: dict[str, Callable[[Record], str]] = {
    "markdown": record_formats.as_markdown,
    "json": record_formats.as_json,
    "csv": record_formats.as_csv,
}
KEPT = {
    ClientIp.NONE: "nothing of it",
    ClientIp.TRUNCATED: "the network around it (/24 or /48)",
    ClientIp.FULL: "all of it",
}
ENCRYPTED = ("require", "verify-ca", "verify-full")
FIXED = (
    "Addresses on the list of people not to be written to are HMAC-SHA-256 digests under SUPPRESSION_KEY, which is not "
    "in the database",
    "Links are signed, each for one purpose; those that show or change more than a subscription work for 30 minutes",
    "Of API keys only digests are stored; each is limited to scopes, and if so wanted to newsletters",
    "Logs, metrics and error messages hold no addresses and no links",
    "What is kept no longer is erased every minute; each erasure leaves a record without personal data",
    "To be added by hand: who has access, encryption of disks, backups, how incidents are handled",
)


@click.command()
@click.option("--format", "kind", type=click.Choice([*FORMATS]), default="markdown", help="Markdown where not named.")
@click.pass_obj
def record(context: Any, kind: str) -> None:
    """Print the record of processing activities, and name what is missing in it (GDPR Art. 30)."""
    with context.database.read_only() as connection:
        found = processing.build(load.catalogue(connection), tuple(measures(context.settings)))
    click.echo(FORMATS[kind](found), nl=False)
    count = len(found.missing)
    if count:
        click.echo(f"{count} {'thing is' if count == 1 else 'things are'} missing: look for MISSING.", err=True)


def measures(settings: Settings) -> Iterator[str]:
    """The security measures that settings show (Art. 30(1)(g), 32), in sentences."""
    if settings.in_development:
        yield missing("JAWEL_ENV", "these are the settings of a development machine")
    scheme = urlsplit(settings.public_url).scheme
    yield f"Pages and links: {scheme} ({settings.public_url})"
    yield _mail(settings.mail_server)
    yield of_database(settings.database_url)
    yield f"Of a client's internet address, evidence keeps {KEPT[settings.client_ip]} (CLIENT_IP={settings.client_ip})"
    yield (
        f"At most {settings.rate_limit_subscribe} posts a minute from one network (RATE_LIMIT_SUBSCRIBE), but for "
        "leaving; one confirmation mail per address in 10 minutes, 5 a day"
    )
    yield f"Every step is sealed in a log that only grows, signed (Ed25519, {settings.log_origin}), audited nightly"
    authorities = ", ".join(str(urlsplit(each).hostname) for each in settings.timestamp_authorities)
    yield f"Time stamps of the log (RFC 3161): {authorities or 'none (TIMESTAMP_AUTHORITIES)'}"
    yield from FIXED


def _mail(server: MailServer | None) -> str:
    if server is None:
        return missing("MAIL_SERVER", "letters go to the built-in mailbox")
    if server.tls or server.starttls:
        return "Mail server: reached by TLS only, its certificate verified"
    if server.host in LOOPBACK:
        return "Mail server: on the same machine"
    return missing("MAIL_USE_TLS", "letters go to the mail server without encryption")


def of_database(url: str) -> str:
    if url.startswith("sqlite"):
        return "Database: an SQLite file on the same machine; what is deleted is overwritten"
    told = conninfo_to_dict(url.replace("+psycopg", "", 1))
    hosts = [host for host in str(told.get("host") or "").split(",") if host]
    if all(host in LOOPBACK or host.startswith("/") for host in hosts):
        return "Database: PostgreSQL on the same machine"
    if told.get("sslmode") in ENCRYPTED:
        return f"Database: PostgreSQL, reached by TLS only (sslmode={told['sslmode']})"
    return missing("DATABASE_URL", "without sslmode=verify-full the connection to PostgreSQL may not be encrypted")
