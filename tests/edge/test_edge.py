"""Versions, pages, quotas, callers and headers."""

from __future__ import annotations

import asyncio
import io
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.edge.errors import CursorInvalid, RateLimited
from rest.edge.limits import Limiter, Quota
from rest.edge.paging import Cursors
from rest.edge.request_ids import request_id_of
from rest.edge.versions import expected_versions, is_known
from storage.base.clock import ManualClock
from tests.conftest import MONDAY
from tests.edge.conftest import Client


async def fill(client: Client, count: int) -> list[str]:
    for n in range(count):
        await client.add(f"label-{n % 3}", key=f"fill-key-number-{n:04}", coins=n)
    return [f"label-{n % 3}" for n in range(count)]


async def test_a_change_needs_the_version_it_was_made_for(client: Client) -> None:
    _, _, jar = await client.add()
    path, body = f"/v1/jars/{jar['id']}", {"label": "pears"}
    for header, status, code in [
        (None, 428, "version_required"),
        ("*", 428, "version_required"),
        ('"v2"', 412, "stale_version"),
        ('W/"v1"', 412, "stale_version"),
        ("v1", 400, "bad_request"),
    ]:
        found, _, problem = await client.send("PUT", path, json=body, headers={"If-Match": header} if header else {})
        assert (found, problem["code"]) == (status, code), header
    status, headers, changed = await client.send("PUT", path, json=body, headers={"If-Match": '"v7", "v1"'})
    assert (status, headers["ETag"], changed["label"]) == (200, '"v2"', "pears")


async def test_of_racing_changes_one_wins(client: Client) -> None:
    _, _, jar = await client.add()
    answers = await asyncio.gather(
        *(
            client.send("PUT", f"/v1/jars/{jar['id']}", json={"label": f"l{n}"}, headers={"If-Match": '"v1"'})
            for n in range(12)
        )
    )
    assert sorted(status for status, *_ in answers) == [200] + [412] * 11


async def test_a_known_version_is_not_sent_again(client: Client) -> None:
    _, _, jar = await client.add()
    path = f"/v1/jars/{jar['id']}"
    for header in ('"v1"', 'W/"v1"', '"v3", "v1"', "*"):
        status, headers, body = await client.send("GET", path, headers={"If-None-Match": header})
        assert (status, body, headers["ETag"]) == (304, b"", '"v1"')
    status, _, _ = await client.send("GET", path, headers={"If-None-Match": '"v2"'})
    assert status == 200


async def test_head_answers_like_get_without_a_body(client: Client) -> None:
    _, _, jar = await client.add()
    async with client.session.head(
        f"{client.base}/v1/jars/{jar['id']}", headers={"Authorization": "Bearer ann-token"}
    ) as answer:
        assert (answer.status, answer.headers["ETag"], await answer.read()) == (200, '"v1"', b"")


async def test_pages_show_every_row_once(client: Client) -> None:
    await fill(client, 11)
    seen, path = [], "/v1/jars?limit=4&coins_min=1"
    while path:
        status, headers, page = await client.send("GET", path)
        assert status == 200
        assert page["has_more"] == (page["next_cursor"] is not None) == ("Link" in headers)
        seen += [jar["coins"] for jar in page["data"]]
        link = re.fullmatch(r'<(.*)>; rel="next"', headers.get("Link", ""))
        path = link[1] if link else ""
    assert sorted(seen) == list(range(1, 11))
    assert len(seen) == 10


async def test_a_cursor_opens_only_its_own_list(client: Client) -> None:
    await fill(client, 3)
    _, _, page = await client.send("GET", "/v1/jars?limit=1")
    cursor = page["next_cursor"]
    status, _, _ = await client.send("GET", f"/v1/jars?limit=2&cursor={cursor}")
    assert status == 200
    for other in (f"/v1/jars?coins_min=1&cursor={cursor}", f"/v1/jars?label=a&cursor={cursor}"):
        status, _, problem = await client.send("GET", other)
        assert (status, problem["code"]) == (400, "cursor_invalid")
    status, _, problem = await client.as_("bob-token").send("GET", f"/v1/jars?cursor={cursor}")
    assert (status, problem["code"]) == (400, "cursor_invalid")


async def test_lists_in_queries_are_commas(client: Client) -> None:
    await fill(client, 6)
    _, _, page = await client.send("GET", "/v1/jars?label=label-0,label-2&full=true")
    assert {jar["label"] for jar in page["data"]} == {"label-0", "label-2"}


positions = st.lists(
    st.one_of(st.integers(-(2**53), 2**53), st.text(max_size=20), st.datetimes(timezones=st.just(UTC))), max_size=4
)


@given(positions, st.text(max_size=30), st.integers(0, 200), st.integers(1, 255))
def test_a_cursor_gives_back_its_position_and_no_bit_can_be_changed(
    position: list[Any], scope: str, place: int, change: int
) -> None:
    cursors = Cursors("secret")
    cursor = cursors.seal(scope, tuple(position))
    assert cursors.open(scope, cursor) == tuple(position)
    from base64 import urlsafe_b64decode, urlsafe_b64encode

    raw = bytearray(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[place % len(raw)] ^= change
    with pytest.raises(CursorInvalid):
        cursors.open(scope, urlsafe_b64encode(raw).decode())
    with pytest.raises(CursorInvalid):
        cursors.open(scope + "x", cursor)


@pytest.mark.parametrize(
    ("authorization", "code", "challenge"),
    [
        (None, "login_required", 'Bearer realm="fieldhub"'),
        ("", "login_required", 'Bearer realm="fieldhub"'),
        ("Basic YTpi", "login_required", 'Bearer realm="fieldhub"'),
        ("Bearer", "login_required", 'Bearer realm="fieldhub"'),
        ("Bearer wrong", "token_invalid", 'Bearer realm="fieldhub", error="invalid_token"'),
    ],
)
async def test_who_is_not_signed_in_is_told_so(
    client: Client, authorization: str | None, code: str, challenge: str
) -> None:
    headers = {"Authorization": authorization} if authorization is not None else {}
    status, answered, problem = await client.as_(None).send("GET", "/v1/jars", headers=headers)
    assert (status, problem["code"], answered["WWW-Authenticate"]) == (401, code, challenge)


async def test_a_role_that_is_missing_is_forbidden_and_a_scheme_has_no_case(client: Client) -> None:
    _, _, jar = await client.add()
    status, _, problem = await client.send("DELETE", f"/v1/jars/{jar['id']}")
    assert (status, problem["code"]) == (403, "forbidden")
    status, _, body = await client.as_(None).send(
        "DELETE", f"/v1/jars/{jar['id']}", headers={"Authorization": "bearer joe-token"}
    )
    assert (status, body) == (204, b"")


async def test_the_caller_is_asked_before_anything_else(client: Client) -> None:
    status, _, problem = await client.as_(None).send("POST", "/v1/jars?nonsense=1", data=b"{")
    assert (status, problem["code"]) == (401, "login_required")


async def test_private_answers_are_not_stored_and_public_ones_say_how_long(client: Client) -> None:
    _, headers, _ = await client.send("GET", "/v1/jars")
    assert headers["Cache-Control"] == "no-store"
    _, headers, greeting = await client.as_(None).send("GET", "/v1/greeting?name=你好")
    assert (headers["Cache-Control"], greeting) == ("public, max-age=60", {"text": "hello 你好"})
    _, headers, _ = await client.send("GET", "/v1/nowhere")
    assert headers["Cache-Control"] == "no-store"


async def test_a_request_id_is_made_or_kept(client: Client, logged: io.StringIO) -> None:
    given = "0190A1B2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
    _, headers, _ = await client.send("GET", "/v1/jars", headers={"X-Request-Id": given})
    assert headers["X-Request-Id"] == given.lower()
    for bad in ("x", "a" * 500, '"},{"level":"error'):
        _, headers, _ = await client.send("GET", "/v1/jars", headers={"X-Request-Id": bad})
        assert re.fullmatch(
            r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", headers["X-Request-Id"]
        )
    assert len({request_id_of(None, MONDAY) for _ in range(1000)}) == 1000


async def test_each_request_is_one_line_without_ids_or_secrets(client: Client, logged: io.StringIO) -> None:
    _, _, jar = await client.add()
    await client.send("GET", f"/v1/jars/{jar['id']}?x=secret")
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    line = [line for line in lines if line["event"] == "http.request"][-1]
    assert (line["method"], line["path"], line["status"], line["account_id"]) == (
        "GET",
        "/v1/jars/{jar_id}",
        400,
        "acc_ann",
    )
    assert line["ms"] > 0
    assert jar["id"] not in json.dumps(line)
    assert "ann-token" not in logged.getvalue()


async def test_a_quota_is_spent_shown_and_refilled(client: Client, clock: ManualClock) -> None:
    _, headers, _ = await client.send("GET", "/v1/jars")
    assert headers["RateLimit-Policy"] == '"default";q=500;w=60'
    assert headers["RateLimit"] == '"default";r=499;t=1'
    answers = [await client.send("GET", "/v1/jars?limit=1") for _ in range(500)]
    status, headers, problem = answers[-1]
    assert [status for status, *_ in answers[:-1]] == [200] * 499
    assert (status, problem["code"], problem["retryable"]) == (429, "rate_limited", True)
    assert (headers["Retry-After"], headers["RateLimit"]) == ("1", '"default";r=0;t=1')
    status, _, _ = await client.as_("bob-token").send("GET", "/v1/jars")
    assert status == 200
    clock.advance(seconds=1)
    status, _, _ = await client.send("GET", "/v1/jars")
    assert status == 200


async def test_addresses_are_told_apart_behind_a_trusted_proxy(client: Client) -> None:
    guest = client.as_(None)
    for _ in range(3):
        _, headers, _ = await guest.send("GET", "/v1/greeting?name=a", headers={"X-Forwarded-For": "6.6.6.6, 10.0.0.1"})
    assert ";r=497;" in headers["RateLimit"]
    _, headers, _ = await guest.send("GET", "/v1/greeting?name=a", headers={"X-Forwarded-For": "10.0.0.1, 10.0.0.2"})
    assert ";r=499;" in headers["RateLimit"]


@given(st.integers(1, 50), st.integers(1, 100), st.lists(st.floats(0, 30), max_size=80))
def test_no_window_ever_holds_more_than_a_burst_and_its_refill(amount: int, window_s: int, waits: list[float]) -> None:
    clock = ManualClock(MONDAY)
    limiter, quota = Limiter(clock), Quota("q", amount, window_s)
    granted: list[datetime] = []
    for wait in waits:
        clock.advance(seconds=wait)
        try:
            limiter.take(quota, "me")
            granted.append(clock.now())
        except RateLimited as refusal:
            assert refusal.fields["retry_after_s"] >= 1
    for n, at in enumerate(granted):
        span = sum(1 for other in granted[n:] if (other - at).total_seconds() < window_s)
        assert span <= 2 * amount


def test_after_the_told_wait_the_quota_opens() -> None:
    clock = ManualClock(MONDAY)
    limiter, quota = Limiter(clock), Quota("q", 3, 3600)
    for _ in range(3):
        limiter.take(quota, "me")
    with pytest.raises(RateLimited) as refused:
        limiter.take(quota, "me")
    clock.advance(seconds=refused.value.fields["retry_after_s"])
    limiter.take(quota, "me")


async def test_allowed_origins_may_call_and_others_may_not(client: Client) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    status, headers, _ = await client.as_(None).send("OPTIONS", "/v1/jars", headers=asked)
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, "https://app.example")
    assert "Idempotency-Key" in headers["Access-Control-Allow-Headers"]
    _, headers, _ = await client.send("GET", "/v1/jars", headers={"Origin": "https://app.example"})
    assert headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "ETag" in headers["Access-Control-Expose-Headers"]
    status, headers, _ = await client.send("OPTIONS", "/v1/jars", headers=asked | {"Origin": "https://evil.example"})
    assert (status, "Access-Control-Allow-Origin" in headers) == (405, False)


def test_tags_are_compared_as_the_standard_says() -> None:
    assert expected_versions('"v1", "v22"') == {1, 22}
    assert expected_versions('W/"v1", "x"') == frozenset()
    assert is_known('W/"v1"', '"v1"')
    assert not is_known('"v10"', '"v1"')
