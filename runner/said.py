"""What an application says, told to previewd with who said it: the level, the exception, the request.

Loaded by the runner. Standard library only.
"""

import concurrent.futures
import contextvars
import functools
import io
import json
import logging
import os
import select
import sys
import threading

# A record is one line of previewd's journal, which cuts at 64 KiB; JSON escapes may double a text.
MAX_TEXT = 30_000

request_id = contextvars.ContextVar("previewd_request_id", default=None)


class Records:
    """The side channel: what the program said, with the level and the exception that it said it with."""

    def __init__(self, fd):
        self.fd = fd
        self.lock = threading.RLock()

    def send(self, kind, **fields):
        self.send_all([{"kind": kind, **fields}])

    def send_all(self, entries):
        """In as few pieces as can be: what was said at once is heard at once, however busy the machine is.

        No piece is longer than what stays whole beside those of other processes, unless a single entry is.
        """
        rid = request_id.get()
        piece = b""
        for entry in entries:
            if rid is not None:
                entry.setdefault("requestId", rid)
            line = json.dumps(entry, separators=(",", ":"), default=str).encode("utf-8", "replace") + b"\n"
            if piece and len(piece) + len(line) > select.PIPE_BUF:
                self.write(piece)
                piece = b""
            piece += line
        self.write(piece)

    def write(self, piece):
        with self.lock:
            while piece:
                piece = piece[os.write(self.fd, piece) :]


def shorten(text):
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " … (cut)"


def capture_logging(records):
    """Lets each record that a handler would print to a standard stream go through the side channel instead.

    What a terminal would show is what the log shows, once, and with its real level.
    """
    plain_emit, plain_handle = logging.StreamHandler.emit, logging.Handler.handle

    def emit(handler, record):
        stream = handler.stream
        if type(handler).format is not logging.Handler.format or stream not in (sys.stdout, sys.stderr):
            return plain_emit(handler, record)
        send(handler, record, stream)

    def handle(handler, record):
        # Rich draws tables for a terminal, from the same record.
        stream = getattr(getattr(handler, "console", None), "file", None)
        if type(handler).__module__ != "rich.logging" or stream not in (sys.stdout, sys.stderr):
            return plain_handle(handler, record)
        if handler.filter(record):
            send(handler, record, stream)
        return True

    def send(handler, record, stream):
        try:
            records.send(
                "log",
                level=record.levelname,
                levelno=record.levelno,
                logger=record.name,
                message=shorten(handler.format(record)),
                stream="stdout" if stream is sys.stdout else "stderr",
            )
        except RecursionError:
            raise
        except Exception:
            handler.handleError(record)

    logging.StreamHandler.emit = emit
    logging.Handler.handle = handle


# In place of the beginning of a line: it is longer than a record, and goes the way of everything else.
LONG = object()


class Spoken(io.TextIOWrapper):
    """A standard stream that tells which request a line was printed in."""

    def __init__(self, stream, name, records):
        # A forked stream believes to be what the zygote's was.
        unbuffered = io.FileIO(stream.fileno(), "w", closefd=False)
        super().__init__(unbuffered, encoding=stream.encoding, errors=stream.errors, write_through=True)
        self.spoken = name
        self.records = records
        self.partial = {}

    def write(self, text):
        rid = request_id.get()
        if rid is None:
            return super().write(text)
        speaker = (rid, threading.get_ident())
        begun = self.partial.pop(speaker, "")
        length = len(text)
        if begun is LONG:
            end, line_end, text = text.partition("\n")
            super().write(end + line_end)
            if not line_end:
                self.partial[speaker] = LONG
                return length
            begun = ""
        *lines, rest = (begun + text).split("\n")
        if len(rest) > MAX_TEXT or any(len(line) > MAX_TEXT for line in lines):
            super().write(begun + text)
            rest = LONG if rest else ""
            lines = []
        if rest:
            self.partial[speaker] = rest
        self.records.send_all({"kind": "print", "message": line, "stream": self.spoken} for line in lines)
        return length

    def end_lines(self, rid):
        """The rest of what a request printed, which has no line end."""
        for speaker in [speaker for speaker in list(self.partial) if speaker[0] == rid]:
            rest = self.partial.pop(speaker, LONG)
            if rest is not LONG:
                self.records.send("print", message=rest, stream=self.spoken, requestId=rid)


def end_lines(rid):
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Spoken):
            stream.end_lines(rid)


def follow_requests(records):
    """Lets what a request prints, and the threads that it starts, name it."""
    sys.stdout = Spoken(sys.stdout, "stdout", records)
    sys.stderr = Spoken(sys.stderr, "stderr", records)
    plain_start, plain_submit = threading.Thread.start, concurrent.futures.ThreadPoolExecutor.submit

    def start(thread):
        rid = request_id.get()
        if rid is not None:
            thread.run = naming(rid, thread.run)
        plain_start(thread)

    # A pool's thread works for many requests, one after the other.
    def submit(pool, function, /, *args, **kwargs):
        return plain_submit(pool, naming(request_id.get(), function), *args, **kwargs)

    threading.Thread.start = start
    concurrent.futures.ThreadPoolExecutor.submit = submit


def naming(rid, function):
    @functools.wraps(function)
    def named(*args, **kwargs):
        token = request_id.set(rid)
        try:
            return function(*args, **kwargs)
        finally:
            end_lines(rid)
            request_id.reset(token)

    return named
