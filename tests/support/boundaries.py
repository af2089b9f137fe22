"""Where a process changes the world outside itself, found by watching and not by a list of places.

``install`` wraps the few doors that every write must pass: psycopg's senders, the file calls of ``os`` and ``open``,
http.client. Each passage is a boundary with a number; a plan says what happens at one of them. A write that is added
to the engine tomorrow passes the same doors.
"""

import builtins
import http.client
import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import _copy, _cursor_base, client_cursor
from psycopg.pq import TransactionStatus

FLAVOURS: Final = (
    *("none", "kill_before", "kill_after", "lost"),
    *("pause_before", "pause_after", "term_before", "term_after"),
)
_READ_RPC: Final = re.compile(
    r"^(eth_(call|get|blockNumber|chainId|estimateGas|gasPrice|feeHistory|syncing)|net_|web3_)"
)
_READ_SQL: Final = re.compile(r"^\s*(SELECT|WITH|VALUES|TABLE|SHOW|SET|RESET|EXPLAIN|DECLARE|FETCH|CLOSE)\b", re.I)
_WRITING_WORD: Final = re.compile(
    r"\b(INSERT|UPDATE|DELETE|MERGE|INTO|NEXTVAL|SETVAL|FOR\s+(NO\s+KEY\s+)?UPDATE|FOR\s+(KEY\s+)?SHARE|PG_ADVISORY\w*|"
    r"PG_NOTIFY|DBLINK\w*)\b",
    re.I,
)
# Of the commands that psycopg sends by itself: BEGIN and SAVEPOINT change nothing yet, FETCH and CLOSE never do.
_COMMAND: Final = re.compile(r"^\s*(?!BEGIN|SAVEPOINT|RELEASE|FETCH|MOVE|CLOSE)", re.I)
_FILE_CALLS: Final = (
    *("fsync", "fdatasync", "rename", "replace", "renames", "link", "symlink", "unlink", "remove", "mkdir", "makedirs"),
    *("rmdir", "removedirs", "truncate", "ftruncate", "chmod", "fchmod", "chown", "mkfifo", "mknod", "utime"),
    *("posix_fallocate", "sendfile", "copy_file_range"),
)
_WRITE_FLAGS: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# What the audit hook may see without one of our doors around it.
_AUDITED: Final = frozenset(
    f"os.{name}"
    for name in ("rename", "remove", "link", "mkdir", "rmdir", "symlink", "truncate", "chmod", "chown", "utime")
)


@dataclass(frozen=True)
class Boundary:
    """One passage. ``is_durable``: when it has happened, the world outside has changed for good."""

    number: int
    kind: str  # sql commit file send
    label: str
    is_durable: bool


@dataclass(frozen=True)
class Plan:
    """What happens at which boundary.

    ``lost``: it happens, but the connection breaks before the answer is read. ``pause_*``: the process tells the
    test, and goes on or dies as the test answers. ``term_*``: the process is asked to end (SIGTERM).
    """

    flavour: str = "none"
    at: int = 0


class Watch:
    """Counts the boundaries of this process and carries out the plan."""

    def __init__(self, plan: Plan, trace_fd: int, ask: Callable[[dict[str, Any]], str]) -> None:
        self._plan = plan
        self._trace_fd = trace_fd
        self._ask = ask
        self._count = 0
        self._inside = 0
        self.writing_functions: frozenset[str] | None = None

    def before(self, kind: str, label: str, *, is_durable: bool) -> Boundary:
        """A boundary is about to be passed."""
        self._count += 1
        boundary = Boundary(self._count, kind, f"{_who()}: {label}", is_durable)
        self._write({"number": boundary.number, "kind": kind, "label": boundary.label, "is_durable": is_durable})
        self._act(boundary, "before")
        return boundary

    def after(self, boundary: Boundary) -> bool:
        """It has been passed; true when its answer is to be lost."""
        self._act(boundary, "after")
        return self._plan.flavour == "lost" and boundary.number == self._plan.at

    @contextmanager
    def around(self, kind: str, label: str, *, is_durable: bool) -> Iterator[None]:
        """Both, around one call. What a call does inside itself is not another boundary."""
        if self._inside:
            yield
            return
        boundary = self.before(kind, label, is_durable=is_durable)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self.after(boundary)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The interpreter's own word on file changes: one that came through no door of ours is written down."""
        if self._inside:
            return
        changes = event in _AUDITED
        if event == "open":
            path, mode, flags = arguments
            by_mode = isinstance(mode, str) and not set(mode).isdisjoint("wax+")
            by_flags = mode is None and isinstance(flags, int) and bool(flags & _WRITE_FLAGS)
            changes = (by_mode or by_flags) and not str(path).startswith(("/dev/", "/proc/")) and path != self._trace_fd
            # A file object over an open descriptor creates nothing: the descriptor was opened before.
            changes = changes and not isinstance(path, int)
        if changes and "__pycache__" not in str(arguments[0]):
            self._write({"unseen": f"{event} {arguments[0]}"})

    def _act(self, boundary: Boundary, moment: str) -> None:
        if boundary.number != self._plan.at:
            return
        if self._plan.flavour == f"kill_{moment}":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._plan.flavour == f"term_{moment}":
            os.kill(os.getpid(), signal.SIGTERM)
        if self._plan.flavour == f"pause_{moment}" and self._ask({"paused": boundary.label}) == "die":
            os.kill(os.getpid(), signal.SIGKILL)

    def _write(self, document: dict[str, Any]) -> None:
        os.write(self._trace_fd, json.dumps(document).encode() + b"\n")


def install(watch: Watch) -> None:
    """Put the doors in place, in this process, for good."""
    _watch_sql(watch)
    _watch_files(watch)
    _watch_http(watch)
    sys.addaudithook(watch.audit)


# -- SQL -------------------------------------------------------------------------------------------------------------


def _watch_sql(watch: Watch) -> None:
    open_ones: list[tuple[Boundary, Any]] = []
    inner_wait = psycopg.Connection.wait

    def wait(self: psycopg.Connection[Any], gen: Any, *args: Any, **kwargs: Any) -> Any:
        mark = len(open_ones)
        try:
            return inner_wait(self, gen, *args, **kwargs)
        finally:
            # The server's answers have arrived: these statements are behind us.
            passed = open_ones[mark:]
            del open_ones[mark:]
            for boundary, pgconn in passed:
                if watch.after(boundary):
                    _lose(pgconn)

    def send(inner: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            text = query.query.decode("utf-8", "replace")
            if _writes(watch, self._conn, text):
                alone = self._conn.pgconn.transaction_status == TransactionStatus.IDLE
                boundary = watch.before("sql", _short(text), is_durable=alone)
                open_ones.append((boundary, self._conn.pgconn))
            return inner(self, query, *args, **kwargs)

        return wrapped

    def send_prepared(inner: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Any, name: bytes, query: Any, *args: Any, **kwargs: Any) -> Any:
            return send(lambda self, query: inner(self, name, query, *args, **kwargs))(self, query)

        return wrapped

    def command(inner: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Any, text: Any, *args: Any, **kwargs: Any) -> Any:
            shown = (text if isinstance(text, bytes) else text.as_bytes(self)).decode("utf-8", "replace")
            if not _COMMAND.match(shown):
                return (yield from inner(self, text, *args, **kwargs))
            is_commit = shown.upper().startswith("COMMIT")
            boundary = watch.before("commit" if is_commit else "sql", _short(shown), is_durable=is_commit)
            result = yield from inner(self, text, *args, **kwargs)
            if watch.after(boundary):
                _lose(self.pgconn)
            return result

        return wrapped

    psycopg.Connection.wait = wait  # type: ignore[method-assign]
    for cursor in (_cursor_base.BaseCursor, client_cursor.ClientCursorMixin):
        cursor._execute_send = send(cursor._execute_send)  # type: ignore[method-assign]
    base: Any = _cursor_base.BaseCursor
    base._send_query_prepared = send_prepared(base._send_query_prepared)
    connection: Any = psycopg.Connection
    connection._exec_command = command(connection._exec_command)
    writer: Any = _copy.LibpqWriter
    for name in ("write", "finish"):
        setattr(writer, name, _around(watch, "sql", f"COPY {name}", getattr(writer, name)))


def _lose(pgconn: Any) -> None:
    pgconn.finish()
    raise psycopg.OperationalError("the connection was lost before the answer was read")


def _writes(watch: Watch, conn: Any, text: str) -> bool:
    if not _READ_SQL.match(text):
        return True
    if _WRITING_WORD.search(text):
        return True
    return any(re.search(rf"\b{name}\s*\(", text) for name in _writing_functions(watch, conn))


def _writing_functions(watch: Watch, conn: Any) -> frozenset[str]:
    """Functions of the schema that may write: a SELECT that calls one is a write. Asked once, on a line of its own."""
    if watch.writing_functions is None:
        watch.writing_functions = frozenset()
        asked = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND provolatile = 'v'"
        with psycopg.connect(conn.info.dsn, password=conn.info.password, autocommit=True) as other:
            watch.writing_functions = frozenset(re.escape(name) for (name,) in other.execute(asked))
    return watch.writing_functions


# -- files -----------------------------------------------------------------------------------------------------------


def _watch_files(watch: Watch) -> None:
    for name in _FILE_CALLS:
        if hasattr(os, name):
            inner = getattr(os, name)
            setattr(os, name, _around_file(watch, f"os.{name}", inner))
    os_open, io_open = os.open, io.open

    def open_fd(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if not flags & _WRITE_FLAGS or str(path).startswith(("/dev/", "/proc/")):
            return os_open(path, flags, *args, **kwargs)
        with watch.around("file", f"os.open {_name(path)}", is_durable=True):
            return os_open(path, flags, *args, **kwargs)

    def open_file(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if set(mode).isdisjoint("wax+") or isinstance(file, int) or str(file).startswith(("/dev/", "/proc/")):
            return io_open(file, mode, *args, **kwargs)
        with watch.around("file", f"open {_name(file)}", is_durable=True):
            return io_open(file, mode, *args, **kwargs)

    os.open = open_fd
    io.open = builtins.open = open_file


def _around_file(watch: Watch, name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        # A folder that is there already, or a file that is not, changes nothing, but who knows before.
        shown = " ".join(_name(each) for each in args if not isinstance(each, int))
        with watch.around("file", f"{name} {shown}".rstrip(), is_durable=True):
            return inner(*args, **kwargs)

    return wrapped


def _around(watch: Watch, kind: str, label: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with watch.around(kind, label, is_durable=False):
            return inner(*args, **kwargs)

    return wrapped


# -- HTTP ------------------------------------------------------------------------------------------------------------


def _watch_http(watch: Watch) -> None:
    connection: Any = http.client.HTTPConnection
    inner_send, inner_response = connection.send, connection.getresponse

    def send(self: Any, data: Any) -> Any:
        label = _sent(data)
        if label is not None:
            self._bo_boundary = watch.before("send", label, is_durable=True)
        return inner_send(self, data)

    def getresponse(self: Any, *args: Any, **kwargs: Any) -> Any:
        boundary = self.__dict__.pop("_bo_boundary", None)
        response = inner_response(self, *args, **kwargs)
        if boundary is not None:
            response.peek(1)  # the answer has been made: what we sent has happened
            if watch.after(boundary):
                self.close()
                raise ConnectionResetError("the connection was lost before the answer was read")
        return response

    connection.send, connection.getresponse = send, getresponse


def _sent(data: Any) -> str | None:
    """The label of a body that may change something; None for headers and for calls that only read."""
    if not isinstance(data, bytes | bytearray):
        return "a streamed body"
    if re.match(rb"[A-Z]+ \S+ HTTP/1", bytes(data[:200])):
        return None
    try:
        document = json.loads(data)
    except ValueError:
        return "a body that is no JSON"
    calls = document if isinstance(document, list) else [document]
    methods = [str(call.get("method")) if isinstance(call, dict) else "?" for call in calls]
    return None if all(_READ_RPC.match(method) for method in methods) else f"send {' '.join(methods)}"


# -- names -----------------------------------------------------------------------------------------------------------


def _who() -> str:
    """The nearest service or worker above us, and the store below it: who does this."""
    frame = sys._getframe(2)
    found: list[str] = []
    while frame is not None and len(found) < 2:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(("services.", "workers.", "io_layer.", "cli.")) and ".postgres." not in module:
            layer = module.partition(".")[0]
            if not found or not found[-1].startswith(layer):
                found.append(f"{module}.{frame.f_code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]
    return " < ".join(found) or "?"


def _short(text: str) -> str:
    return " ".join(text.split())[:70]


def _name(path: Any) -> str:
    # A temporary name holds the process' number, which differs each time.
    return re.sub(r"\d{2,}-", "PID-", Path(path).name) if isinstance(path, str | os.PathLike) else ""
