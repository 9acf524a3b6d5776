"""Whatever is wrong with a request is a problem document that says what."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import re
from collections.abc import AsyncIterator

import pytest

from rest.edge import serve
from rest.edge.problems import PROBLEM
from tests.edge.conftest import Client

GOOD = {"label": "plums"}
KEY = {"Idempotency-Key": "key-0123456789abcdef"}
JSON = {"Content-Type": "application/json"}

BODIES = [
    # raw body, status, code, pointer of the first fault
    (b"", 400, "invalid_input", ""),
    (b"{", 400, "malformed_json", ""),
    (b'{"label": "a"} x', 400, "malformed_json", ""),
    (b'{"label": "a",}', 400, "malformed_json", ""),
    (b"\xff\xfe", 400, "malformed_json", ""),
    (b'{"label": "\xff"}', 400, "malformed_json", ""),
    (b'\xef\xbb\xbf{"label": "a"}', 400, "malformed_json", ""),
    (b'{"label": "\\ud800"}', 400, "malformed_json", ""),
    (b'{"label": NaN}', 400, "malformed_json", ""),
    (b"null", 400, "invalid_input", ""),
    (b"[]", 400, "invalid_input", ""),
    (b"{}", 400, "invalid_input", "/label"),
    (b'{"label": null}', 400, "invalid_input", "/label"),
    (b'{"label": 7}', 400, "invalid_input", "/label"),
    (b'{"label": ""}', 400, "invalid_input", "/label"),
    (b'{"label": "' + b"x" * 41 + b'"}', 400, "invalid_input", "/label"),
    (b'{"label": "a\\u0000b"}', 400, "invalid_input", "/label"),
    (b'{"label": "a", "lids": [{"colour": "\\u0000"}]}', 400, "invalid_input", "/lids/0/colour"),
    (b'{"label": "a", "coins": 1.0}', 400, "invalid_input", "/coins"),
    (b'{"label": "a", "coins": "1"}', 400, "invalid_input", "/coins"),
    (b'{"label": "a", "coins": true}', 400, "invalid_input", "/coins"),
    (b'{"label": "a", "coins": -1}', 400, "invalid_input", "/coins"),
    (b'{"label": "a", "coins": 1' + b"0" * 400 + b"}", 400, "invalid_input", "/coins"),
    (b'{"label": "a", "lids": [{"colour": "red"}, {"colour": 1}]}', 400, "invalid_input", "/lids/1/colour"),
    (b'{"label": "a", "lids": [{"colour": "red", "size": 1}]}', 400, "invalid_input", "/lids/0/size"),
    (b'{"label": "a", "a~/b": 1}', 400, "invalid_input", "/a~0~1b"),
    (b'{"label": "a", "opens_at": "2026-01-01T00:00:00"}', 400, "invalid_input", "/opens_at"),
    (b'{"label": "a", "opens_at": "2026-13-01T00:00:00Z"}', 400, "invalid_input", "/opens_at"),
    (b'{"label": "a", "opens_at": "0001-01-01T00:00:00+14:00"}', 400, "invalid_input", "/opens_at"),
    (b'{"label": "a", "opens_at": "9999-12-31T23:59:59-12:00"}', 400, "invalid_input", "/opens_at"),
    (
        b'{"label": "a", "lids": [{"colour": "red", "opens_at": "0001-01-01T00:00:00Z"}]}',
        400, "invalid_input", "/lids/0/opens_at",
    ),
    (b'{"label": ' + b"[" * 40 + b"]" * 40 + b"}", 400, "malformed_json", ""),
    (b'{"label": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", 400, "malformed_json", ""),
]  # fmt: skip


async def test_a_bad_body_is_refused_with_a_pointer(client: Client) -> None:
    for raw, status, code, pointer in BODIES:
        found, headers, problem = await client.send("POST", "/v1/jars", data=raw, headers=KEY | JSON)
        assert (found, problem["code"]) == (status, code), (raw[:80], problem)
        assert headers["Content-Type"] == PROBLEM
        assert problem["errors"][0]["pointer"] == pointer, raw[:80]
        assert problem["status"] == status
        assert problem["type"] == f"/problems/{code}"
        assert problem["instance"] == f"urn:uuid:{headers['X-Request-Id']}"


async def test_an_escaped_backslash_before_u0000_is_no_nul(client: Client) -> None:
    raw = b'{"label": "a\\\\u0000b"}'
    status, _, jar = await client.send("POST", "/v1/jars", data=raw, headers=KEY | JSON)
    assert (status, jar["label"]) == (201, "a\\u0000b")


async def test_brackets_inside_strings_are_no_depth(client: Client) -> None:
    status, _, _ = await client.send("POST", "/v1/jars", json={"label": "[[[[{{{{" * 4}, headers=KEY)
    assert status == 201


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk", "application/jsonx", ""],
)
async def test_another_content_type_is_refused(client: Client, content_type: str) -> None:
    headers = KEY | {"Content-Type": content_type}
    status, _, problem = await client.send("POST", "/v1/jars", data=b'{"label": "a"}', headers=headers)
    assert (status, problem["code"]) == (415, "unsupported_media_type")


async def test_json_in_utf8_is_accepted_however_it_is_spelt(client: Client) -> None:
    for n, content_type in enumerate(["application/json;charset=UTF-8", 'Application/JSON; charset="utf-8"']):
        headers = {"Idempotency-Key": f"spelling-number-{n}", "Content-Type": content_type}
        status, _, _ = await client.send("POST", "/v1/jars", data=b'{"label": "a"}', headers=headers)
        assert status == 201


QUERIES = [
    ("limit=0", "invalid_input", "limit"),
    ("limit=101", "invalid_input", "limit"),
    ("limit=1.0", "invalid_input", "limit"),
    ("limit=1e1", "invalid_input", "limit"),
    ("limit=+5", "invalid_input", "limit"),
    ("limit=%205", "invalid_input", "limit"),
    ("limit=", "invalid_input", "limit"),
    ("limit=" + "9" * 30, "invalid_input", "limit"),
    ("limit=5&limit=6", "invalid_input", "limit"),
    ("full=1", "invalid_input", "full"),
    ("full=True", "invalid_input", "full"),
    ("since=5", "invalid_input", "since"),
    ("since=2026-01-01", "invalid_input", "since"),
    ("since=0001-01-01T00:00:00Z", "invalid_input", "since"),
    ("label=", "invalid_input", "label"),
    ("label=a,,b", "invalid_input", "label"),
    ("label=a%00b", "invalid_input", "label"),
    ("label=" + ",".join("abcdefghijk"), "invalid_input", "label"),
    ("cursor=", "invalid_input", "cursor"),
    ("cursor=zzz", "cursor_invalid", None),
    ("cursor=" + "A" * 80, "cursor_invalid", None),
    ("cursor=%E4%BD%A0", "cursor_invalid", None),
    ("colour=red", "unknown_parameter", "colour"),
    ("Limit=5", "unknown_parameter", "Limit"),
]


async def test_a_bad_query_is_refused_by_name(client: Client) -> None:
    for query, code, field in QUERIES:
        status, _, problem = await client.send("GET", f"/v1/jars?{query}")
        assert (status, problem["code"]) == (400, code), (query, problem)
        assert problem.get("field", problem.get("parameter")) == field, query


async def test_an_operation_without_parameters_takes_none(client: Client) -> None:
    status, _, problem = await client.send("GET", "/v1/jars/jar_1?verbose=true")
    assert (status, problem["code"]) == (400, "unknown_parameter")


async def test_a_required_parameter_is_required(client: Client) -> None:
    status, _, problem = await client.send("GET", "/v1/greeting")
    assert (status, problem["code"], problem["field"]) == (400, "invalid_input", "name")


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/jars/", "/", "/v1/jars/a/b", "/v1//jars", "/v1/jars/a%00b",
                                  "/v1/jars/%F0%9F%92%A9", "/v1/jars/" + "x" * 65, "/v1/jars/..%2f"])  # fmt: skip
async def test_what_is_not_there_is_not_found(client: Client, path: str) -> None:
    from yarl import URL

    async with client.session.get(
        URL(client.base + path, encoded=True), headers={"Authorization": "Bearer ann-token"}
    ) as answer:
        problem = await answer.json(content_type=PROBLEM)
    assert (answer.status, problem["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("PATCH", "/v1/jars", "GET,HEAD,POST"), ("POST", "/v1/jars/jar_1", "DELETE,GET,HEAD,PUT"),
     ("OPTIONS", "/v1/jars", "GET,HEAD,POST"),
     ("TRACE", "/v1/greeting", "GET,HEAD")],
)  # fmt: skip
async def test_another_method_is_refused_with_the_list(client: Client, method: str, path: str, allow: str) -> None:
    status, headers, problem = await client.send(method, path)
    assert (status, problem["code"]) == (405, "method_not_allowed")
    assert headers["Allow"] == allow


async def test_a_large_body_is_refused_before_it_is_read(client: Client) -> None:
    status, _, problem = await client.send("POST", "/v1/jars", data=io.BytesIO(b" " * 1_048_577), headers=KEY | JSON)
    assert (status, problem["code"], problem["bytes_max"]) == (413, "payload_too_large", 1_048_576)


async def test_a_body_of_unknown_length_is_counted_while_it_is_read(client: Client) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    status, _, problem = await client.send("POST", "/v1/jars", data=chunks(), headers=KEY | JSON)
    assert (status, problem["code"]) == (413, "payload_too_large")


async def test_a_small_body_that_inflates_is_counted_inflated(client: Client) -> None:
    packed = gzip.compress(b'{"label": "' + b"x" * 3_000_000 + b'"}')
    headers = KEY | JSON | {"Content-Encoding": "gzip"}
    status, _, problem = await client.send("POST", "/v1/jars", data=packed, headers=headers)
    assert (status, problem["code"]) in {(413, "payload_too_large"), (400, "bad_request")}


async def test_a_body_that_cannot_be_inflated_is_a_bad_request(client: Client) -> None:
    headers = KEY | JSON | {"Content-Encoding": "gzip"}
    status, _, problem = await client.send("POST", "/v1/jars", data=b"not gzip at all", headers=headers)
    assert (status, problem["code"]) == (400, "bad_request")


async def raw_exchange(client: Client, request: bytes) -> tuple[bytes, dict[str, object]]:
    host, port = client.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"Content-Length: (\d+)", head)[1])  # type: ignore[index]
    body = await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
    return head, json.loads(body)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/jars HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n",
        b"POST /v1/jars HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_unreadable_http_is_a_problem_too(client: Client, request_bytes: bytes) -> None:
    head, problem = await raw_exchange(client, request_bytes)
    assert b" 400 " in head.split(b"\r\n")[0]
    assert b"application/problem+json" in head
    assert b"X-Request-Id" in head
    assert problem["code"] == "bad_request"


async def test_an_unknown_expectation_is_a_problem_too(client: Client) -> None:
    for path in (b"/v1/jars", b"/nowhere"):
        request = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 0\r\n\r\n"
        head, problem = await raw_exchange(client, request)
        assert b" 417 " in head.split(b"\r\n")[0]
        assert problem["code"] == "expectation_failed"


async def test_a_body_that_does_not_come_is_not_waited_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "BODY_WAIT_S", 0.05)
    head, problem = await raw_exchange(
        client,
        b"POST /v1/jars HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ann-token\r\nContent-Type: application/json\r\n"
        b"Idempotency-Key: key-0123456789abcdef\r\nContent-Length: 100\r\n\r\n{",
    )
    assert b" 408 " in head.split(b"\r\n")[0]
    assert problem["code"] == "request_timeout"


async def test_a_refusal_that_is_not_documented_is_noted(client: Client, logged: io.StringIO) -> None:
    await client.send("POST", "/v1/undocumented")
    assert '"event":"http.refusal_undocumented"' in logged.getvalue()
    assert '"operation":"undocumented.run","refusal":"test_jar_broken"' in logged.getvalue()


async def test_a_crash_says_nothing_and_leaves_nothing(client: Client, logged: io.StringIO) -> None:
    status, headers, problem = await client.add("crash")
    assert (status, problem["code"], problem["retryable"]) == (500, "internal", False)
    assert "secret" not in json.dumps(problem)
    assert "ZeroDivisionError: secret inside" in logged.getvalue()
    assert headers["X-Request-Id"] in logged.getvalue()
    status, _, page = await client.send("GET", "/v1/jars")
    assert page["data"] == []


async def test_a_refusal_carries_its_fields_and_leaves_nothing(client: Client) -> None:
    status, headers, problem = await client.add("broken")
    assert (status, problem["code"], problem["shards"]) == (409, "test_jar_broken", 3)
    assert "Retry-After" not in headers
    _, _, page = await client.send("GET", "/v1/jars")
    assert page["data"] == []


async def test_a_busy_refusal_says_when_to_come_back(client: Client) -> None:
    status, headers, problem = await client.add("later")
    assert (status, problem["code"], problem["retryable"]) == (503, "test_not_now", True)
    assert headers["Retry-After"] == "7"


async def test_a_lost_database_is_unavailable_not_a_crash(client: Client) -> None:
    async with client.session.get(client.base + "/v1/greeting?name=x") as fine:
        assert fine.status == 200
    import asyncpg

    from rest.edge.problems import refusal_of

    for error in (asyncpg.CannotConnectNowError("x"), ConnectionRefusedError(), asyncpg.QueryCanceledError("x")):
        refusal = refusal_of(error)
        assert (refusal.status, refusal.code, refusal.retry) == (503, "unavailable", True)


@pytest.mark.parametrize(
    ("accepted", "language", "title"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN", "内容不存在"),
        ("en-GB", "en", "Not found"),
        ("fr, zh;q=0.1", "zh-CN", "内容不存在"),
        ("", "zh-CN", "内容不存在"),
        ("en;q=x,;;;", "zh-CN", "内容不存在"),
    ],
)
async def test_titles_follow_the_language_and_codes_do_not(
    client: Client, accepted: str, language: str, title: str
) -> None:
    _, headers, problem = await client.send("GET", "/v1/jars/jar_1", headers={"Accept-Language": accepted})
    assert (problem["code"], problem["title"], headers["Content-Language"]) == ("not_found", title, language)
