"""How talking to a channel can fail: three classes, the same for every channel. And one that is not there."""

from __future__ import annotations

from storage.base.errors import Invalid, Unauthorized


class ChannelRefused(Exception):
    """The channel has read the request and says no; asking again gives the same answer. `code` is its own."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code = code
        super().__init__(f"{code}: {message}"[:300])


class ChannelUnreachable(ConnectionError):
    """No answer, or one that says nothing: what was asked may have been done or not. Ask again, by the same number."""


class BadSignature(Unauthorized):
    """This message does not carry a valid signature of the channel."""

    code = "bad_signature"


class ChannelUnavailable(Invalid):
    """This channel is not set up here."""

    code = "channel_unavailable"
