"""HTTP edge of the pages: the shell, and the files by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import hdrs, web

from rest.pages.assets import NODE_MODULES, Asset, Assets, LibrariesMissing, load_assets
from rest.pages.shell import PARTS, Shell, render
from storage.base.log import log
from storage.base.settings import Settings

PAGES = tuple(PARTS)

FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
"""Kept, but compared by entity tag each time."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_pages(app: web.Application, settings: Settings, *, node_modules: Path = NODE_MODULES) -> None:
    """Mount every page and its files. Where the npm libraries are missing each page says so instead."""
    try:
        assets = load_assets(node_modules=node_modules)
    except LibrariesMissing as missing:
        log("pages.missing", level="warning", reason=str(missing))
        for name in PAGES:
            app.router.add_get(f"/{name}", tell_missing)
        return
    for name in PAGES:
        app.router.add_get(f"/{name}", page_handler(render(name, assets, settings)))
    app.router.add_get("/assets/{build}/{name:.+}", asset_handler(assets))


async def tell_missing(_request: web.Request) -> web.Response:
    """A page that cannot work, honestly."""
    text = "The libraries of this page are not installed. Run `npm ci` in the project folder and start again.\n"
    return web.Response(status=503, text=text, headers={hdrs.CACHE_CONTROL: "no-store"})


def page_handler(shell: Shell) -> Handler:
    """The shell holds no data of anybody: it may be kept and compared by its tag."""

    async def show(request: web.Request) -> web.StreamResponse:
        headers = {**shell.headers, hdrs.CACHE_CONTROL: ASK_AGAIN, hdrs.ETAG: f'"{shell.tag}"'}
        if _is_known(request, shell.tag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=shell.html, content_type="text/html", charset="utf-8", headers=headers)

    return show


def asset_handler(assets: Assets) -> Handler:
    """Files by name. Another build's address gets this build's file, but only for now: servers change one by one."""

    async def give(request: web.Request) -> web.StreamResponse:
        asset = assets.files.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        return _answer(request, asset, is_current=request.match_info["build"] == assets.build)

    return give


def _answer(request: web.Request, asset: Asset, *, is_current: bool) -> web.Response:
    zipped = asset.zipped if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower() else None
    tag = asset.tag if zipped is None else f"{asset.tag}-gz"
    headers = {
        hdrs.CACHE_CONTROL: FOR_EVER if is_current else ASK_AGAIN,
        hdrs.ETAG: f'"{tag}"',
        "X-Content-Type-Options": "nosniff",
    }
    if asset.zipped is not None:
        headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
    if _is_known(request, tag):
        return web.Response(status=304, headers=headers)
    headers[hdrs.CONTENT_TYPE] = asset.content_type
    if zipped is not None:
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(body=asset.raw if zipped is None else zipped, headers=headers)


def _is_known(request: web.Request, tag: str) -> bool:
    """Whether the browser has this content already (RFC 9110 §13.1.2: weak comparison)."""
    return any(known.value in (tag, "*") for known in request.if_none_match or ())
