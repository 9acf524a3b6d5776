"""GET /openapi.json, GET /docs (a page of our own, nothing from elsewhere) and GET /problems/{code}."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from aiohttp import hdrs, web

from rest.edge.catalogue import catalogue
from rest.edge.errors import NotFound
from rest.edge.openapi import document
from rest.edge.registry import Route
from rest.edge.reply import JSON
from rest.edge.versions import is_known
from storage.base import codec

PAGE = Path(__file__).parent / "page"
FILES = {
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    "/docs/docs.css": ("docs.css", "text/css; charset=utf-8"),
    "/docs/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_documents(app: web.Application, routes: Sequence[Route], *, version: str) -> None:
    """Mount the document of these routes and the page that shows it."""
    contract = document(routes, version=version)
    contract["x-problems"] = [asdict(entry) for entry in catalogue()]
    app.router.add_get("/openapi.json", _constant(codec.dumps(contract), JSON))
    for path, (name, content_type) in FILES.items():
        app.router.add_get(path, _constant((PAGE / name).read_bytes(), content_type))
    app.router.add_get("/problems/{code}", explain)


async def explain(request: web.Request) -> web.StreamResponse:
    """The `type` of a problem leads here: what the code means."""
    code = request.match_info["code"]
    entry = next((entry for entry in catalogue() if entry.code == code), None)
    if entry is None:
        raise NotFound
    if "text/html" in request.headers.get(hdrs.ACCEPT, ""):
        raise web.HTTPFound(f"/docs#problem-{code}")
    return web.Response(body=codec.dumps(asdict(entry)), content_type=JSON)


def _constant(body: bytes, content_type: str) -> Handler:
    """An answer that changes with the release only; kept by browsers, but asked about each time."""
    tag = f'"{sha256(body).hexdigest()[:16]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "no-cache",
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
    }

    async def answer(request: web.Request) -> web.StreamResponse:
        if is_known(request.headers.get(hdrs.IF_NONE_MATCH), tag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers={**headers, "Content-Type": content_type})

    return answer
