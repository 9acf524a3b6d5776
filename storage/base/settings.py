"""Settings: one frozen object, read once from the environment by `run.py` and passed down.

Every number has its unit in the name and its reason beside it. README lists them all (a test compares).
Rules of a business line (timers, fees) live with that line; this file holds what the machine room needs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

PREFIX = "FIELDHUB_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may set; the variable is `FIELDHUB_` + the field's name in capitals."""

    # Where things are
    host: str = "127.0.0.1"  # loopback: a first start must not open the machine to its network
    port: int = 8080  # one port for sockets, REST and pages
    data_dir: str = ".fieldhub"  # embedded engines, generated secret; never needed with outside engines
    database_url: str = ""  # empty: embedded PostgreSQL
    redis_url: str = ""  # empty: embedded Redis

    # Mode
    dev: bool = True  # dev: sign-in answers carry `dev_code`, demo data is seeded; set 0 in production
    secret: str = ""  # signs tokens and cursors, ≥ 32 characters; empty in dev: generated once under data_dir
    sms_url: str = ""  # HTTP endpoint of the code sender; required when dev is off
    allowed_origins: str = ""  # comma-separated browser origins; empty: same origin only
    tls_certificate: str = ""  # PEM file with the chain; empty: a proxy in front encrypts
    tls_key: str = ""  # PEM file of its key
    trusted_proxies: str = ""  # comma-separated addresses whose X-Forwarded-For is believed
    tile_url: str = ""  # map tiles as https://…/{z}/{x}/{y}.png; empty: vectors only

    # PostgreSQL
    db_pool_size: int = 16  # two cores saturate near eight busy connections; the rest wait on locks
    db_statement_timeout_ms: int = 10_000  # no request of ours is worth more than this
    db_lock_timeout_ms: int = 5_000  # a longer wait is a fault, not a queue

    # Facts
    relay_poll_ms: int = 20  # how soon a fact of another process is seen; our own commits poke at once
    relay_batch_max: int = 500  # facts moved to the feed in one statement
    feed_window_s: int = 86_400  # HS-210: missed events are replayed for 24 h
    feed_gap_max: int = 500  # a longer gap is cheaper to read over REST: `resync`

    # Deadlines and jobs
    jobs_poll_ms: int = 100  # lateness stays ≤ 200 ms even when a poke is lost
    jobs_parallel_max: int = 8  # handlers at once; each holds one connection
    jobs_lease_s: int = 5  # after a crash another runner takes a claimed job this much later
    jobs_attempts_max: int = 12  # with back-off to 300 s: about 40 minutes of trying, then it is parked for a person

    # Tokens
    access_ttl_s: int = 900  # 15 min: short enough to forget, long enough not to hammer refresh
    refresh_ttl_s: int = 2_592_000  # 30 days without use ends a session
    code_ttl_s: int = 300  # a sign-in code lives 5 min
    code_tries_max: int = 5  # 6 digits, 5 tries: 1 in 200,000 to guess
    code_resend_s: int = 60  # between two codes for one phone
    code_per_hour_max: int = 5  # per phone: texts cost money
    code_per_address_max: int = 30  # per address and hour: one office behind one address still works

    # Sockets
    socket_buffer_bytes_max: int = 262_144  # a phone that lags further behind resumes from the feed instead
    socket_connect_timeout_s: int = 5  # a connection that does not say who it is by then is closed
    socket_payload_bytes_max: int = 65_536  # largest message a client may send
    socket_count_max: int = 20_000  # sessions of one process: what one core serves with ease, some 200 MB
    socket_per_address_max: int = 5_000  # sessions from one address: a carrier's NAT hides thousands of phones
    socket_per_account_max: int = 10  # sockets of one account in one app; beyond, the oldest is closed: `replaced`
    presence_lease_s: int = 120  # silence after which an online worker is taken off the pool
    drain_s: int = 8  # SIGTERM to exit; balancers usually allow 10 s

    # REST
    request_bytes_max: int = 1_048_576  # largest HTTP body: 1 MiB
    requests_per_minute_max: int = 1_200  # per principal or address; a busy app stays below 10 a second for long
    idempotency_keep_s: int = 259_200  # 72 h: longer than any payment channel repeats

    # Files
    file_bytes_max: int = 5_242_880  # 5 MiB: a photo of a phone's camera as it comes
    file_day_bytes_max: int = 52_428_800  # 50 MiB of one account in 24 h: more than a form full of photos each day

    # Payment channels; a channel without its merchant or application is not offered (422 method_unavailable)
    channel_notify_url: str = ""  # base of this server as channels reach it, https://…; needed with any channel
    channel_timeout_ms: int = 4_000  # one call; shorter than a job's lease, so that nobody starts it a second time
    channel_simulator_port: int = 0  # dev, and no channel set up: where `serve` runs the simulator; 0: any free port
    wechat_url: str = "https://api.mch.weixin.qq.com"  # WeChat Pay v3
    wechat_merchant_id: str = ""  # `mchid`; empty: no WeChat Pay
    wechat_app_id: str = ""  # `appid` the merchant is bound to
    wechat_key_file: str = ""  # PEM file of the merchant's private key
    wechat_key_serial: str = ""  # serial of that key's certificate
    wechat_api_key_file: str = ""  # file with the 32 bytes of the APIv3 key, which seals notifications
    wechat_platform_keys: str = ""  # serial=PEM file,… of WeChat's keys or certificates; several while they change
    alipay_url: str = "https://openapi.alipay.com/gateway.do"  # Alipay's gateway
    alipay_app_id: str = ""  # `app_id`; empty: no Alipay
    alipay_seller_id: str = ""  # `seller_id` that money must have come to
    alipay_key_file: str = ""  # PEM file of the application's private key
    alipay_public_key_file: str = ""  # PEM file of Alipay's public key or certificate

    # Positions
    position_ttl_s: int = 90  # an older fix does not make a worker eligible
    position_flush_ms: int = 250  # how often last-known positions go to Redis
    history_flush_ms: int = 2_000  # how often fixes are copied to PostgreSQL
    history_keep_days: int = 30  # location pings are kept 30 days

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read `FIELDHUB_*`. Raises ValueError naming the variable that cannot be read."""
        env = os.environ if env is None else env
        found: dict[str, object] = {}
        for field in fields(cls):
            raw = env.get(PREFIX + field.name.upper())
            if raw is not None and raw != "":
                found[field.name] = _parse(field.name, raw, type(field.default))
        settings = cls(**found)  # type: ignore[arg-type]  # _parse returns the field's own type
        settings.check()
        return settings

    def check(self) -> None:
        """Refuse values that cannot work together."""
        if not 0 < self.port < 65_536:
            raise ValueError(f"{PREFIX}PORT must be 1–65535")
        if not self.dev and len(self.secret) < 32:
            raise ValueError(f"{PREFIX}SECRET must have at least 32 characters outside dev mode")
        if not self.dev and not self.sms_url:
            raise ValueError(f"{PREFIX}SMS_URL is required outside dev mode: codes must reach phones")
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError(f"{PREFIX}TLS_CERTIFICATE and {PREFIX}TLS_KEY belong together")
        if self.presence_lease_s <= self.position_ttl_s:
            raise ValueError(f"{PREFIX}PRESENCE_LEASE_S must exceed {PREFIX}POSITION_TTL_S")

        self._check_channels()

    def _check_channels(self) -> None:
        """A channel is set up as a whole or not at all."""
        for name in ("wechat", "alipay"):
            told = {field.name: bool(getattr(self, field.name)) for field in fields(self)
                    if field.name.startswith(f"{name}_") and field.name != f"{name}_url"}  # fmt: skip
            missing = [PREFIX + field.upper() for field, is_set in told.items() if not is_set]
            if any(told.values()) and missing:
                raise ValueError(f"{name} also needs {', '.join(missing)}")
            if any(told.values()) and not self.channel_notify_url:
                raise ValueError(f"{PREFIX}CHANNEL_NOTIFY_URL is required with {name}: its news must reach us")

    @property
    def data_path(self) -> Path:
        return Path(self.data_dir).expanduser().resolve()


def _parse(name: str, raw: str, kind: type[object]) -> object:
    try:
        if kind is bool:
            return {"1": True, "true": True, "0": False, "false": False}[raw.lower()]
        return int(raw) if kind is int else raw
    except (ValueError, KeyError) as problem:
        raise ValueError(f"{PREFIX}{name.upper()}={raw!r} is not a valid {kind.__name__}") from problem
