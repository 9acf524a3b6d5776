"""Notifications over HTTP: the inbox, wishes and devices of the caller; what became of deliveries, for staff."""

from __future__ import annotations

from rest.edge.context import Ctx
from rest.edge.registry import Link, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from rest.reach.actions import inbox, sending
from rest.reach.config import store as config
from rest.reach.model import DeviceUnknown, UnknownKind, WrongDeliveryState
from rest.reach.store import deliveries, notices
from rest.reach.views import (
    DeliveryQuery,
    DeliveryView,
    DeviceBody,
    DeviceView,
    NoticeQuery,
    NoticeSettingsBody,
    NoticeSettingsView,
    NoticesReadBody,
    NoticesReadView,
    NoticesUnreadView,
    NoticeView,
    wishes_of,
)
from storage.base.errors import NotFound
from storage.tx import Tx

READERS = ("support", "supervisor", "ops", "admin")


# Inbox


async def list_notices(ctx: Ctx) -> Answer:
    query: NoticeQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await notices.page(
            tx,
            ctx.actor.account_id,
            unread=query.unread,
            kind=query.kind,
            before=ctx.before_number,
            limit=query.limit + 1,
        )
        said = await config.published(tx)
    return ctx.page(found, view=lambda one: NoticeView.of(one, said), key=lambda one: (one.no,))


async def count_unread(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return NoticesUnreadView(unread=await _unread(tx, ctx))


async def _unread(tx: Tx, ctx: Ctx) -> int:
    return (await notices.unread(tx, [ctx.actor.account_id]))[ctx.actor.account_id]


async def read_notice(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        found = await inbox.find(tx, ctx.actor.account_id, ctx.path["notice_id"])
        return NoticeView.of(found, await config.published(tx))


async def mark_one(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        found = await inbox.read_one(tx, ctx.actor.account_id, ctx.path["notice_id"])
        return NoticeView.of(found, await config.published(tx))

    return await ctx.transact(act)


async def mark_upto(ctx: Ctx) -> Answer:
    body: NoticesReadBody = ctx.body

    async def act(tx: Tx) -> Answer:
        read = await inbox.read_upto(tx, ctx.actor.account_id, body.up_to)
        return NoticesReadView(read=read, unread=await _unread(tx, ctx))

    return await ctx.transact(act)


# Wishes


async def read_settings(ctx: Ctx) -> Answer:
    mine = ctx.actor.account_id
    async with ctx.db.begin() as tx:
        return NoticeSettingsView.of((await notices.wishes(tx, [mine]))[mine])


async def change_settings(ctx: Ctx) -> Answer:
    wanted = wishes_of(ctx.actor.account_id, ctx.body)

    async def act(tx: Tx) -> Answer:
        return NoticeSettingsView.of(await inbox.change_wishes(tx, wanted))

    return await ctx.transact(act)


# Devices


async def register(ctx: Ctx) -> Answer:
    body: DeviceBody = ctx.body
    actor = ctx.actor

    async def act(tx: Tx) -> Answer:
        device = await inbox.register(tx, actor.account_id, actor.session_id, platform=body.platform, token=body.token)
        return Reply(DeviceView.of(device, actor.session_id))

    return await ctx.transact(act)


async def list_devices(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    actor = ctx.actor
    async with ctx.db.begin() as tx:
        found = await deliveries.page_devices(tx, actor.account_id, before_id=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=lambda one: DeviceView.of(one, actor.session_id), key=lambda one: (one.id,))


async def forget_device(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        await inbox.forget(tx, ctx.actor.account_id, ctx.path["device_id"])
        return Reply()

    return await ctx.transact(act)


# Deliveries


async def confirm(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        return DeliveryView.of(await sending.confirm(tx, ctx.path["delivery_id"], ctx.actor.account_id))

    return await ctx.transact(act)


async def list_deliveries(ctx: Ctx) -> Answer:
    query: DeliveryQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await deliveries.page(
            tx,
            account_id=query.account_id,
            state=query.state,
            channel=query.channel,
            before_id=ctx.before_id,
            limit=query.limit + 1,
        )
    return ctx.page(found, view=DeliveryView.of, key=lambda one: (one.id,))


_TAGS = ("notices",)

ROUTES = [
    Route(
        "GET", "/v1/notices", list_notices, "notices.list", "My inbox, newest first",
        query=NoticeQuery, response=Page[NoticeView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/notices/unread", count_unread, "notices.unread", "How many I have not read",
        response=NoticesUnreadView, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/notice_reads", mark_upto, "notices.read_upto", "Mark all up to one read",
        request=NoticesReadBody, response=NoticesReadView, errors=(NotFound,), tags=_TAGS,
    ),
    Route(
        "GET", "/v1/notices/{notice_id}", read_notice, "notices.read", "One notice of mine",
        response=NoticeView, errors=(NotFound,), tags=_TAGS,
    ),
    Route(
        "POST", "/v1/notices/{notice_id}/read", mark_one, "notices.mark", "Mark a notice read",
        response=NoticeView, errors=(NotFound,), tags=_TAGS,
    ),
    Route(
        "GET", "/v1/notice_settings", read_settings, "notice_settings.read", "What I want to be told, and how",
        response=NoticeSettingsView, tags=_TAGS,
    ),
    Route(
        "PUT", "/v1/notice_settings", change_settings, "notice_settings.change", "Say what I want to be told",
        request=NoticeSettingsBody, response=NoticeSettingsView, errors=(UnknownKind,), tags=_TAGS,
    ),
    Route(
        "POST", "/v1/devices", register, "devices.register", "Have this device told",
        request=DeviceBody, response=DeviceView, status=201, tags=_TAGS,
        description="A device is one account's: registered by another, it is that one's from then on (HS-199). "
        "Repeating this is harmless; do it at each start of the app.",
        links={"forget": Link("devices.forget", {"device_id": "$response.body#/id"})},
    ),
    Route(
        "GET", "/v1/devices", list_devices, "devices.list", "My devices, newest first",
        query=PageQuery, response=Page[DeviceView], tags=_TAGS,
    ),
    Route(
        "DELETE", "/v1/devices/{device_id}", forget_device, "devices.forget", "Have a device told no more",
        status=204, errors=(DeviceUnknown,), tags=_TAGS,
    ),
    Route(
        "POST", "/v1/deliveries/{delivery_id}/confirm", confirm, "deliveries.confirm", "Say that a device has got it",
        response=DeliveryView, errors=(NotFound, WrongDeliveryState), tags=_TAGS,
    ),
    Route(
        "GET", "/v1/admin/deliveries", list_deliveries, "deliveries.list", "What became of notices, newest first",
        query=DeliveryQuery, response=Page[DeliveryView], roles=READERS, tags=("notices", "admin"),
    ),
]  # fmt: skip
