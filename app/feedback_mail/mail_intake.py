"""One mail, read within its limits and taken, whichever way it came."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.cache import TtlCache
from app.database import Database
from app.feedback import Outcome, Report, effects, inbound
from app.feedback_mail import processor_time
from app.links import Links
from app.newsletters import load
from app.newsletters.definitions import Catalogue
from app.tokens import Signer
from config import Settings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class MailIntake:
    database: Database
    links: Links
    suppression_key: str
    catalogue: TtlCache[Catalogue]

    @classmethod
    def of(cls, settings: Settings, database: Database) -> "MailIntake":
        links = Links(settings.public_url, Signer(settings.secret_keys), settings.feedback.address)
        return cls(database, links, settings.suppression_key, TtlCache(database, load.catalogue))

    def take(self, raw: bytes, recipients: Sequence[str | None]) -> list[bool]:
        """For each recipient of the envelope, whether the mail is done with; if not, it is to come again.

        None stands for a recipient that only the mail's headers tell. In the main thread only.
        """
        return [self._is_done_with(reports) for reports in self._read(raw, recipients)]

    def _read(self, raw: bytes, recipients: Sequence[str | None]) -> list[list[Report] | None]:
        """None if the mail cannot be parsed, or not in time: one limit, however many recipients."""
        found: list[list[Report] | None] = [None] * len(recipients)
        try:
            with processor_time.at_most(processor_time.READING_SECONDS):
                for number, reports in enumerate(inbound.read_for_each(raw, recipients, self.links)):
                    found[number] = reports
        except (Exception, processor_time.Exceeded) as error:
            # The same mail would fail the next time as well, and the text of the error may quote it.
            log.warning("feedback.unreadable", error=type(error).__name__)
        return found

    def _is_done_with(self, reports: list[Report] | None) -> bool:
        try:
            if reports is not None and self._outcome(reports) is None:
                log.info("feedback.ignored")
        except SQLAlchemyError as error:
            log.error("feedback.postponed", error=type(error).__name__)
            return False
        except Exception as error:
            # A driver's message may quote the address.
            log.error("feedback.failed", error=type(error).__name__)
            return False
        return True

    def _outcome(self, reports: list[Report]) -> Outcome | None:
        """None if there is no report."""
        outcome = None
        for report in reports:
            catalogue = self.catalogue.get()
            with self.database.transaction() as session:
                outcome = effects.take(session, report, catalogue=catalogue, suppression_key=self.suppression_key)
            log.info("feedback.taken", kind=report.kind, source=report.source, outcome=outcome)
            if outcome is not Outcome.UNKNOWN:
                break
        return outcome
