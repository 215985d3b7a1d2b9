"""A server that draws out its answer, or has no end of it."""

import socket
import threading
from contextlib import contextmanager


@contextmanager
def server(first, then=b"", *, times=10**9, pause=0.0, proxied=b"", greets=False):
    """Give the address of a server that sends `first`, then `then` over and over until the client has gone.

    A request that comes before, as a proxy gets one, is answered with `proxied`. One that `greets` waits for none.
    """
    stop = threading.Event()

    def serve(connection):
        with connection:
            try:
                for answer in filter(None, (proxied, first)):
                    _ = greets or connection.recv(2**16)
                    connection.sendall(answer)
                for _ in range(times):
                    if stop.wait(pause):
                        return
                    connection.sendall(then)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(2**16):  # to close with bytes unread would reset the connection
                    pass
            except OSError:
                pass

    def accept():
        try:
            while not stop.is_set():
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        except OSError:
            pass  # shut down, below

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
