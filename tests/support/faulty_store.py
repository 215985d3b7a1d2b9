"""A way to a store that counts what is asked, and fails as it is told."""

import http.client
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit

ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>key=AKIAOFSOMEBODY secret=wJalr</Message></Error>"
OF_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class Way:
    """What was asked, by method; and `fault(number, method, path)`, which returns a status and a code, or None."""

    def __init__(self):
        self.asked = Counter()
        self.fault = lambda _number, _method, _path: None
        self._lock = Lock()

    def next(self, method, path):
        with self._lock:
            self.asked[method] += 1
            return self.fault(self.asked.total(), method, path)


@contextmanager
def way_to(address):
    """Listen on this machine and pass all on to a store; yield the address, and the Way."""
    way, store = Way(), urlsplit(address)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if refused := way.next(self.command, self.path):
                status, code = refused
                return self.answer(status, {}, b"" if self.command == "HEAD" else ERROR.format(code).encode())
            connection = http.client.HTTPConnection(store.hostname, store.port, timeout=60)
            try:
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                headers = {name: value for name, value in answer.getheaders() if name.lower() not in OF_HOP}
                size = answer.getheader("content-length")
                self.answer(answer.status, headers, answer.read(), size=size if self.command == "HEAD" else None)
            finally:
                connection.close()
            return None

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one  # noqa: N815 - as the library asks

        def answer(self, status, headers, body, *, size=None):
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", size or str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", way
    finally:
        server.shutdown()
        server.server_close()
