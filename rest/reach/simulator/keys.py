"""Who we are in the pretended world: secrets made on the first start, kept in a folder, and named in our settings."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from rest.money.channels.simulator.keys import free_port
from rest.reach.kinds import KINDS
from rest.reach.model import Channel
from storage.base.settings import Settings

FOLDER = "simulator"
"""Of the data directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Names and secrets both sides agree on."""

    folder: Path
    jpush_secret: str
    aliyun_secret: str
    mini_secret: str
    wecom_key: str
    jpush_app_key: str = "8103a4c628a0b98974ec1949"
    aliyun_key_id: str = "LTAIsimulator"
    aliyun_sign: str = "嘀咚"
    mini_app_id: str = "wx00000000simulator"


def make_identity(folder: Path) -> Identity:
    """The secrets of this folder, made when they are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("jpush_secret", "aliyun_secret", "mini_secret", "wecom_key")
    return Identity(folder=folder, **{name: _secret(folder / name) for name in names})


def _secret(path: Path) -> str:
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_hex(16))
    return path.read_text("utf-8")


def settings_of(settings: Settings, identity: Identity, *, url: str) -> Settings:
    """The settings with every channel at this simulator."""
    folder = identity.folder
    sms = [kind for kind, rule in KINDS.items() if Channel.SMS in rule.channels]
    wechat = [kind for kind, rule in KINDS.items() if Channel.WECHAT in rule.channels]
    return replace(
        settings,
        jpush_url=url,
        jpush_app_key=identity.jpush_app_key,
        jpush_secret_file=str(folder / "jpush_secret"),
        aliyun_url=f"{url}/aliyun/",
        aliyun_access_key_id=identity.aliyun_key_id,
        aliyun_secret_file=str(folder / "aliyun_secret"),
        aliyun_sms_sign=identity.aliyun_sign,
        aliyun_sms_templates=",".join(f"{kind}=SMS_{n}" for n, kind in enumerate(sms, 1)),
        mini_url=url,
        mini_app_id=identity.mini_app_id,
        mini_secret_file=str(folder / "mini_secret"),
        mini_templates=",".join(f"{kind}=tmpl-{kind}/thing1/thing2" for kind in wechat),
        wecom_url=url,
        wecom_robot_key_file=str(folder / "wecom_key"),
    )


def simulated(settings: Settings) -> tuple[Settings, int]:
    """For a start in dev mode with no channel set up: the settings with all at a simulator here, and its port.

    Port 0: something real is set up, and nothing is to be pretended.
    """
    is_set_up = (
        settings.jpush_app_key or settings.aliyun_access_key_id or settings.mini_app_id or settings.wecom_robot_key_file
    )
    if not settings.dev or is_set_up:
        return settings, 0
    port = settings.notice_simulator_port or free_port()
    identity = make_identity(settings.data_path / FOLDER)
    return settings_of(settings, identity, url=f"http://127.0.0.1:{port}"), port
