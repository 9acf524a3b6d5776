"""The files a page loads: read once, named by a fixed list, held in memory.

A request names a file, it never reaches the disk; so there is nothing to traverse. The build is a digest over all
names and contents and stands in every address (`/assets/<build>/<name>`): a file never changes under its address and
may be kept for ever, and the modules of one page always belong together.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

STATIC = Path(__file__).parent / "static"
NODE_MODULES = Path(__file__).parents[2] / "node_modules"

TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
"""Content types by suffix. A file of another kind is not served."""

COMPRESSED = {".css", ".js", ".svg"}

LIBRARIES: Mapping[str, str] = {
    "lib/preact.js": "preact/dist/preact.mjs",
    "lib/preact-hooks.js": "preact/hooks/dist/hooks.mjs",
    "lib/htm.js": "htm/dist/htm.module.js",
    "lib/leaflet.js": "leaflet/dist/leaflet-src.esm.js",
    "lib/leaflet.css": "leaflet/dist/leaflet.css",
    "lib/images/layers.png": "leaflet/dist/images/layers.png",
    "lib/images/layers-2x.png": "leaflet/dist/images/layers-2x.png",
    "lib/images/marker-icon.png": "leaflet/dist/images/marker-icon.png",
    "lib/socket.io.js": "socket.io-client/dist/socket.io.esm.min.js",
}
"""What of node_modules is served, and as what."""

IMPORTS: Mapping[str, str] = {
    "preact": "lib/preact.js",
    "preact/hooks": "lib/preact-hooks.js",
    "htm": "lib/htm.js",
    "leaflet": "lib/leaflet.js",
    "socket.io-client": "lib/socket.io.js",
}
"""The import map: what modules write, and the file it stands for."""


class LibrariesMissing(Exception):
    """The npm libraries are not installed; `npm ci` installs them."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. `tag` is an entity tag of its content, without quotes."""

    name: str
    content_type: str
    tag: str
    raw: bytes
    zipped: bytes | None


@dataclass(frozen=True, slots=True)
class Assets:
    """All files of a build."""

    build: str
    files: Mapping[str, Asset]

    def address(self, name: str) -> str:
        """Where the file is served. Raises KeyError: found at start, not by a browser."""
        return f"/assets/{self.build}/{self.files[name].name}"


def load_assets(static: Path = STATIC, node_modules: Path = NODE_MODULES) -> Assets:
    """Read every file. Raises LibrariesMissing naming the first library that is not there."""
    files: dict[str, Asset] = {}
    digest = sha256()
    for name, path in sorted(_listed(static, node_modules)):
        try:
            asset = _read(name, path)
        except FileNotFoundError:
            raise LibrariesMissing(f"{path} is missing") from None
        digest.update(f"{name} {asset.tag}\n".encode())
        files[name] = asset
    return Assets(digest.hexdigest()[:16], files)


def _listed(static: Path, node_modules: Path) -> Iterator[tuple[str, Path]]:
    for name, inside in LIBRARIES.items():
        yield name, node_modules / inside
    for path in static.rglob("*"):
        if path.suffix in TYPES and path.is_file():
            yield path.relative_to(static).as_posix(), path


def _read(name: str, path: Path) -> Asset:
    raw = path.read_bytes()
    suffix = Path(name).suffix
    # mtime 0: the twin of the same content has the same bytes everywhere, hence the same tag.
    zipped = gzip.compress(raw, mtime=0) if suffix in COMPRESSED else None
    return Asset(name, TYPES[suffix], sha256(raw).hexdigest()[:24], raw, zipped)
