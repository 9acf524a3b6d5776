"""Numbers of the socket edge that operators need not touch, each with its reason. The rest is in `Settings`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from storage.base.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Numbers of the transport, all from settings."""

    payload_bytes_max: int  # a larger message gets an error ack; one four times as large ends the session
    buffer_bytes_max: int
    connect_timeout_s: float
    ping_interval_s: float = 25.0  # mobile NATs forget idle connections after about 30 s
    ping_timeout_s: float = 20.0  # a phone in a lift comes back within this
    allowed_origins: tuple[str, ...] = ()  # browser origins besides our own
    stall_s: float = 10.0  # a replay that makes no progress for this long gives up
    polling: bool = True  # long-polling needs one hub or a sticky balancer
    sessions_max: int = 20_000  # in this process
    sessions_per_address_max: int = 5_000  # a carrier's NAT hides thousands of phones
    admits_max: int = 32  # clients whose token is being looked at; the others wait their turn
    node: str = ""  # begins every session id, so that whoever routes knows where it lives
    address_of: Callable[[Any], str]  # the peer's address, behind believed proxies, of anything shaped like a request

    @property
    def frame_bytes_max(self) -> int:
        return 4 * self.payload_bytes_max


@dataclass(frozen=True, slots=True, kw_only=True)
class HubOptions:
    """Times and sizes of one hub."""

    tick_s: float = 0.1  # expiries, presence and waiting positions are looked at this often
    digest_s: float = 30.0  # how long a message that got lost in a client may go unnoticed
    follow_poll_s: float = 0.25  # how late a fact may be when Redis is down and the relay is elsewhere
    request_timeout_s: float = 15.0  # longer than any statement or lock of ours may take
    recheck_s: float = 1.2  # a session revoked while it connected is caught this soon; the gate caches for 1 s
    ping_interval_s: float = 25.0  # mobile NATs forget idle connections after about 30 s
    ping_timeout_s: float = 20.0  # a phone in a lift comes back within this
    stall_s: float = 10.0  # a replay that makes no progress for this long gives up
    polling: bool = True  # long-polling needs one hub or a sticky balancer; off with several
    node: str = ""  # begins every session id


def engine_options(settings: Settings, options: HubOptions, address_of: Callable[[Any], str]) -> EngineOptions:
    origins = tuple(origin.strip().rstrip("/") for origin in settings.allowed_origins.split(",") if origin.strip())
    return EngineOptions(
        payload_bytes_max=settings.socket_payload_bytes_max,
        buffer_bytes_max=settings.socket_buffer_bytes_max,
        connect_timeout_s=settings.socket_connect_timeout_s,
        ping_interval_s=options.ping_interval_s,
        ping_timeout_s=options.ping_timeout_s,
        allowed_origins=origins,
        stall_s=options.stall_s,
        polling=options.polling,
        sessions_max=settings.socket_count_max,
        sessions_per_address_max=settings.socket_per_address_max,
        node=options.node,
        address_of=address_of,
    )
