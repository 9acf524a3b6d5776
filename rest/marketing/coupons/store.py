"""SQL of coupons: one function per statement. Lock order: template → coupon; an order's own rows come before both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rest.marketing.coupons.model import Coupon, CouponState, Gift, Held, Members, Template, Terms
from storage.base import codec
from storage.tx import Tx

_TERMS = tuple(Terms.__dataclass_fields__)
_TERM_LISTS = ("item_ids", "worker_ids", "region_codes")
_TEMPLATE = ("id", "quota", "issued", "per_account_max", "claimable", "active", "version", "created_at", "updated_at")
_COUPON = tuple(Coupon.__dataclass_fields__)

_TEMPLATE_COLUMNS = ", ".join(f"t.{name}" for name in ("name", "member_line", "member_levels", *_TERMS, *_TEMPLATE))
_COUPON_COLUMNS = ", ".join(f"c.{name}" for name in _COUPON)
_HELD_COLUMNS = ", ".join([*(f"c.{name} AS c_{name}" for name in _COUPON), "t.name", *(f"t.{name}" for name in _TERMS)])


def _terms(row: Any) -> Terms:  # noqa: ANN401 - a row
    values: dict[str, Any] = {name: tuple(row[name]) if name in _TERM_LISTS else row[name] for name in _TERMS}
    return Terms(**values)


def _template(row: Any) -> Template:  # noqa: ANN401 - a row
    line = row["member_line"]
    return Template(
        name=codec.loads(row["name"]),
        terms=_terms(row),
        members=None if line is None else Members(line=line, levels=tuple(row["member_levels"])),
        **{column: row[column] for column in _TEMPLATE},
    )


def _coupon(row: Any, prefix: str = "") -> Coupon:  # noqa: ANN401 - a row
    values = {name: row[prefix + name] for name in _COUPON}
    return Coupon(**(values | {"state": CouponState(values["state"])}))


def _held(row: Any) -> Held:  # noqa: ANN401 - a row
    return Held(_coupon(row, "c_"), codec.loads(row["name"]), _terms(row))


def _term_values(terms: Terms) -> list[Any]:
    return [list(value) if isinstance(value := getattr(terms, name), tuple) else value for name in _TERMS]


def _member_values(template: Template) -> tuple[str | None, list[str]]:
    members = template.members
    return (None, []) if members is None else (members.line, list(members.levels))


def _json(value: Mapping[str, str]) -> str:
    return codec.dumps(dict(value)).decode()


# Templates

_INSERT_TEMPLATE = f"""
    INSERT INTO coupon_templates (id, name, quota, per_account_max, claimable, active, created_by, created_at,
                                  updated_at, member_line, member_levels, {", ".join(_TERMS)})
    VALUES ($1, $2::jsonb, $3, $4, $5, $6, $7, $8, $8, $9, $10,
            {", ".join(f"${n}" for n in range(11, 11 + len(_TERMS)))})
"""
_SAVE_TEMPLATE = f"""
    UPDATE coupon_templates
       SET name = $3::jsonb, quota = $4, per_account_max = $5, claimable = $6, active = $7, version = $8,
           updated_at = $9, member_line = $10, member_levels = $11,
           {", ".join(f"{name} = ${n}" for n, name in enumerate(_TERMS, start=12))}
     WHERE id = $1 AND version = $2
"""


async def add_template(tx: Tx, template: Template, by_id: str) -> None:
    await tx.execute(
        _INSERT_TEMPLATE,
        template.id,
        _json(template.name),
        template.quota,
        template.per_account_max,
        template.claimable,
        template.active,
        by_id,
        template.created_at,
        *_member_values(template),
        *_term_values(template.terms),
    )


async def save_template(tx: Tx, before: Template, after: Template) -> bool:
    """Needs the row's lock; `issued` is not written here."""
    done = await tx.execute(
        _SAVE_TEMPLATE,
        before.id,
        before.version,
        _json(after.name),
        after.quota,
        after.per_account_max,
        after.claimable,
        after.active,
        after.version,
        after.updated_at,
        *_member_values(after),
        *_term_values(after.terms),
    )
    return done == 1


async def template(tx: Tx, template_id: str, *, lock: bool = False) -> Template | None:
    tail = "FOR NO KEY UPDATE" if lock else ""
    row = await tx.fetchrow(f"SELECT {_TEMPLATE_COLUMNS} FROM coupon_templates t WHERE t.id = $1 {tail}", template_id)
    return None if row is None else _template(row)


async def templates(tx: Tx, *, active: bool | None, before_id: str, limit: int) -> list[Template]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_TEMPLATE_COLUMNS} FROM coupon_templates t
         WHERE t.id < $2 AND ($1::boolean IS NULL OR t.active = $1)
         ORDER BY t.id DESC LIMIT $3
        """,
        active,
        before_id,
        limit,
    )
    return [_template(row) for row in rows]


async def open_templates(tx: Tx, member_of: Mapping[str, str], *, before_id: str, limit: int) -> list[Template]:
    """What somebody with these levels by line may take now, newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_TEMPLATE_COLUMNS} FROM coupon_templates t
         WHERE t.claimable AND t.active AND t.issued < t.quota AND (t.valid_until IS NULL OR t.valid_until > $1)
           AND t.id < $2
           AND (t.member_line IS NULL OR EXISTS (
               SELECT FROM unnest($4::text[], $5::text[]) AS has (line, level)
                WHERE has.line = t.member_line AND (t.member_levels = '{{}}' OR has.level = ANY(t.member_levels))))
         ORDER BY t.id DESC LIMIT $3
        """,
        tx.now,
        before_id,
        limit,
        list(member_of),
        list(member_of.values()),
    )
    return [_template(row) for row in rows]


async def counts(tx: Tx, template_id: str) -> dict[str, int]:
    """State → how many coupons of this template are in it."""
    rows = await tx.fetch("SELECT state, count(*) AS n FROM coupons WHERE template_id = $1 GROUP BY state", template_id)
    return {row["state"]: row["n"] for row in rows}


async def take_stock(tx: Tx, template_id: str, count: int, *, claimed: bool) -> Template | None:
    """Count so many more as issued, if there are that many; the template, locked. None: say why by reading it."""
    row = await tx.fetchrow(
        f"""
        UPDATE coupon_templates t SET issued = issued + $2
         WHERE id = $1 AND active AND (claimable OR NOT $3) AND issued + $2 <= quota
           AND (valid_until IS NULL OR valid_until > $4)
        RETURNING {_TEMPLATE_COLUMNS}
        """,
        template_id,
        count,
        claimed,
        tx.now,
    )
    return None if row is None else _template(row)


async def return_stock(tx: Tx, template_id: str) -> None:
    """One of its coupons was revoked: it can be given out again."""
    await tx.execute("UPDATE coupon_templates SET issued = issued - 1 WHERE id = $1", template_id)


# Coupons


async def had(tx: Tx, template_id: str, account_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Account → its last number, and how many it has had and not given back; exact while the template is locked."""
    rows = await tx.fetch(
        """
        SELECT account_id, max(seq) AS seq, count(*) FILTER (WHERE state <> 'revoked') AS kept FROM coupons
         WHERE template_id = $1 AND account_id = ANY($2) GROUP BY account_id
        """,
        template_id,
        list(account_ids),
    )
    return {row["account_id"]: (row["seq"], row["kept"]) for row in rows}


async def add(tx: Tx, new: Sequence[Coupon]) -> None:
    """Coupons of one template, source, gift and window."""
    first = new[0]
    await tx.execute(
        """
        INSERT INTO coupons (id, template_id, account_id, seq, state, source, gift_id, valid_from, valid_until,
                             issued_at)
        SELECT id, $4, account_id, seq, $5, $6, $7, $8, $9, $10
          FROM unnest($1::text[], $2::text[], $3::int[]) AS new (id, account_id, seq)
        """,
        [coupon.id for coupon in new],
        [coupon.account_id for coupon in new],
        [coupon.seq for coupon in new],
        first.template_id,
        first.state.value,
        first.source,
        first.gift_id,
        first.valid_from,
        first.valid_until,
        first.issued_at,
    )


async def lock_for_order(tx: Tx, coupon_id: str, account_id: str, order_id: str) -> Held | None:
    """Give an issued, valid coupon of this account to the order; None when it is none, and nothing is written."""
    row = await tx.fetchrow(
        f"""
        UPDATE coupons c SET state = 'locked', order_id = $3, locked_at = $4, version = c.version + 1
          FROM coupon_templates t
         WHERE c.id = $1 AND c.account_id = $2 AND c.state = 'issued' AND c.valid_from <= $4 AND $4 < c.valid_until
           AND t.id = c.template_id
        RETURNING {_HELD_COLUMNS}
        """,
        coupon_id,
        account_id,
        order_id,
        tx.now,
    )
    return None if row is None else _held(row)


async def lock(tx: Tx, coupon_id: str) -> Coupon | None:
    row = await tx.fetchrow(f"SELECT {_COUPON_COLUMNS} FROM coupons c WHERE c.id = $1 FOR NO KEY UPDATE", coupon_id)
    return None if row is None else _coupon(row)


async def template_of(tx: Tx, coupon_id: str) -> str | None:
    template_id: str | None = await tx.fetchval("SELECT template_id FROM coupons WHERE id = $1", coupon_id)
    return template_id


async def save(tx: Tx, before: Coupon, after: Coupon) -> bool:
    """Write a step of its life under the state and version it was read with."""
    done = await tx.execute(
        """
        UPDATE coupons SET state = $4, order_id = $5, locked_at = $6, used_at = $7, version = $8
         WHERE id = $1 AND state = $2 AND version = $3
        """,
        before.id,
        before.state.value,
        before.version,
        after.state.value,
        after.order_id,
        after.locked_at,
        after.used_at,
        after.version,
    )
    return done == 1


async def find(tx: Tx, coupon_id: str, account_id: str) -> Held | None:
    row = await tx.fetchrow(
        f"""
        SELECT {_HELD_COLUMNS} FROM coupons c JOIN coupon_templates t ON t.id = c.template_id
         WHERE c.id = $1 AND c.account_id = $2
        """,
        coupon_id,
        account_id,
    )
    return None if row is None else _held(row)


async def claimed_as_member(tx: Tx, account_id: str, line: str, *, since: datetime) -> list[tuple[str, str]]:
    """Template and coupon of each that this account has taken since then as a member of the line and not given back."""
    rows = await tx.fetch(
        """
        SELECT c.template_id, c.id FROM coupons c JOIN coupon_templates t ON t.id = c.template_id
         WHERE c.account_id = $1 AND c.source = 'claim' AND c.state <> 'revoked' AND c.issued_at >= $3
           AND t.member_line = $2
        """,
        account_id,
        line,
        since,
    )
    return [tuple(row) for row in rows]


async def of_account(
    tx: Tx, account_id: str, states: Sequence[CouponState], *, before_id: str, limit: int
) -> list[Held]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_HELD_COLUMNS} FROM coupons c JOIN coupon_templates t ON t.id = c.template_id
         WHERE c.account_id = $1 AND c.state = ANY($2) AND c.id < $3
         ORDER BY c.id DESC LIMIT $4
        """,
        account_id,
        [state.value for state in states],
        before_id,
        limit,
    )
    return [_held(row) for row in rows]


# Gifts


async def hold_case(tx: Tx, case_id: str) -> int:
    """What has been given in this case, in fen; others who give in it wait for this transaction."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('coupon_gifts ' || $1, 0))", case_id)
    given: int = await tx.fetchval(
        "SELECT coalesce(sum(value_fen), 0)::bigint FROM coupon_gifts WHERE case_id = $1", case_id
    )
    return given


async def add_gift(tx: Tx, gift: Gift) -> None:
    await tx.execute(
        """
        INSERT INTO coupon_gifts (id, template_id, by_id, reason, case_id, count, value_fen, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        gift.id,
        gift.template_id,
        gift.by_id,
        gift.reason,
        gift.case_id,
        gift.count,
        gift.value_fen,
        gift.at,
    )


async def gifts(tx: Tx, *, template_id: str | None, before_id: str, limit: int) -> list[Gift]:
    """Newest first."""
    rows = await tx.fetch(
        """
        SELECT id, template_id, by_id, reason, case_id, count, value_fen, at FROM coupon_gifts
         WHERE id < $2 AND ($1::text IS NULL OR template_id = $1)
         ORDER BY id DESC LIMIT $3
        """,
        template_id,
        before_id,
        limit,
    )
    return [Gift(**row) for row in rows]
