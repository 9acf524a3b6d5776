"""Shells and files: what is served, how long it may be kept, and what cannot be reached."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rest.pages import add_pages
from rest.pages.assets import IMPORTS, LIBRARIES, NODE_MODULES, Assets, LibrariesMissing, load_assets
from rest.pages.shell import render, tile_origin
from storage.base.settings import Settings

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not (NODE_MODULES / "preact").exists(), reason="the npm libraries are not installed (npm ci)"
)


@pytest.fixture(scope="module")
def assets() -> Assets:
    return load_assets()


@pytest.fixture
async def client(aiohttp_client: Callable[..., Any]) -> Any:
    app = web.Application()
    add_pages(app, Settings())
    return await aiohttp_client(app, auto_decompress=False)


async def test_a_page_names_only_files_that_are_served(client: Any) -> None:
    page = await client.get("/map")
    text = (await page.read()).decode()
    addresses = set(re.findall(r'(?:href|src)="(/assets/[^"]+)"|"(/assets/[^"]+)"', text))
    names = {first or second for first, second in addresses}
    assert page.status == 200
    assert page.content_type == "text/html"
    assert len(names) > 15
    for name in names:
        assert (await client.get(name)).status == 200, name


async def test_every_import_of_our_modules_is_served(assets: Assets) -> None:
    for name, asset in assets.files.items():
        if name.startswith("lib/") or not name.endswith(".js"):
            continue
        for wanted in re.findall(r'^import .*?from "([^"]+)"|^\} from "([^"]+)"', asset.raw.decode(), re.MULTILINE):
            target = wanted[0] or wanted[1]
            if target.startswith("."):
                path = (Path("/") / name).parent / target
                assert str(path.resolve())[1:] in assets.files, f"{name} imports {target}"
            else:
                assert target in IMPORTS, f"{name} imports {target}"


async def test_the_policy_allows_the_import_map_and_no_other_inline_code(client: Any) -> None:
    page = await client.get("/map")
    policy = page.headers["Content-Security-Policy"]
    text = (await page.read()).decode()
    (import_map,) = re.findall(r'<script type="importmap">(.*?)</script>', text, re.DOTALL)
    digest = base64.b64encode(sha256(import_map.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert set(json.loads(import_map)["imports"]) == set(IMPORTS)
    assert not re.search(r"<[^>]+\s(?:on\w+|style)=", text)


@pytest.mark.parametrize("name", ["lib/leaflet.css", "lib/preact.js", "map/main.js", "lib/images/layers.png"])
async def test_a_file_is_kept_for_ever_and_compared_by_its_tag(client: Any, assets: Assets, name: str) -> None:
    first = await client.get(assets.address(name))
    again = await client.get(assets.address(name), headers={"If-None-Match": first.headers["ETag"]})
    assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert (again.status, await again.read()) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


async def test_text_travels_zipped_to_those_who_take_it(client: Any, assets: Assets) -> None:
    address = assets.address("lib/leaflet.js")
    zipped = await client.get(address, headers={"Accept-Encoding": "gzip"})
    plain = await client.get(address, headers={"Accept-Encoding": "identity"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(await zipped.read()) == await plain.read() == assets.files["lib/leaflet.js"].raw
    assert zipped.headers["ETag"] != plain.headers["ETag"]
    assert "Accept-Encoding" in plain.headers["Vary"]


async def test_the_page_itself_is_asked_for_again_each_time(client: Any) -> None:
    first = await client.get("/map")
    again = await client.get("/map", headers={"If-None-Match": first.headers["ETag"]})
    assert first.headers["Cache-Control"] == "no-cache"
    assert again.status == 304


async def test_another_builds_address_gives_the_file_but_not_for_ever(client: Any) -> None:
    answer = await client.get("/assets/0123456789abcdef/map/main.js")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "name",
    [
        "../map.html",
        "..%2fmap.html",
        "%2e%2e/%2e%2e/pyproject.toml",
        "/etc/passwd",
        "core/../../../pyproject.toml",
        "lib/preact/package.json",
        "preact/package.json",
        "map/",
        "map/main.js%00",
        "MAP/main.js",
    ],
)
async def test_nothing_else_can_be_reached(client: Any, assets: Assets, name: str) -> None:
    # yarl would tidy the path up; a client that attacks does not.
    from yarl import URL

    answer = await client.get(URL(f"/assets/{assets.build}/{name}", encoded=True))
    assert answer.status == 404


def test_a_changed_file_changes_every_address(tmp_path: Path, assets: Assets) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "a.js").write_text("export const a = 1;\n")
    (tmp_path / "core" / "notes.md").write_text("not served\n")
    first = load_assets(tmp_path, NODE_MODULES)
    (tmp_path / "core" / "a.js").write_text("export const a = 2;\n")
    second = load_assets(tmp_path, NODE_MODULES)
    assert first.build != second.build != assets.build
    assert first.address("lib/preact.js") != second.address("lib/preact.js")
    assert set(first.files) == {"core/a.js", *LIBRARIES}


def test_the_same_files_have_the_same_build_on_every_server(assets: Assets) -> None:
    assert load_assets().build == assets.build


async def test_without_the_libraries_the_page_says_what_to_do(
    aiohttp_client: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(LibrariesMissing):
        load_assets(node_modules=tmp_path)
    app = web.Application()
    add_pages(app, Settings(), node_modules=tmp_path)
    answer = await (await aiohttp_client(app)).get("/map")
    assert answer.status == 503
    assert "npm ci" in await answer.text()


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("", ""),
        ("https://tiles.example/{z}/{x}/{y}.png", "https://tiles.example"),
        ("http://127.0.0.1:9000/t/{z}/{x}/{y}.png?k=1", "http://127.0.0.1:9000"),
        ("https://{s}.tiles.example/{z}/{x}/{y}.png", "https://*.tiles.example"),
    ],
)
def test_the_policy_lets_tiles_in_from_their_server_only(assets: Assets, address: str, origin: str) -> None:
    shell = render("map", assets, Settings(tile_url=address))
    assert tile_origin(address) == origin
    assert f"img-src 'self' data: {origin}".rstrip() + ";" in shell.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "address",
    [
        "tiles.example/{z}/{x}/{y}",
        "https://tiles.example/",
        "javascript:alert(1)/{z}{x}{y}",
        "https://a; b/{z}/{x}/{y}",
    ],
)
def test_a_tile_address_that_cannot_work_stops_the_start(address: str) -> None:
    with pytest.raises(ValueError, match="TILE_URL"):
        tile_origin(address)


def test_a_tile_address_cannot_break_out_of_the_page(assets: Assets) -> None:
    shell = render("map", assets, Settings(tile_url='https://t.example/{z}/{x}/{y}"><script>alert(1)</script>'))
    assert b"<script>alert" not in shell.html


def test_the_lock_names_no_host_and_holds_what_package_json_asks_for() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["dependencies"]
    lock = (ROOT / "package-lock.json").read_text()
    locked = json.loads(lock)["packages"]
    assert "://" not in re.sub(r'"url": "https://(?:opencollective|github)\.com/[^"]*"', "", lock)
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert locked[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in row for path, row in locked.items() if path)


def test_each_library_served_belongs_to_a_locked_dependency() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["dependencies"]
    for_papers = {"@expo-google-fonts/noto-sans-sc"}  # the font of PDFs: read here, never served
    assert {file.split("/")[0] for file in LIBRARIES.values()} == set(wanted) - for_papers
