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

NOTICE_CHANNELS: Mapping[str, tuple[str, ...]] = {
    "jpush": ("jpush_app_key", "jpush_secret_file"),
    "aliyun": ("aliyun_access_key_id", "aliyun_secret_file", "aliyun_sms_sign"),
    "mini": ("mini_app_id", "mini_secret_file"),
}
"""What each way of telling people needs."""


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

    # Papers: each is made in a process of its own
    export_rows_max: int = 100_000  # more is a question for the database, not for a spreadsheet
    export_bytes_max: int = 20_971_520  # 20 MiB: a spreadsheet of that many rows has 8
    export_timeout_s: int = 120  # then the process that makes it is killed
    export_keep_s: int = 604_800  # 7 days to download it; it can be made again
    pdf_font_file: str = ""  # TrueType font with Chinese; empty: the one in node_modules

    # Payment channels; a channel without its merchant or application is not offered (422 method_unavailable)
    channel_notify_url: str = ""  # base of this server as channels reach it, https://…; needed with any channel
    channel_timeout_ms: int = 4_000  # one call; shorter than a job's lease, so that nobody starts it a second time
    channel_fee_wechat_bps: int = 60  # what WeChat keeps by contract, 1/100 %: its bill is checked against it
    channel_fee_alipay_bps: int = 60  # what Alipay keeps by contract, 1/100 %; 60 is what most merchants pay
    channel_share_max_bps: int = 3_000  # 30 % of a trade: what channels let a merchant share unless they agree to more
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

    # Notifications; a channel without its key is not used. Templates are kind=template,…: only these kinds go that way
    notice_timeout_ms: int = 2_000  # one call; two of them are shorter than a job's lease, so that nobody starts again
    notice_attempts_max: int = 8  # with back-off from 2 s: about four minutes of trying, then it is given up
    notice_sms_per_account_day_max: int = 5  # texts cost money, and more than this is a nuisance
    notice_sms_per_day_max: int = 10_000  # of everybody: a mistake costs some 500 yuan, not a fortune
    notice_push_per_account_day_max: int = 200  # a technician's day of offers; more is a phone nobody looks at
    notice_chat_after_s: int = 5  # a message no device has taken by then is pushed
    notice_chat_again_s: int = 60  # between two pushes about one conversation
    notice_keep_days: int = 90  # of the inbox; what it says is also where it leads to
    notice_simulator_port: int = 0  # dev, and no channel set up: where `serve` runs the simulator; 0: any free port
    jpush_url: str = "https://api.jpush.cn"  # JPush's REST API
    jpush_app_key: str = ""  # AppKey; empty: no push
    jpush_secret_file: str = ""  # file with its Master Secret
    jpush_apns_production: bool = True  # 0: pushes to iOS go to development builds
    aliyun_url: str = "https://dysmsapi.aliyuncs.com/"  # Alibaba Cloud's SMS API
    aliyun_access_key_id: str = ""  # AccessKey; empty: no text messages
    aliyun_secret_file: str = ""  # file with its secret
    aliyun_sms_sign: str = ""  # approved signature (签名) of all texts
    aliyun_sms_templates: str = ""  # order.departed=SMS_123,…; their values are named as in the words of the kind
    aliyun_code_template: str = ""  # template with `code` and `minutes`: sign-in codes go by it when SMS_URL is empty
    mini_url: str = "https://api.weixin.qq.com"  # server API of WeChat mini-programs
    mini_app_id: str = ""  # of the mini-program; empty: no subscription messages
    mini_secret_file: str = ""  # file with its AppSecret
    mini_templates: str = ""  # order.departed=TEMPLATE/thing1/thing2,…: template, field of the title, of the body
    wecom_url: str = "https://qyapi.weixin.qq.com"  # WeCom's API
    wecom_robot_key_file: str = ""  # file with the key of the support group's robot; empty: no robot
    service_wecom_corp_id: str = ""  # corporation whose WeCom customer service one tap leads to; empty: not by WeCom
    service_wecom_url: str = ""  # its address, https://work.weixin.qq.com/kfid/…
    service_qr_url: str = ""  # picture of a code to scan, where WeCom is not set up; empty: own support

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
        if not self.dev and not self.sms_url and not (self.aliyun_access_key_id and self.aliyun_code_template):
            raise ValueError(f"{PREFIX}SMS_URL is required outside dev mode: codes must reach phones")
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError(f"{PREFIX}TLS_CERTIFICATE and {PREFIX}TLS_KEY belong together")
        if bool(self.service_wecom_corp_id) != bool(self.service_wecom_url):
            raise ValueError(f"{PREFIX}SERVICE_WECOM_CORP_ID and {PREFIX}SERVICE_WECOM_URL belong together")
        if not all(url.startswith("https://") for url in (self.service_wecom_url, self.service_qr_url) if url):
            raise ValueError(f"{PREFIX}SERVICE_WECOM_URL and {PREFIX}SERVICE_QR_URL begin with https://")
        if self.presence_lease_s <= self.position_ttl_s:
            raise ValueError(f"{PREFIX}PRESENCE_LEASE_S must exceed {PREFIX}POSITION_TTL_S")

        self._check_channels()
        self._check_notices()

    def _check_notices(self) -> None:
        """A way of telling people is set up as a whole or not at all."""
        for name, needed in NOTICE_CHANNELS.items():
            missing = [PREFIX + field.upper() for field in needed if not getattr(self, field)]
            if missing and len(missing) < len(needed):
                raise ValueError(f"{name} also needs {', '.join(missing)}")

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
