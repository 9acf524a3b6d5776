"""Senders: the ways out, each a provider's protocol behind one contract.

`contract` says what a sender is; `jpush`, `aliyun`, `wechat` and `wecom` are them. They hold no state but connections
and a token, know no database, and are called by jobs alone. No phone number and no token of a device is in an error.
"""
