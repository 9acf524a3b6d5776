"""A support desk to look at through its page: a queue, agents with names, customers who ask and write."""

from __future__ import annotations

import asyncio
import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Locator, Page, expect

from rest.pages.assets import NODE_MODULES
from tests.live import Live
from tests.replay.api import Api, Person

AXE = NODE_MODULES / "axe-core" / "axe.min.js"

_KEYS = itertools.count(1)
_NUMBERS = itertools.count(1)


def key() -> str:
    """An Idempotency-Key of one's own."""
    return f"floor-{next(_KEYS):012d}"


@dataclass
class Asker:
    """A customer who talks to support."""

    api: Api
    person: Person
    conversation_id: str = ""
    said: int = 0

    async def ask(self, category: str = "order", **more: Any) -> dict[str, Any]:
        asked: dict[str, Any] = await self.api.post(
            self.person, "/v1/support", {"category": category, **more}, key=key()
        )
        self.conversation_id = asked["conversation_id"]
        return asked

    async def say(self, text: str, **more: Any) -> dict[str, Any]:
        self.said += 1
        body = {"client_id": f"asker-{self.person.account_id[-8:]}-{self.said:06d}", "text": text, **more}
        where = f"/v1/conversations/{self.conversation_id}/messages"
        said: dict[str, Any] = await self.api.post(self.person, where, body, key=key())
        return said

    async def hears(self) -> list[str]:
        """Texts of the conversation as the customer sees it, oldest first."""
        where = f"/v1/conversations/{self.conversation_id}/messages"
        page = await self.api.get(self.person, where, sort="oldest", limit=200)
        return [one["text"] for one in page["data"] if one["kind"] == "text"]

    async def read(self) -> None:
        """Everything so far."""
        where = f"/v1/conversations/{self.conversation_id}"
        last = (await self.api.get(self.person, where))["last_seq"]
        headers = {"Authorization": f"Bearer {await self.api.token(self.person)}"}
        body = {"read_seq": last, "delivered_seq": last}
        async with self.api.http.put(f"{self.api.url}{where}/read", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def rate(self, score: int) -> None:
        await self.api.post(self.person, f"/v1/support/{self.conversation_id}/rating", {"score": score}, key=key())

    async def standing(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.api.get(self.person, f"/v1/support/{self.conversation_id}")
        return found


@dataclass
class Floor:
    """`await floor.open()`, `ada = await floor.agent("Ada")`, `ann = await floor.customer(1)`."""

    live: Live
    api: Api
    admin: Person
    ops: Person
    queue_id: str = ""
    agents: dict[str, Person] = field(default_factory=dict)
    phones: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)  # account → phone of those who ask

    async def put(self, who: Person, path: str, body: Any, **headers: str) -> Any:
        token = await self.api.token(who)
        sent = {"Authorization": f"Bearer {token}", **headers}
        async with self.api.http.put(self.live.url + path, json=body, headers=sent) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def sign_in(self, phone: str) -> Person:
        return await self.signed_in(self.api, phone)

    @staticmethod
    async def signed_in(api: Api, phone: str) -> Person:
        code = await api.post(None, "/v1/auth/codes", {"phone": phone})
        return Person.of(await api.post(None, "/v1/auth/sessions", {"phone": phone, "code": code["dev_code"]}))

    async def open(self, name: str = "在线客服", **changed: Any) -> str:
        """A queue that takes everything from now on."""
        queue = await self.api.post(self.ops, "/v1/admin/desk/queues", {"name": name, **changed}, key=key())
        self.queue_id = queue["id"]
        await self.rules([{"name": "全部", "queue_id": self.queue_id}])
        return self.queue_id

    async def rules(self, rules: list[dict[str, Any]]) -> None:
        try:
            version = (await self.api.get(self.ops, "/v1/admin/desk/rules"))["version"]
        except Exception as no:  # nobody has published any yet
            assert "routing_missing" in str(no), no
            version = 0
        await self.put(self.ops, "/v1/admin/desk/rules", {"over": version, "rules": rules})

    async def agent(
        self, name: str, phone: str | None = None, *, roles: tuple[str, ...] = ("support",), **changed: Any
    ) -> Person:
        """An account with these roles, known to the desk by this name; `agents[name]` and `phones` remember it."""
        phone = phone or f"+86139000{next(_NUMBERS):05d}"
        person = await self.sign_in(phone)
        body = {"roles": ["user", *roles], "reason": "a test"}
        account = await self.api.get(self.admin, f"/v1/admin/accounts/{person.account_id}")
        headers = {"If-Match": f'"v{account["version"]}"'}
        await self.put(self.admin, f"/v1/admin/accounts/{person.account_id}/roles", body, **headers)
        person = await self.sign_in(phone)  # tokens from before the role are no good any more
        agent = {"name": name, "queue_ids": [self.queue_id], **changed}
        await self.put(self.ops, f"/v1/admin/desk/agents/{person.account_id}", agent)
        self.agents[name] = person
        self.phones[name] = phone
        return person

    async def customer(self, name: str, phone: str | None = None) -> Asker:
        """Somebody who has never asked anything."""
        phone = phone or f"+86137000{next(_NUMBERS):05d}"
        person = await self.sign_in(phone)
        self.numbers[person.account_id] = phone
        await self.rename(person, name)
        return Asker(self.api, person)

    async def rename(self, person: Person, name: str) -> None:
        me = await self.api.get(person, "/v1/me")
        token = await self.api.token(person)
        headers = {"Authorization": f"Bearer {token}", "If-Match": f'"v{me["version"]}"'}
        async with self.api.http.patch(self.live.url + "/v1/me", json={"nickname": name}, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def act(self, who: Person, path: str, body: Any = None) -> Any:
        return await self.api.post(who, path, body, key=key())

    async def say(self, name: str, conversation_id: str, text: str) -> None:
        """As this agent, from another device."""
        body = {"client_id": key(), "text": text}
        await self.act(self.agents[name], f"/v1/conversations/{conversation_id}/messages", body)

    async def reply(self, shortcut: str, body: str) -> None:
        await self.act(self.ops, "/v1/desk/quick_replies", {"scope": "platform", "shortcut": shortcut, "body": body})

    async def calendar(self, name: str, week: list[Any], overrides: dict[str, Any]) -> str:
        days = [{"on": on, "day": day} for on, day in overrides.items()]
        body = {"name": name, "week": week, "overrides": days}
        return str((await self.act(self.ops, "/v1/admin/desk/calendars", body))["id"])

    async def until_draft(self, name: str, conversation_id: str, text: str) -> None:
        """Wait until the server keeps it."""
        for _ in range(60):
            kept = (await self.api.get(self.agents[name], "/v1/conversations/drafts"))["data"]
            if (conversation_id, text) in [(one["conversation_id"], one["text"]) for one in kept]:
                return
            await asyncio.sleep(0.1)
        raise AssertionError("the draft was not kept")

    async def set_state(self, name: str, state: str) -> None:
        await self.put(self.agents[name], "/v1/desk/me/state", {"state": state})


@dataclass
class Seat:
    """Somebody at the page of the desk."""

    url: str
    page: Page
    faults: list[str]

    async def sign_in(self, phone: str, where: str = "") -> None:
        """By hand, as a person does: phone, Enter, the code is filled in, Enter."""
        await self.page.goto(f"{self.url}/desk{where}")
        await self.page.locator("input[type=tel]").fill(phone)
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator("input.code")).to_have_value(re.compile(r"^\d{6}$"))
        await self.page.keyboard.press("Enter")

    @property
    def field(self) -> Locator:
        return self.page.locator(".composer textarea")

    def said(self, text: str) -> Locator:
        return self.page.locator(".said").filter(has_text=text)

    async def accept(self, name: str) -> None:
        """Take what is offered, from this customer."""
        await self.page.locator(".offer").filter(has_text=name).get_by_role("button", name="Accept").click()
        await expect(self.page.locator(".talk-title h2")).to_have_text(name)
        await expect(self.field).to_be_visible()  # what was said has been read

    async def say(self, text: str) -> None:
        await self.field.fill(text)
        await self.field.press("Enter")

    async def do_now(self) -> None:
        """Not wait for the time in which a step can be taken back."""
        await self.page.locator(".toast").get_by_role("button", name="Do it now").click()

    async def axe_faults(self) -> list[str]:
        """What axe-core, which the page has been given, calls serious or critical."""
        run = "axe.run(document, {resultTypes: ['violations']}).then(({violations}) => violations)"
        return [
            f"{one['id']}: {node['html'][:120]}"
            for one in await self.page.evaluate(run)
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]

    async def go_offline(self) -> None:
        await self.page.context.set_offline(True)
        await expect(self.page.locator(".link:visible")).to_contain_text("Offline since")

    async def go_online(self) -> None:
        await self.page.context.set_offline(False)
        await expect(self.page.locator(".link:visible")).to_contain_text("Live")
        self.faults[:] = [fault for fault in self.faults if "WebSocket connection" not in fault]
