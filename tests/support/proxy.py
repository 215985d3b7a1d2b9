"""A small HTTP proxy: it notes what it is asked for, and refuses, answers nonsense, or makes a tunnel. And TLS."""

import datetime as dt
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

MADE = b"HTTP/1.1 200 Connection established\r\n\r\n"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
EXCEPTIONS = ("no_proxy", "NO_PROXY")


@dataclass
class Proxy:
    """Where it listens, and the first lines and headers of what it was asked for."""

    port: int
    asked: list = field(default_factory=list)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def variables(self, url=None):
        """Return the variables of a company's machine: this proxy for everything, and no exception."""
        return dict.fromkeys(VARIABLES, url or self.url) | dict.fromkeys(EXCEPTIONS, "")


@contextmanager
def proxy(answer=b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", *, to=None):
    """Run one that gives this answer to all; after it, it passes bytes on to the port `to` of this machine."""

    def serve(connection):
        with connection, suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += connection.recv(1) or b"\r\n\r\n"
            made.asked.append(head.decode())
            connection.sendall(answer)
            if to:
                with socket.create_connection(("127.0.0.1", to)) as other:
                    threading.Thread(target=passed_on, args=(other, connection), daemon=True).start()
                    passed_on(connection, other)

    with listening(serve) as port:
        made = Proxy(port)
        yield made


def passed_on(source, sink):
    """Pass on all bytes until one side is closed."""
    with suppress(OSError):
        try:
            while data := source.recv(2**16):
                sink.sendall(data)
        finally:
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def listening(serve):
    """Give the port of a listener that calls `serve` with each connection, in a thread of its own."""

    def accept():
        with suppress(OSError):  # shut down, below
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


@contextmanager
def tls_server(folder, answer, *, name):
    """Run a TLS server of that name which gives one answer to all; give its port and the file with its certificate."""
    certificate, key = certified(folder, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve(connection):
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(2**16)
            secured.sendall(answer)
            while secured.recv(2**16):  # to close with bytes unread would reset the connection
                pass

    with listening(serve) as port:
        yield port, certificate


def certified(folder, name):
    """Write a certificate of that name, which has signed itself, and its key; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
