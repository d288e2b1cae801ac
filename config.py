"""Settings: read once from the environment, checked all together, then never changed.

Every variable may be given as NAME_FILE, a path to read the value from. All problems are reported in one error that
names each variable, so that the operator can mend a deployment in one go.
"""

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from environs import EnvValidationError, FileAwareEnv
from marshmallow.validate import OneOf, Range

import config_checks as checks

_NOT_SET = "Environment variable not set."
_REMEDIES = {"DATABASE_URL": f"is not set; {checks.NAME_A_DATABASE}"}
_SECRETS = ("SECRET_KEYS", "SUPPRESSION_KEY", "LOG_SIGNING_KEY", "FEEDBACK_SECRET")


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Envelope(StrEnum):
    """The sender in the SMTP envelope, to which a letter bounces."""

    SIGNED = "signed"
    """It says which letter it was (VERP)."""
    PLAIN = "plain"
    """The newsletter's own sender: for a relay that lets an account send only as itself."""


class ClientIp(StrEnum):
    """How much of a client address evidence keeps: nothing, the /24 or /48 around it, or all."""

    NONE = "none"
    TRUNCATED = "truncated"
    FULL = "full"


class LogPublish(StrEnum):
    """How much of the log strangers see: as it stood at the last midnight UTC, as it stands, or nothing."""

    DAILY = "daily"
    LIVE = "live"
    NEVER = "never"


class SettingsError(Exception):
    """Settings that cannot be used. The text names each variable and the remedy, and never repeats a value."""


@dataclass(frozen=True, slots=True)
class MailServer:
    host: str
    port: int
    starttls: bool
    tls: bool
    username: str | None
    password: str | None = field(repr=False)
    timeout: float
    """Seconds, for connecting and for every single reply but the one to a letter's final dot."""
    envelope: Envelope = Envelope.SIGNED
    authorities: str | None = field(default=None, repr=False)
    """Certificates (PEM) of the authorities that alone may vouch for the server; None: the system's."""
    connections: int = 4
    """At once, for each worker."""

    @property
    def is_encrypted(self) -> bool:
        return self.tls or self.starttls


@dataclass(frozen=True, slots=True)
class SendLimits:
    """Limits on outgoing mail, however much is owed. 0: no limit."""

    letters_a_minute: int
    """Of any kind, over all workers."""
    letters_a_minute_to_a_domain: int
    confirmations_an_hour: int
    confirmations_an_hour_to_a_domain: int
    confirmations_an_hour_for_a_newsletter: int


@dataclass(frozen=True, slots=True)
class FeedbackChannels:
    """How bounces and complaints come back, and how their senders authenticate."""

    address: str | None
    """The mailbox whose plus-addresses letters are sent from; None: each newsletter's own sender."""
    secret: str | None = field(repr=False)
    """Last part of the path that mail providers post to; None: no such path."""
    mailgun_signing_key: str | None = field(repr=False)
    sendgrid_public_key: str | None
    ses_topic: str | None
    mandrill_webhook_key: str | None = field(default=None, repr=False)
    resend_signing_secret: str | None = field(default=None, repr=False)
    sender_id: str | None = None
    """Last part of the `Feedback-ID` by which Gmail counts complaints; None: letters have no such header."""


@dataclass(frozen=True, slots=True)
class Settings:
    environment: Environment
    public_url: str
    database_url: str = field(repr=False)
    secret_keys: tuple[str, ...] = field(repr=False)
    suppression_key: str = field(repr=False)
    log_signing_keys: tuple[bytes, ...] = field(repr=False)
    log_origin: str
    log_publish: LogPublish
    timestamp_authorities: tuple[str, ...] = field(repr=False)
    """Servers that timestamp checkpoints (RFC 3161); none by default."""
    timestamp_minutes: int
    """Shortest interval between two requests to each of them."""
    mail_server: MailServer | None
    """None: letters go to the built-in mailbox, which exists in development only."""
    trusted_proxies: int
    client_ip: ClientIp
    rate_limit_storage: str | None = field(repr=False)
    """None: the database."""
    rate_limit_subscribe: int
    """Signups a minute from one client prefix."""
    rate_limit_form: int
    """Signups a minute for one newsletter, above which each needs a proof of work."""
    send_limits: SendLimits
    feedback: FeedbackChannels
    log_format: str
    timezone: str
    """For times in letters and pages, such as Europe/Brussels."""
    instance: Path
    """Where a development checkout keeps its database, mailbox and generated secrets."""

    @property
    def in_development(self) -> bool:
        return self.environment is Environment.DEVELOPMENT

    @property
    def mailbox(self) -> Path:
        return self.instance / "mailbox"


def load(instance: Path = Path("instance")) -> Settings:
    """Read the environment. Raise SettingsError with every problem at once.

    In development missing secrets are made once and kept under `instance`; in production they are an error.
    """
    env = _Reader(instance)
    public_url = env.public_url()
    settings = Settings(
        environment=env.environment,
        public_url=public_url,
        database_url=env.database_url(),
        secret_keys=env.texts("SECRET_KEYS", validate=checks.strong),
        suppression_key=env.str("SUPPRESSION_KEY", env.generated("SUPPRESSION_KEY"), validate=checks.strong),
        log_signing_keys=env.seeds("LOG_SIGNING_KEY"),
        log_origin=env.str("LOG_ORIGIN", urlsplit(public_url).hostname or "", validate=checks.key_name),
        log_publish=env.enum("LOG_PUBLISH", LogPublish.DAILY, enum=LogPublish, by_value=True),
        timestamp_authorities=tuple(env.list("TIMESTAMP_AUTHORITIES", [], validate=checks.timestamp_authorities) or ()),
        timestamp_minutes=env.int("TIMESTAMP_MINUTES", 60, validate=Range(min=1)),
        mail_server=env.mail_server(),
        trusted_proxies=env.int("TRUSTED_PROXIES", 0, validate=Range(min=0)),
        client_ip=env.enum("CLIENT_IP", ClientIp.TRUNCATED, enum=ClientIp, by_value=True),
        rate_limit_storage=env.str("RATE_LIMIT_STORAGE", None, validate=checks.storage) or None,
        rate_limit_subscribe=env.int("RATE_LIMIT_SUBSCRIBE", 60, validate=Range(min=1)),
        rate_limit_form=env.int("RATE_LIMIT_FORM", 600, validate=Range(min=1)),
        send_limits=env.send_limits(),
        feedback=env.feedback(),
        log_format=env.str("LOG_FORMAT", env.by_environment("console", "json"), validate=OneOf(["console", "json"])),
        timezone=env.str("TIMEZONE", "Europe/Brussels", validate=checks.timezone),
        instance=instance,
    )
    env.keep_secrets_apart(settings)
    env.report()
    return settings


class _Reader(FileAwareEnv):
    """Collects all problems instead of stopping at the first; `report` raises them."""

    def __init__(self, instance: Path) -> None:
        super().__init__(eager=False, strip_whitespace=True)
        self.instance = instance
        self.wrong: dict[str, str] = {}
        self.environment = (
            self.enum("JAWEL_ENV", Environment.PRODUCTION, enum=Environment, by_value=True) or Environment.PRODUCTION
        )

    def _get_value(self, env_key: str, default: Any) -> Any:
        """environs raises at once if NAME_FILE cannot be read; here it is one problem among the others."""
        try:
            return super()._get_value(env_key, default)
        except (ValueError, OSError):
            self.wrong[env_key] = f"the file that {env_key}_FILE names cannot be read as text"
            return default

    def by_environment(self, development: Any, production: Any) -> Any:
        return development if self.environment is Environment.DEVELOPMENT else production

    def database_url(self) -> Any:
        """Required in production: else, after a shell cut its line short, an empty file would silently be served."""
        default = f"sqlite:///{(self.instance / 'jawel.sqlite').absolute()}"
        check = self.by_environment(checks.database_url, checks.named_database_url)
        chosen = self.str("DATABASE_URL", self.by_environment(default, ...), validate=check)
        if chosen == default:
            # SQLite makes a file, but not the folder around it.
            try:
                self.instance.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError:
                self.wrong["DATABASE_URL"] = "is not set, and the folder for an SQLite file cannot be made"
        return chosen

    def generated(self, name: str) -> Any:
        """A default for a secret: made once per checkout in development, none in production."""
        if self.environment is Environment.PRODUCTION:
            return ...
        try:
            return _generated(self.instance / "secrets.json", name)
        except OSError:
            return ...

    def public_url(self) -> str:
        default = self.by_environment("http://127.0.0.1:8000", ...)
        return (
            self.str("PUBLIC_URL", default, validate=self.by_environment(checks.local_url, checks.https_url)) or ""
        ).rstrip("/")

    def texts(self, name: str, validate: Callable[[list[str]], None]) -> tuple[str, ...]:
        """Comma-separated, newest first."""
        found = self.list(name, self.generated(name), subcast=lambda text: str(text).strip(), validate=validate)
        return tuple(found or ())

    def seeds(self, name: str) -> tuple[bytes, ...]:
        return tuple(base64.b64decode(text) for text in self.texts(name, validate=checks.ed25519_seeds))

    def mail_server(self) -> MailServer | None:
        host = self.str("MAIL_SERVER", self.by_environment("", ...), validate=self.by_environment(None, checks.given))
        server = MailServer(
            host=host or "",
            port=self.int("MAIL_PORT", 25, validate=Range(1, 65535)) or 25,
            starttls=bool(self.bool("MAIL_USE_TLS", False)),
            tls=bool(self.bool("MAIL_USE_SSL", False)),
            username=self.str("MAIL_USERNAME", None),
            password=self.str("MAIL_PASSWORD", None),
            timeout=self.float("MAIL_TIMEOUT", 60.0, validate=Range(0.1, 300)) or 60.0,
            connections=self.int("MAIL_CONNECTIONS", 4, validate=Range(1, 100)) or 4,
            envelope=self.enum("MAIL_ENVELOPE", Envelope.SIGNED, enum=Envelope, by_value=True),
            authorities=self.certificates("MAIL_CA_FILE"),
        )
        if server.starttls and server.tls:
            self.wrong["MAIL_USE_TLS"] = "cannot be true together with MAIL_USE_SSL: choose one"
        if server.username and not server.password:
            self.wrong["MAIL_USERNAME"] = "is set, but MAIL_PASSWORD is not"
        is_private = server.is_encrypted or checks.is_private_host(server.host)
        if server.username and not is_private and self.environment is Environment.PRODUCTION:
            self.wrong.setdefault("MAIL_USERNAME", "sends the password in the clear: set MAIL_USE_TLS or MAIL_USE_SSL")
        return server if server.host else None

    def certificates(self, name: str) -> str | None:
        """The content of the file that the variable names; None if it names none."""
        path = self.str(name, "")
        try:
            # OpenSSL takes ASCII only, and a list of authorities may have their names between the certificates.
            found = Path(path).read_bytes().decode("ascii", "ignore") if path else None
        except (OSError, ValueError):
            self.wrong[name] = "names a file that cannot be read; name one with the authorities' certificates (PEM)"
            return None
        if found is not None and not checks.holds_certificates(found):
            self.wrong[name] = "names a file without a certificate; name one with the authorities' certificates (PEM)"
        return found

    def send_limits(self) -> SendLimits:
        return SendLimits(
            letters_a_minute=self.at_least_none("SEND_RATE", 0),
            letters_a_minute_to_a_domain=self.at_least_none("SEND_RATE_DOMAIN", 0),
            confirmations_an_hour=self.at_least_none("MAIL_BUDGET_TOTAL", 10_000),
            confirmations_an_hour_to_a_domain=self.at_least_none("MAIL_BUDGET_DOMAIN", 2_000),
            confirmations_an_hour_for_a_newsletter=self.at_least_none("MAIL_BUDGET_NEWSLETTER", 2_000),
        )

    def at_least_none(self, name: str, default: int) -> int:
        return self.int(name, default, validate=Range(min=0)) or 0

    def feedback(self) -> FeedbackChannels:
        return FeedbackChannels(
            address=self.str("FEEDBACK_ADDRESS", "", validate=checks.mailbox) or None,
            secret=self.str("FEEDBACK_SECRET", "", validate=checks.strong_or_nothing) or None,
            mailgun_signing_key=self.str("MAILGUN_SIGNING_KEY", "") or None,
            sendgrid_public_key=self.str("SENDGRID_PUBLIC_KEY", "", validate=checks.public_key) or None,
            ses_topic=self.str("SES_TOPIC", "", validate=checks.topic) or None,
            mandrill_webhook_key=self.str("MANDRILL_WEBHOOK_KEY", "") or None,
            resend_signing_secret=self.str("RESEND_SIGNING_SECRET", "", validate=checks.svix_secret) or None,
            sender_id=self.str("FEEDBACK_ID", "", validate=checks.sender_id) or None,
        )

    def keep_secrets_apart(self, settings: Settings) -> None:
        """One that leaks must not open what another protects."""
        seeds = (base64.b64encode(seed).decode() for seed in settings.log_signing_keys)
        texts = (settings.secret_keys, (settings.suppression_key,), seeds, (settings.feedback.secret,))
        owners: dict[str, str] = {}
        for name, values in zip(_SECRETS, texts, strict=True):
            for value in filter(None, values):
                owner = owners.setdefault(value.strip(), name)
                if owner != name:
                    self.wrong.setdefault(name, f"is also used for {owner}: each secret needs a text of its own")

    def report(self) -> None:
        try:
            self.seal()
        except EnvValidationError as error:
            for name, problems in cast(Mapping[str, list[str]], error.error_messages).items():
                problem = " ".join(problems)
                self.wrong.setdefault(name, _REMEDIES.get(name, "is not set") if problem == _NOT_SET else problem)
        if self.wrong:
            lines = [f"  {name}: {problem}" for name, problem in sorted(self.wrong.items())]
            raise SettingsError("These settings need attention:\n" + "\n".join(lines))


def fresh_secrets() -> dict[str, str]:
    return {
        "SECRET_KEYS": secrets.token_urlsafe(checks.SECRET_LENGTH),
        "SUPPRESSION_KEY": secrets.token_urlsafe(checks.SECRET_LENGTH),
        "LOG_SIGNING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }


def _generated(path: Path, name: str) -> Any:
    """Web server and worker may start at the same instant; exclusive creation lets exactly one of them choose."""
    if not path.exists():
        _make_secrets(path)
    value = json.loads(path.read_text())[name]
    return value if name == "SUPPRESSION_KEY" else [value]


def _make_secrets(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    try:
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(fresh_secrets()))
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
