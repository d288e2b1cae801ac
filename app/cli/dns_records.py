"""TXT records, as `jawel doctor` looks them up: all of them within one time-out."""

import time

from app.cli.findings import CheckWarning


class TextRecords:
    """Asks the system's resolver for no longer than `seconds` altogether: a network without DNS is waited for once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def of(self, name: str) -> tuple[str, ...] | None:
        """Empty if the name, or one below it, exists without such a record (RFC 8020); None if there is none.

        Raises CheckWarning if DNS does not answer.
        """
        import dns.exception  # noqa: PLC0415 - dnspython takes 0.1 s to load, and nothing but the doctor needs it
        import dns.resolver  # noqa: PLC0415

        started = time.monotonic()
        try:
            found = dns.resolver.resolve(f"{name}.", "TXT", raise_on_no_answer=False, lifetime=self._seconds)
        except dns.resolver.NXDOMAIN:
            return None
        except dns.exception.Timeout:
            raise CheckWarning(f"{name} could not be looked up: DNS does not answer") from None
        except dns.exception.DNSException:
            raise CheckWarning(f"{name} could not be looked up: DNS refuses, or has an error") from None
        finally:
            self._seconds -= time.monotonic() - started
        return tuple(b"".join(each.strings).decode("ascii", "replace") for each in found.rrset or ())
