"""The simulator by itself, and fieldhub started with it: settings, the page, news sent without being told to."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from rest.money.channels import open_channels
from rest.money.channels.model import Prepay
from rest.money.channels.simulator import Identity, Simulator, channel_fields, make_identity, settings_of, simulated
from storage.base.clock import SystemClock
from storage.base.settings import PREFIX, Settings
from tests.conftest import SECRET
from tests.edge.conftest import serving
from tests.live import ROOT, Live, free_port


def test_keys_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    first, again = make_identity(tmp_path / "a"), make_identity(tmp_path / "a")
    assert first.api_key == again.api_key
    assert first.merchant_key.private_numbers() == again.merchant_key.private_numbers()
    for path in (tmp_path / "a").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_a_start_in_dev_mode_pretends_and_others_do_not(settings: Settings) -> None:
    found, port = simulated(settings)
    found.check()
    assert port
    assert found.wechat_url == f"http://127.0.0.1:{port}"
    assert open_channels(found, SystemClock()).names == {"wechat", "alipay"}
    assert open_channels(settings, SystemClock()).names == frozenset()
    for other in (replace(settings, dev=False), found, replace(settings, tls_certificate="x", tls_key="y")):
        assert simulated(other) == (other, 0)


def test_other_processes_get_the_same_channels_by_their_environment(settings: Settings) -> None:
    found, _ = simulated(settings)
    env = {PREFIX + name.upper(): value for name, value in channel_fields(found).items()}
    there = Settings.from_env({**env, "FIELDHUB_SECRET": SECRET, "FIELDHUB_DATA_DIR": settings.data_dir})
    assert channel_fields(there) == channel_fields(found)


@pytest.mark.parametrize("name", ["wechat_app_id", "wechat_platform_keys", "alipay_seller_id", "channel_notify_url"])
def test_half_a_channel_is_refused_at_start(settings: Settings, identity: Identity, name: str) -> None:
    whole = settings_of(settings, identity, url="http://x", notify_url="http://y")
    whole.check()
    with pytest.raises(ValueError, match=(PREFIX + name).upper()):
        replace(whole, **{name: ""}).check()


async def test_news_is_sent_at_once_and_again_until_it_is_taken(settings: Settings, identity: Identity) -> None:
    from datetime import timedelta

    heard: list[str] = []
    all_heard = asyncio.Event()

    async def hear(request: web.Request) -> web.Response:
        heard.append(request.path)
        all_heard.set()
        return web.Response(text="success")

    clock, app = SystemClock(), web.Application()
    app.router.add_post("/v1/notify/{channel}", hear)
    simulator = await Simulator(identity, clock, auto=True).start()
    try:
        async with serving(app) as base:
            channels = open_channels(settings_of(settings, identity, url=simulator.url, notify_url=base), clock)
            wanted = Prepay(
                out_trade_no="pay_1", amount_fen=1, description="x", payer=None,
                expires_at=clock.now() + timedelta(minutes=3),
            )  # fmt: skip
            await channels.get("alipay").prepay(wanted)
            await channels.close()
            async with ClientSession() as session:
                async with session.get(simulator.url) as page:
                    assert "fetch" in await page.text()
                async with session.post(f"{simulator.url}/control/trades/alipay/pay_1/pay") as answer:
                    assert (await answer.json())["state"] == "paid"
                async with session.post(f"{simulator.url}/control/trades/alipay/pay_2/pay") as answer:
                    assert answer.status == 404
            async with asyncio.timeout(20):
                await all_heard.wait()
                while simulator.bank.owed():
                    await asyncio.sleep(0.01)
    finally:
        await simulator.stop()
    assert heard == ["/v1/notify/alipay"]


@pytest.mark.timeout(120)
def test_a_person_can_try_paying_right_after_the_start(engine_dir: Path) -> None:
    """`serve` in dev mode says where the cashier is, and takes news from there: forged is 401, not 404."""
    with Live(engine_dir / "cashier") as live:
        cashier = re.search(r"cashier\s+(http://127\.0\.0\.1:\d+)/", live.log)
        assert cashier is not None
        with urllib.request.urlopen(cashier[1], timeout=5) as page:
            assert b"Channel simulator" in page.read()
        request = urllib.request.Request(f"{live.url}/v1/notify/wechat", data=b"{}", method="POST")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request, timeout=5)
        assert live.stop() == 0


@pytest.mark.timeout(60)
def test_the_simulator_as_a_program_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    env = {**os.environ, "FIELDHUB_DATA_DIR": str(tmp_path)}
    command = [sys.executable, str(ROOT / "run.py"), "channels", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2):
                    break
            except OSError:
                time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    shown = dict(re.findall(r"export (FIELDHUB_\w+)='(.*)'", said))
    assert Settings.from_env({**shown, "FIELDHUB_SECRET": SECRET}).wechat_url == f"http://127.0.0.1:{port}"
