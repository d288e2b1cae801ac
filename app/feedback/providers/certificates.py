"""Certificates of Amazon SNS's message signatures, fetched from the URL that a message names.

The URL is unproven at that point, so it must not decide where we connect to: only SNS's own hosts are accepted, over
https, without a port, a user name or a redirect. The certificate comes without its issuer's, so its chain cannot be
verified; the TLS connection to `amazonaws.com` vouches for it, together with its own names and dates
(https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html).
"""

import re
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from app import clock
from app.feedback.providers.post import Forged, ProofOutOfReach

SECONDS = 5
MAX_BYTES = 64 * 1024

_REGION = r"[a-z]{2}(?:-[a-z]+){1,2}-[0-9]{1,2}"
_HOST = rf"sns\.{_REGION}\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE = re.compile(rf"https://{_HOST}/SimpleNotificationService-[0-9a-f]{{8,64}}\.pem")
_CONFIRM = r"/\?Action=ConfirmSubscription&[A-Za-z0-9_.:%=&~-]+"
AMAZON = re.compile(rf"https://{_HOST}{_CONFIRM}")
SCALEWAY = re.compile(rf"https://sns\.mnq\.[a-z]{{2}}-[a-z]{{3}}\.scaleway\.com{_CONFIRM}")
"""Whose topics can be confirmed: Scaleway's are made like Amazon's."""
_NAME = re.compile(rf"sns(?:(?:-signing)?[.-]{_REGION})?\.amazonaws\.com(?:\.cn)?")
"""`sns.amazonaws.com` for most regions; others have names such as `sns-signing.me-south-1.amazonaws.com`."""


def public_key(url: str) -> RSAPublicKey:
    """The public key of the certificate at `url`. Raises Forged or ProofOutOfReach."""
    if not _CERTIFICATE.fullmatch(url):
        raise Forged("the certificate is not where Amazon SNS keeps its own")
    certificate = _certificate(url)
    key = certificate.public_key()
    is_current = certificate.not_valid_before_utc <= clock.now() <= certificate.not_valid_after_utc
    if not is_current or not any(map(_NAME.fullmatch, _names(certificate))) or not isinstance(key, RSAPublicKey):
        raise Forged("the certificate is not one of Amazon SNS, or out of date")
    return key


def confirm(url: str, theirs: re.Pattern[str]) -> bool:
    """Confirm the subscription to a topic. False if the URL is not one of theirs. Raises ProofOutOfReach."""
    if not theirs.fullmatch(url):
        return False
    _get(url)
    return True


@lru_cache(maxsize=16)
def _certificate(url: str) -> x509.Certificate:
    """Cached, because the certificate at a URL never changes."""
    try:
        return x509.load_pem_x509_certificate(_get(url))
    except ValueError:
        raise Forged("what is there is no certificate") from None


def _names(certificate: x509.Certificate) -> list[str]:
    names = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        also = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return names
    return names + also.get_values_for_type(x509.DNSName)


def _get(url: str) -> bytes:
    import urllib3  # noqa: PLC0415 - only who takes reports from Amazon has a use for it

    try:
        with urllib3.PoolManager(num_pools=1, timeout=urllib3.Timeout(SECONDS)) as http:
            # Without retries urllib3 follows no redirect either.
            answer = http.request("GET", url, retries=False, preload_content=False)
            content = answer.read(MAX_BYTES + 1)
            answer.release_conn()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise ProofOutOfReach(f"the topic's service cannot be asked: {type(error).__name__}") from None
    if answer.status != 200 or len(content) > MAX_BYTES:
        raise ProofOutOfReach(f"the topic's service answers {answer.status} with {len(content)} bytes")
    return content
