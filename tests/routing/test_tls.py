"""Providers that are not who they say they are get no key."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from routing import wire
from routing.exceptions import NoAnswer
from tests.routing.calling import ask, results
from tests.routing.making import make_key, make_model

pytestmark = pytest.mark.django_db


def certificate(folder, *names):
    """A certificate that has signed itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    return path


@pytest.fixture
def trusted(monkeypatch):
    """Lets a certificate be trusted, as if the system did."""

    def trust(path):
        context = ssl.create_default_context(cafile=str(path))
        monkeypatch.setattr(wire, "_verifying", lambda: context)

    return trust


def secure(serve, path):
    """A provider that speaks TLS."""
    provider = serve()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    listening = provider.server.socket
    provider.server.socket = context.wrap_socket(
        listening, server_side=True, do_handshake_on_connect=False
    )
    make_model("one", url=provider.url.replace("http://", "https://"), needs_key=True)
    make_key("one")
    return provider


HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


def test_a_trusted_provider_is_called_with_its_key(serve, tmp_path, trusted):
    path = certificate(tmp_path, HERE)
    provider = secure(serve, path)
    trusted(path)

    assert ask().text == "yes"

    assert provider.count == 1


def test_a_certificate_that_nobody_trusts(serve, tmp_path):
    provider = secure(serve, certificate(tmp_path, HERE))

    with pytest.raises(NoAnswer):
        ask()

    assert results() == [("one", "connection", "no")]
    assert provider.count == 0


def test_a_certificate_of_another_name(serve, tmp_path, trusted):
    path = certificate(tmp_path, x509.DNSName("models.example.org"))
    provider = secure(serve, path)
    trusted(path)

    with pytest.raises(NoAnswer):
        ask()

    assert provider.count == 0
