"""The HTML shell of a page: head, import map and settings, with the policy that allows exactly these and no more."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template

from rest.pages.assets import IMPORTS, Assets
from storage.base import codec
from storage.base.settings import Settings

TEMPLATES = Path(__file__).parent

PARTS: Mapping[str, tuple[str, ...]] = {
    "map": ("core", "map"),
    "desk": ("core", "chat", "desk"),
    "help": ("core", "chat", "help"),
}
"""Which folders of modules a page loads. Pages with `chat` show pictures from memory: they are read with a token."""

MAPLESS = frozenset({"help"})
"""Pages without a map: the library that draws one is not loaded."""

_TILE_ORIGIN = re.compile(r"(https?://)((?:\{s\}\.)?[A-Za-z0-9.-]+(?::\d{1,5})?)/")


@dataclass(frozen=True, slots=True)
class Shell:
    """A rendered page. `tag` is an entity tag, without quotes."""

    html: bytes
    tag: str
    headers: Mapping[str, str]


def render(name: str, assets: Assets, settings: Settings) -> Shell:
    """Fill `<name>.html`. Raises ValueError when the tile address cannot be understood."""
    imports = {module: assets.address(file) for module, file in IMPORTS.items()}
    import_map = codec.dumps({"imports": imports}).decode()
    html = Template((TEMPLATES / f"{name}.html").read_text("utf-8")).substitute(
        build=assets.build,
        import_map=import_map,
        preloads=_preloads(name, assets),
        tile_url=escape(settings.tile_url),
        dev="true" if settings.dev else "false",
    )
    raw = html.encode()
    policy = _policy(import_map, settings.tile_url, shows_pictures="chat" in PARTS[name])
    return Shell(raw, sha256(raw).hexdigest()[:24], _headers(policy))


def tile_origin(tile_url: str) -> str:
    """The source expression of a tile address for the policy; empty without tiles.

    >>> tile_origin("https://{s}.tiles.example/{z}/{x}/{y}.png")
    'https://*.tiles.example'
    """
    if not tile_url:
        return ""
    found = _TILE_ORIGIN.match(tile_url)
    if found is None or not all(part in tile_url for part in ("{z}", "{x}", "{y}")):
        raise ValueError("FIELDHUB_TILE_URL must look like https://host/{z}/{x}/{y}.png")
    return found[1] + found[2].replace("{s}", "*")


def _preloads(page: str, assets: Assets) -> str:
    """Modules named ahead, so that the browser fetches them at once and not one import after the other."""
    folders = tuple(f"{part}/" for part in PARTS[page])
    libraries = (name for name in IMPORTS.values() if page not in MAPLESS or "leaflet" not in name)
    wanted = (*libraries, *(name for name in assets.files if name.startswith(folders)))
    return "\n".join(
        f'<link rel="modulepreload" href="{assets.address(name)}">' for name in wanted if name.endswith(".js")
    )


def _policy(import_map: str, tile_url: str, *, shows_pictures: bool) -> str:
    digest = b64encode(sha256(import_map.encode()).digest()).decode()
    images = ["'self'", "data:", *(["blob:"] if shows_pictures else []), tile_origin(tile_url)]
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}'",
            "style-src 'self'",
            " ".join(["img-src", *images]).rstrip(),
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _headers(policy: str) -> Mapping[str, str]:
    return {
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        # Tile servers ask for the referring site; they need not know the page.
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
