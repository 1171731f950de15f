"""A wire between two processes that a test can cut, heal, and stop in the middle of an upload."""

from __future__ import annotations

import contextlib
import socket
import threading

CHUNK_BYTES = 16_384


class Wire:
    """Passes every connection on to a port of this machine. `port` is where to connect instead."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._held_at: tuple[bytes, int] | None = None
        self.held = (
            threading.Event()
        )  # an upload stands still: some of its bytes are there, the rest never comes
        self.port = 0
        self.heal()

    def heal(self) -> None:
        """Listen, always on the same port."""
        self._held_at = None
        self.held.clear()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            ends, self._open = self._open, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def hold_upload(self, of: bytes, after_bytes: int) -> None:
        """Let the first upload whose request line holds `of` pass that many bytes, then nothing more of it."""
        self._held_at = (of, after_bytes)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                caller = listener.accept()[0]
            except OSError:
                return  # cut
            try:
                called = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:
                caller.close()
                continue
            with self._lock:
                self._open += [caller, called]
            threading.Thread(
                target=self._pass_on, args=(caller, called), kwargs={"upload": True}, daemon=True
            ).start()
            threading.Thread(
                target=self._pass_on, args=(called, caller), kwargs={"upload": False}, daemon=True
            ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, *, upload: bool) -> None:
        passed = 0
        counting = False
        with contextlib.suppress(OSError):  # either end is gone, or the wire is cut
            while chunk := source.recv(CHUNK_BYTES):
                if upload and self._held_at is not None:
                    of, after_bytes = self._held_at
                    line = chunk.partition(b"\r\n")[0]
                    counting = counting or (line.startswith(b"PUT ") and of in line)
                    if counting and passed + len(chunk) > after_bytes:
                        target.sendall(chunk[: max(after_bytes - passed, 0)])
                        self.held.set()
                        return
                    passed += len(chunk) if counting else 0
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
