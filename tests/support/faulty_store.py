"""A way to a store that counts what is asked, and fails as it is told: with an answer, or CUT off in mid-request."""

import http.client
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit

ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>key=AKIAOFSOMEBODY secret=wJalr</Message></Error>"
CUT = (0, "")
OF_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class Way:
    """What was asked, by method, and how often it was CUT; and `fault`, which tells what becomes of a request.

    It gets the request's number, method and path, and returns a status and a code, CUT, or None.
    """

    def __init__(self):
        self.asked = Counter()
        self.cut = 0
        self.fault = lambda _number, _method, _path: None
        self._lock = Lock()

    def next(self, method, path):
        with self._lock:
            self.asked[method] += 1
            number = self.asked.total()
        told = self.fault(number, method, path)  # which may keep this request waiting, and no other
        with self._lock:
            self.cut += told == CUT
        return told


@contextmanager
def way_to(address):
    """Listen on this machine and pass all on to a store; yield the address, and the Way."""
    way, store = Way(), urlsplit(address)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self):
            size, refused = int(self.headers.get("content-length") or 0), way.next(self.command, self.path)
            if refused == CUT:
                self.rfile.read(size // 2)
                self.close_connection = True
                return None
            body = self.rfile.read(size)
            if refused:
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
        yield f"http://127.0.0.1:{server.server_port}{store.path}", way
    finally:
        server.shutdown()
        server.server_close()
