"""What the application gives people's routes: keys, gate, and who of the workers an account is."""

from __future__ import annotations

from aiohttp import web

from rest.people.auth import Keys
from rest.people.gate import SessionGate
from storage.base.settings import Settings
from storage.postgres import Database
from storage.tx import Tx


class WorkerFinder:
    """Knows the worker an account is. People do not know dispatch: the application gives its finder."""

    async def worker_id_of(self, _tx: Tx, _account_id: str) -> str | None:
        """None: nobody is a worker where no dispatch is wired in."""
        return None


KEYS = web.AppKey("people_keys", Keys)
GATE = web.AppKey("people_gate", SessionGate)
WORKERS = web.AppKey("people_workers", WorkerFinder)


def wire(app: web.Application, db: Database, settings: Settings, workers: WorkerFinder | None = None) -> SessionGate:
    """Put people's parts into the application; its gate."""
    keys = Keys(settings.secret)
    app[KEYS] = keys
    app[GATE] = SessionGate(db, keys)
    app[WORKERS] = workers or WorkerFinder()
    return app[GATE]
