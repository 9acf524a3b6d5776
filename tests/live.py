"""The real program as a child process: `run.py serve` on a free port with its own data directory."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 60


class Live:
    """A running fieldhub, or one part of it by its command (`hub`, `rest`, `worker`).

    `start` waits until it is ready; `stop` is Ctrl-C's sibling, `kill` is the power cut.
    """

    def __init__(self, data_dir: Path, *, part: str = "serve", port: int | None = None, **settings: str) -> None:
        self.data_dir = data_dir
        self.part = part
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = os.environ | {
            "FIELDHUB_PORT": str(self.port),
            "FIELDHUB_DATA_DIR": str(data_dir),
            **{f"FIELDHUB_{name.upper()}": value for name, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    @property
    def _log_path(self) -> Path:
        return self.data_dir / ("live.log" if self.part == "serve" else f"live-{self.part}-{self.port}.log")

    def start(self) -> Self:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "run.py"), self.part], cwd=ROOT, env=self.env, stdout=out, stderr=out,
                start_new_session=True,  # Ctrl-C is for the program on the terminal, which stops this one in its order
            )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"run.py {self.part} ended with {self.process.returncode}:\n{self.log[-3000:]}")
            if self.is_ready():
                return self
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"not ready after {START_TIMEOUT_S} s:\n{self.log[-3000:]}")

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=2) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def command(self, *arguments: str) -> str:
        """Run an operator's command against the same engines; its standard output."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "run.py"), *arguments],
            cwd=ROOT, env=self.env, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"run.py {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        return done.stdout

    def tokens(self, role: str, count: int) -> list[dict[str, Any]]:
        """Fresh accounts of this role with access tokens."""
        path = self.data_dir / f"tokens-{role}-{time.monotonic_ns()}.jsonl"
        self.command("accounts", "create", "--role", role, "--count", str(count), "--tokens", str(path))
        return [json.loads(line) for line in path.read_text().splitlines()]

    def stop(self, *, timeout_s: float = 30) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
