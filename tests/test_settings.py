"""Settings: what a deployment may say, and what it is told when it says something else."""

import base64

import pytest

import config
from config import ClientIp, Environment, LogPublish, MailServer
from tests.certificates import Authority
from tests.commands import ROOT
from tests.deployments import LONG, PRODUCTION, SEED, SESAME, Deployment, named_in

PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


def test_what_production_must_be_told_and_what_it_need_not(deployment: Deployment) -> None:
    settings = deployment.settings(**PRODUCTION)
    assert settings.environment is Environment.PRODUCTION
    assert settings.database_url == PRODUCTION["DATABASE_URL"]
    assert settings.log_origin == "subscribe.example.org"
    assert settings.log_signing_keys == (bytes(range(32)),)
    assert settings.mail_server == MailServer(
        host="mail.example.org", port=25, starttls=False, tls=False, username=None, password=None, timeout=60
    )
    assert settings.client_ip is ClientIp.TRUNCATED
    assert (settings.trusted_proxies, settings.log_format, settings.rate_limit_storage) == (0, "json", None)
    assert settings.log_publish is LogPublish.DAILY
    assert not settings.instance.exists()


def test_production_starts_with_no_secret_of_its_own_making(deployment: Deployment) -> None:
    refusal = deployment.refusal()
    for name in ("SECRET_KEYS", "SUPPRESSION_KEY", "LOG_SIGNING_KEY", "PUBLIC_URL", "MAIL_SERVER"):
        assert f"  {name}: is not set" in refusal
    assert not (deployment.folder / "instance").exists()


def test_production_names_its_database_or_does_not_start(deployment: Deployment) -> None:
    """Else it would serve an empty SQLite file in silence, for want of the line that was meant."""
    for missing in ({}, {"DATABASE_URL": ""}, {"DATABASE_URL": "  "}):
        rest = {name: value for name, value in PRODUCTION.items() if name != "DATABASE_URL"}
        refusal = deployment.refusal(**rest | missing)
        assert named_in(refusal) == ["DATABASE_URL"]
        assert "postgresql://" in refusal
        assert "sqlite:////absolute/path" in refusal
        assert "`&`" in refusal
    assert not (deployment.folder / "instance").exists()
    said = f"sqlite:///{deployment.folder}/jawel.sqlite"
    assert deployment.settings(**PRODUCTION | {"DATABASE_URL": said}).database_url == said


@pytest.mark.parametrize("name", ["SECRET_KEYS", "SUPPRESSION_KEY", "LOG_SIGNING_KEY", "PUBLIC_URL", "MAIL_SERVER"])
def test_a_variable_left_empty_is_as_good_as_none(deployment: Deployment, name: str) -> None:
    assert f"  {name}: " in deployment.refusal(**PRODUCTION | {name: ""})


def test_all_that_is_wrong_is_told_at_once_and_no_value_is_repeated(deployment: Deployment) -> None:
    wrong = {
        "CLIENT_IP": SESAME,
        "DATABASE_URL": f"mysql://jawel:{SESAME}@localhost/jawel",
        "JAWEL_ENV": SESAME,
        "LOG_FORMAT": SESAME,
        "LOG_ORIGIN": f"{SESAME} with a space",
        "LOG_SIGNING_KEY": SESAME,
        "MAIL_PORT": SESAME,
        "MAIL_SERVER": "",
        "MAIL_TIMEOUT": SESAME,
        "MAIL_USE_SSL": SESAME,
        "MAIL_USE_TLS": SESAME,
        "PUBLIC_URL": SESAME,
        "RATE_LIMIT_STORAGE": f"{SESAME}://localhost",
        "RATE_LIMIT_SUBSCRIBE": SESAME,
        "SECRET_KEYS": SESAME,
        "SUPPRESSION_KEY": SESAME,
        "TIMEZONE": SESAME,
        "TRUSTED_PROXIES": SESAME,
    }
    refusal = deployment.refusal(**wrong)
    assert named_in(refusal) == sorted(wrong)
    assert SESAME not in refusal


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://jawel@localhost/jawel?nonsense=1"),
        ("DATABASE_URL", "jawel.sqlite"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("FEEDBACK_ADDRESS", "bounces@bücher.example"),
        ("FEEDBACK_ID", "four"),
        ("FEEDBACK_ID", "a:colon"),
        ("FEEDBACK_SECRET", "too short"),
        ("FEEDBACK_SECRET", "of 32 letters/that no path may hold"),
        ("LOG_ORIGIN", "example.org+jawel"),
        ("LOG_SIGNING_KEY", f"{SEED},{SEED[:-4]}"),
        ("LOG_SIGNING_KEY", base64.b64encode(bytes(32)).decode()),
        ("MAIL_PORT", "0"),
        ("MAIL_PORT", "65536"),
        ("MAIL_TIMEOUT", "0"),
        ("MAIL_TIMEOUT", "inf"),
        ("PUBLIC_URL", "ftp://subscribe.example.org"),
        ("PUBLIC_URL", "http://["),
        ("PUBLIC_URL", "http://subscribe.example.org"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://ada:open-sesame@example.org"),
        ("PUBLIC_URL", "https://subscribe.example.org/?a=b"),
        ("PUBLIC_URL", "https://example.org/newsletters"),
        ("PUBLIC_URL", "https://subscribe.example.org:99999"),
        ("RATE_LIMIT_SUBSCRIBE", "0"),
        ("RESEND_SIGNING_SECRET", "whsec_not base64"),
        ("RESEND_SIGNING_SECRET", SEED),
        ("SENDGRID_PUBLIC_KEY", "not base64"),
        ("SENDGRID_PUBLIC_KEY", SEED),
        ("SES_TOPIC", "bounces"),
        ("SECRET_KEYS", f"{LONG},{LONG[:31]}"),
        ("SECRET_KEYS", f"{LONG},"),
        ("SECRET_KEYS", "k" * 32),
        ("SECRET_KEYS", f"{LONG},{'abcdefg' * 6}"),
        ("SUPPRESSION_KEY", LONG[:31]),
        ("SUPPRESSION_KEY", "abcdefg" * 6),
        ("FEEDBACK_SECRET", "abcdefg" * 6),
        ("TIMEZONE", "../localtime"),
        ("TRUSTED_PROXIES", "-1"),
    ],
)
def test_start_up_fails_rather_than_guesses(deployment: Deployment, name: str, value: str) -> None:
    refusal = deployment.refusal(**PRODUCTION | {name: value})
    assert named_in(refusal) == [name]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("SUPPRESSION_KEY", "SECRET_KEYS"),
        ("LOG_SIGNING_KEY", "SECRET_KEYS"),
        ("FEEDBACK_SECRET", "SECRET_KEYS"),
        ("LOG_SIGNING_KEY", "SUPPRESSION_KEY"),
        ("FEEDBACK_SECRET", "SUPPRESSION_KEY"),
    ],
)
def test_one_text_is_no_two_secrets(deployment: Deployment, name: str, other: str) -> None:
    """Among several keys too: the one that is on its way out still opens what it opened."""
    text = SEED if name == "LOG_SIGNING_KEY" else LONG
    shared = {"SECRET_KEYS": f"n{LONG},{text}"} if other == "SECRET_KEYS" else {other: text}
    refusal = deployment.refusal(**PRODUCTION | shared | {name: text})
    assert named_in(refusal) == [name]
    assert f"is also used for {other}" in refusal
    assert text not in refusal


def test_starttls_and_tls_from_the_start_exclude_each_other(deployment: Deployment) -> None:
    refusal = deployment.refusal(**PRODUCTION, MAIL_USE_TLS="true", MAIL_USE_SSL="true")
    assert "MAIL_USE_TLS: cannot be true together with MAIL_USE_SSL" in refusal


def test_a_mail_user_without_a_password_would_never_log_in(deployment: Deployment) -> None:
    assert "MAIL_USERNAME: is set, but MAIL_PASSWORD is not" in deployment.refusal(
        **PRODUCTION, MAIL_USERNAME="jawel", MAIL_PASSWORD=""
    )


def test_a_mail_password_does_not_cross_a_network_in_the_clear(deployment: Deployment) -> None:
    log_in = {"MAIL_USERNAME": "jawel", "MAIL_PASSWORD": SESAME}
    assert "MAIL_USERNAME: sends the password in the clear" in deployment.refusal(**PRODUCTION, **log_in)
    assert deployment.settings(**PRODUCTION | log_in | {"MAIL_SERVER": "localhost"}).mail_server
    assert deployment.settings(**PRODUCTION | log_in | {"MAIL_USE_SSL": "true"}).mail_server


def test_a_production_on_this_machine_alone_needs_no_https(deployment: Deployment) -> None:
    assert deployment.settings(**PRODUCTION | {"PUBLIC_URL": "http://localhost:8000"})


def test_the_example_for_an_environment_file_needs_its_secrets_and_nothing_else(deployment: Deployment) -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    refusal = deployment.refusal(**example)
    assert named_in(refusal) == ["LOG_SIGNING_KEY", "SECRET_KEYS", "SUPPRESSION_KEY"]
    assert deployment.settings(**config.fresh_secrets()).mail_server is not None


@pytest.mark.parametrize("name", sorted(PRODUCTION))
def test_every_variable_may_be_a_file_instead(deployment: Deployment, name: str) -> None:
    plain = deployment.settings(**PRODUCTION)
    rest = {other: value for other, value in PRODUCTION.items() if other != name}
    deployment.forget(name)
    assert deployment.settings(**rest, **{f"{name}_FILE": deployment.file(f"{PRODUCTION[name]}\n")}) == plain


def test_a_file_that_cannot_be_read_is_one_problem_among_the_others(deployment: Deployment) -> None:
    refusal = deployment.refusal(
        **PRODUCTION | {"LOG_FORMAT": "xml"},
        SECRET_KEYS_FILE=str(deployment.folder / "nowhere"),
        SUPPRESSION_KEY_FILE=str(deployment.folder),
        MAIL_PASSWORD_FILE=deployment.file(b"\xff\xfe"),
    )
    for name in ("SECRET_KEYS", "SUPPRESSION_KEY", "MAIL_PASSWORD"):
        assert f"  {name}: the file that {name}_FILE names cannot be read" in refusal
    assert "  LOG_FORMAT: " in refusal


@pytest.mark.parametrize("content", ["", "\n", "authorities", PRIVATE_KEY, b"\x30\x82\x01\x0a"])
def test_a_file_of_authorities_without_a_certificate_starts_nothing(
    deployment: Deployment, content: str | bytes
) -> None:
    refusal = deployment.refusal(**PRODUCTION, MAIL_CA_FILE=deployment.file(content))
    assert named_in(refusal) == ["MAIL_CA_FILE"]
    assert "without a certificate; name one with the authorities' certificates (PEM)" in refusal
    assert str(deployment.folder) not in refusal


@pytest.mark.parametrize("path", ["nowhere.pem", "", "a\0b"])
def test_a_file_of_authorities_that_cannot_be_read_is_one_problem_among_the_others(
    deployment: Deployment, path: str
) -> None:
    named = deployment.file(str(deployment.folder / path))
    refusal = deployment.refusal(**PRODUCTION | {"LOG_FORMAT": "xml"}, MAIL_CA_FILE_FILE=named)
    assert named_in(refusal) == ["LOG_FORMAT", "MAIL_CA_FILE"]
    assert "MAIL_CA_FILE: names a file that cannot be read; name one with" in refusal


def test_a_file_of_authorities_may_say_whose_they_are_in_any_script(deployment: Deployment) -> None:
    pem = Authority.in_folder(deployment.folder).path.read_text()
    settings = deployment.settings(**PRODUCTION, MAIL_CA_FILE=deployment.file(f"# Société de démonstration\n{pem}"))
    assert settings.mail_server is not None
    assert pem in (settings.mail_server.authorities or "")
    assert "CERTIFICATE" not in repr(settings)


def test_several_keys_are_told_apart_by_commas_whatever_the_spaces(deployment: Deployment) -> None:
    older = base64.b64encode(bytes(range(32, 64))).decode()
    settings = deployment.settings(
        **PRODUCTION | {"SECRET_KEYS": f"n{LONG} , o{LONG}", "LOG_SIGNING_KEY": f"{SEED}, {older}"}
    )
    assert settings.secret_keys == (f"n{LONG}", f"o{LONG}")
    assert settings.log_signing_keys == (bytes(range(32)), bytes(range(32, 64)))


def test_no_secret_shows_when_settings_are_printed(deployment: Deployment) -> None:
    settings = deployment.settings(
        **PRODUCTION,
        MAIL_USERNAME="jawel",
        MAIL_PASSWORD=SESAME,
        MAIL_USE_TLS="true",
        RATE_LIMIT_STORAGE=f"memory://:{SESAME}@localhost",
    )
    printed = repr(settings) + str(settings) + repr(settings.mail_server)
    secrets = (SESAME, PRODUCTION["SECRET_KEYS"], PRODUCTION["SUPPRESSION_KEY"], SEED, repr(bytes(range(32))))
    assert [secret for secret in secrets if secret in printed] == []


def test_a_link_never_gets_two_slashes(deployment: Deployment) -> None:
    settings = deployment.settings(**PRODUCTION | {"PUBLIC_URL": "https://subscribe.example.org/"})
    assert settings.public_url == "https://subscribe.example.org"


@pytest.mark.parametrize("said", LogPublish)
def test_how_much_of_the_log_strangers_see_is_one_of_three(deployment: Deployment, said: LogPublish) -> None:
    assert deployment.settings(**PRODUCTION, LOG_PUBLISH=said.value).log_publish is said
    assert named_in(deployment.refusal(**PRODUCTION, LOG_PUBLISH="hourly")) == ["LOG_PUBLISH"]
