"""README is true: its clients run as written, its settings are all there, its links lead somewhere."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import aiohttp
import pytest

from rest.lines.homeservice.rules import HomeserviceRules
from rest.money.invoices.rules import InvoiceRules
from rest.money.refunds.rules import RefundRules
from rest.money.withdrawals.rules import WithdrawalRules
from storage.base.settings import Settings
from tests.e2e.phone import Phone
from tests.e2e.test_life import post_order
from tests.live import ROOT, Live

README = (ROOT / "README.md").read_text()
CLIENTS = dict(re.findall(r"```(?:python|js)\n(?:#|//) (\w+\.\w+)\n(.*?)```", README, re.DOTALL))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with Live(tmp_path_factory.mktemp("readme")) as running:
        yield running


def start(name: str, folder: Path, live: Live, token: str) -> subprocess.Popen[str]:
    path = folder / name
    path.write_text(CLIENTS[name])
    program = [sys.executable] if name.endswith(".py") else [shutil.which("node") or "node"]
    env = os.environ | {"HUB": live.url, "TOKEN": token}
    return subprocess.Popen([*program, str(path)], env=env, stdout=subprocess.PIPE, text=True)


async def both_connected(live: Live) -> None:
    """A client hears what happens after it has connected; starting Node or Python takes a moment."""
    async with aiohttp.ClientSession() as http:
        for _ in range(200):
            async with http.get(f"{live.url}/metrics") as answer:
                text = await answer.text()
            if all(re.search(rf'fieldhub_sockets{{namespace="/{app}"}} [1-9]', text) for app in ("worker", "customer")):
                await asyncio.sleep(0.5)
                return
            await asyncio.sleep(0.1)
    raise AssertionError("the clients have not connected")


PAIRS = [("technician.py", "customer.mjs"), ("technician.mjs", "customer.py")]


@pytest.mark.parametrize(("technician", "customer"), PAIRS)
async def test_the_clients_of_the_readme_work_as_written(
    live: Live, tmp_path: Path, technician: str, customer: str
) -> None:
    if shutil.which("node") is None or not (ROOT / "node_modules/socket.io-client").exists():
        pytest.skip("node or its libraries are missing: run `make test`")
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    worker, person = live.tokens("technician", 1)[0], live.tokens("user", 1)[0]
    clients = ((technician, worker), (customer, person))
    running = [start(name, tmp_path, live, who["access_token"]) for name, who in clients]
    phone = Phone(live.url, person["access_token"])
    try:
        await both_connected(live)
        order = await post_order(phone)
        ends = time.monotonic() + 45
        while (await phone.get(f"/v1/orders/{order['id']}"))["status"] != "pending_payment":
            assert time.monotonic() < ends, "the customer's client has not chosen"
            await asyncio.sleep(0.2)
    finally:
        for process in running:
            process.terminate()
        said = [process.communicate()[0] for process in running]
        await phone.close()
        worker_phone = Phone(live.url, worker["access_token"])
        await worker_phone.post("/v1/partner/offline", keyed=False)
        await worker_phone.close()
    assert "grabbed" in said[0]
    assert "chosen" in said[1]


def test_the_readme_has_all_four_clients_of_about_ten_lines() -> None:
    assert set(CLIENTS) == {"technician.py", "customer.py", "technician.mjs", "customer.mjs"}
    assert all(len(text.strip().splitlines()) <= 14 for text in CLIENTS.values())


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [
        (Settings, "FIELDHUB_"),
        (HomeserviceRules, "FIELDHUB_HOMESERVICE_"),
        (WithdrawalRules, "FIELDHUB_WITHDRAWAL_"),
        (RefundRules, "FIELDHUB_REFUND_"),
        (InvoiceRules, "FIELDHUB_INVOICE_"),
    ],
)
def test_every_setting_is_in_the_readme_with_its_default(kind: type, prefix: str) -> None:
    missing = []
    for field in fields(kind):
        row = re.search(rf"\| `{prefix}{field.name.upper()}` \| `([^`]*)` \|", README)
        default = field.default
        if row is None or row.group(1).strip().replace("_", "") != str(default).replace("_", ""):
            missing.append(f"{prefix}{field.name.upper()} = {default}")
    assert missing == []


def test_the_links_of_all_documents_lead_somewhere() -> None:
    broken = []
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text()):
            if "://" not in target and not (document.parent / target).exists():
                broken.append(f"{document.name}: {target}")
    assert broken == []
