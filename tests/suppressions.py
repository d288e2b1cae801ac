"""Addresses that get no mail, under the digests by which they are known."""

from app import clock, suppressions
from app.addresses import EmailAddress
from app.resources import resources_of
from app.suppressions import Reason
from tests.service import ADA, Service


def known_by(email: str = ADA) -> set[str]:
    digests = EmailAddress.parse(email).digests("a suppression key for tests, of some length")
    return {digests.address, digests.mailbox}


def suppressed(service: Service) -> set[str]:
    return {row.digest for row in service.rows("SELECT digest FROM suppressions")}


def digest(service: Service) -> str:
    return EmailAddress.parse(ADA).digest(resources_of(service.app).settings.suppression_key)


def suppress(service: Service, reason: Reason) -> None:
    digest = EmailAddress.parse(ADA).digest(resources_of(service.app).settings.suppression_key)
    with service.database.transaction() as session:
        suppressions.suppress(session, digest, reason, since=clock.now())
