"""Who takes alerts in tests: a webhook and a mail relay, each in a thread, on a free port of this machine."""

import json
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """Where it listens, and what it got: JSON bodies of the webhook, whole mails of the relay.

    `status` is what it answers, 0 for hanging up without a word; `asked` counts the tries.
    """

    port: int = 0
    status: int = 250
    got: list = field(default_factory=list)
    asked: int = 0


@contextmanager
def webhook(status=200):
    receiver = Receiver(status=status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            receiver.asked += 1
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not receiver.status:
                return
            receiver.got.append(body)
            self.send_response(receiver.status)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *arguments):
            pass

    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Handler), receiver):
        yield receiver


@contextmanager
def relay(status=250):
    """The least of SMTP that a client needs; `status` answers the recipient."""
    receiver = Receiver(status=status)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            receiver.asked += 1
            self.say("220 test")
            for line in self.rfile:
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.say("354 go on")
                    receiver.got.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                    self.say("250 taken")
                elif verb == b"RCPT":
                    self.say(f"{receiver.status} recipient")
                else:
                    self.say("221 bye" if verb == b"QUIT" else "250 fine")

        def say(self, text):
            self.wfile.write(text.encode() + b"\r\n")

    with _served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler), receiver):
        yield receiver


@contextmanager
def _served(server, receiver):
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def service(body, *, status=200):
    """Answer each POST with a body; yield the address, and the list of what was asked as JSON."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    receiver = Receiver()
    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Handler), receiver):
        yield f"http://127.0.0.1:{receiver.port}", asked
