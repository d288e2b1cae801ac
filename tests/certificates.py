"""Certificates for servers of ours: an authority of a test's own, and what it signs.

Since Python 3.13 certificates are held to RFC 5280 by the letter, which asks for the identifiers of both keys.
"""

import ssl
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app import clock

LOCALHOST = x509.IPAddress(ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("elsewhere.example.org")


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs for a server at 127.0.0.1, and is trusted by whoever reads `path`."""

    folder: Path
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def in_folder(cls, folder: Path) -> "Authority":
        authority = cls(folder, ec.generate_private_key(ec.SECP256R1()))
        signed = authority._sign(authority.key, _name("authority"), x509.BasicConstraints(ca=True, path_length=0))
        authority.path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return authority

    @property
    def path(self) -> Path:
        return self.folder / "authority.pem"

    def server(self, name: x509.GeneralName = LOCALHOST) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._sign(key, _name("server"), x509.SubjectAlternativeName([name]))
        path = self.folder / "server.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + signed.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _sign(
        self, key: ec.EllipticCurvePrivateKey, subject: x509.Name, extension: x509.ExtensionType
    ) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_name("authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(clock.now() - timedelta(days=1))
            .not_valid_after(clock.now() + timedelta(days=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(_usage(signs=isinstance(extension, x509.BasicConstraints)), critical=True)
            .sign(self.key, hashes.SHA256())
        )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
