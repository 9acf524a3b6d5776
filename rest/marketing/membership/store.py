"""SQL of membership: one function per statement."""

from __future__ import annotations

from typing import Any

import msgspec

from rest.marketing.membership.model import MemberPurchase, MemberPurchaseState, Membership, MembershipState
from rest.marketing.membership.runs import Level, Rights, Run
from storage.base import codec
from storage.postgres import RetryTx
from storage.tx import Tx

_LEVEL = """code, version, line, name, rank, price_fen, months, discount_bps, coupon_templates, on_sale, changed_by,
    created_at"""
_RUN = (
    "level",
    "level_version",
    "rank",
    "discount_bps",
    "since",
    "anchor_at",
    "months",
    "ends_at",
    "worth_fen",
    "worth_at",
)
_MEMBERSHIP = f"id, account_id, line, state, version, updated_at, {', '.join(_RUN)}"
_PURCHASE = """id, account_id, line, level, level_version, kind, price_fen, method, state, reason, carried_fen,
    starts_at, ends_at, version, created_at, expires_at, ended_at, former, membership_version, refunded_at"""

RIGHTS = "m.level AS member_level, m.discount_bps AS member_bps, m.ends_at AS member_until"
MEMBER = """LEFT JOIN memberships m
    ON m.account_id = {account} AND m.line = {line} AND m.state = 'active' AND m.ends_at > {now}"""
"""For whoever sells: the membership that runs, and what it gives, in a statement of his own; read by `rights_of`."""


def rights_of(row: Any) -> Rights | None:  # noqa: ANN401 - a row
    """What the columns of `RIGHTS` say."""
    if row["member_level"] is None:
        return None
    return Rights(level=row["member_level"], discount_bps=row["member_bps"], ends_at=row["member_until"])


async def rights(tx: Tx, account_id: str, line: str) -> Rights | None:
    """What this account has of its membership now."""
    member = MEMBER.format(account="$1", line="$2", now="$3")
    return rights_of(await tx.fetchrow(f"SELECT {RIGHTS} FROM (SELECT) AS one {member}", account_id, line, tx.now))


_LEVELS_OF = """
    SELECT line, level, updated_at FROM memberships
     WHERE account_id = $1 AND state = 'active' AND ends_at > $2 ORDER BY line
"""


async def levels_of(tx: Tx, account_id: str) -> dict[str, str]:
    """The level that this account has now, by line."""
    return {row["line"]: row["level"] for row in await tx.fetch(_LEVELS_OF, account_id, tx.now)}


async def hold_levels_of(tx: Tx, account_id: str) -> dict[str, str]:
    """The same, and until this transaction is over no membership of the account changes.

    Raises RetryTx for one that has changed since this transaction began: what is done under it must be dated after it.
    """
    rows = await tx.fetch(f"{_LEVELS_OF} FOR SHARE", account_id, tx.now)
    if any(row["updated_at"] > tx.now for row in rows):
        raise RetryTx
    return {row["line"]: row["level"] for row in rows}


def _level(row: Any) -> Level:  # noqa: ANN401 - a row
    return Level(**{**row, "name": codec.loads(row["name"]), "coupon_templates": tuple(row["coupon_templates"])})


def _membership(row: Any) -> Membership:  # noqa: ANN401 - a row
    fields = dict(row)
    run = {name: fields.pop(name) for name in _RUN}
    fields["state"] = MembershipState(row["state"])
    return Membership(**fields, run=None if row["level"] is None else Run(**run))


def _purchase(row: Any) -> MemberPurchase:  # noqa: ANN401 - a row
    former = None if row["former"] is None else msgspec.json.decode(row["former"], type=Run)
    return MemberPurchase(**{**row, "state": MemberPurchaseState(row["state"]), "former": former})


# Levels


async def hold_levels(tx: Tx) -> None:
    """Of people who publish at the same time one waits; whoever reads does not."""
    await tx.execute("LOCK TABLE member_levels IN SHARE ROW EXCLUSIVE MODE")


async def add_level(tx: Tx, new: Level) -> None:
    """Needs the lock of all levels."""
    await tx.execute(
        f"INSERT INTO member_levels ({_LEVEL}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        new.code,
        new.version,
        new.line,
        codec.dumps(dict(new.name)).decode(),
        new.rank,
        new.price_fen,
        new.months,
        new.discount_bps,
        list(new.coupon_templates),
        new.on_sale,
        new.changed_by,
        new.created_at,
    )


async def level(tx: Tx, code: str) -> Level | None:
    """The newest version."""
    row = await tx.fetchrow(f"SELECT {_LEVEL} FROM member_levels WHERE code = $1 ORDER BY version DESC LIMIT 1", code)
    return None if row is None else _level(row)


async def level_version(tx: Tx, code: str, version: int) -> Level:
    row = await tx.fetchrow(f"SELECT {_LEVEL} FROM member_levels WHERE code = $1 AND version = $2", code, version)
    return _level(row)


async def levels_on_sale(tx: Tx, line: str, *, after_rank: int, limit: int) -> list[Level]:
    """What a line sells now, the lowest rank first."""
    rows = await tx.fetch(
        f"""
        SELECT * FROM (SELECT DISTINCT ON (code) {_LEVEL} FROM member_levels WHERE line = $1
                        ORDER BY code, version DESC) AS newest
         WHERE on_sale AND rank > $2 ORDER BY rank LIMIT $3
        """,
        line,
        after_rank,
        limit,
    )
    return [_level(row) for row in rows]


async def level_with_rank(tx: Tx, line: str, rank: int) -> str | None:
    """Which level has this rank; levels keep theirs."""
    found: str | None = await tx.fetchval(
        "SELECT code FROM member_levels WHERE line = $1 AND rank = $2 LIMIT 1", line, rank
    )
    return found


async def level_versions(
    tx: Tx, *, line: str | None, before: tuple[str, int] | None, limit: int
) -> list[Level]:
    """All versions by code, the newest of each first; those after this key."""
    code, version = before or ("", 0)
    rows = await tx.fetch(
        f"""
        SELECT {_LEVEL} FROM member_levels
         WHERE ($1::text IS NULL OR line = $1) AND (code > $2 OR (code = $2 AND version < $3))
         ORDER BY code, version DESC LIMIT $4
        """,
        line,
        code,
        version,
        limit,
    )
    return [_level(row) for row in rows]


# Memberships


async def lock_membership(tx: Tx, membership_id: str) -> Membership | None:
    row = await tx.fetchrow(f"SELECT {_MEMBERSHIP} FROM memberships WHERE id = $1 FOR NO KEY UPDATE", membership_id)
    return None if row is None else _membership(row)


async def lock_of(tx: Tx, account_id: str, line: str) -> Membership:
    """The membership of an account in a line, made if there was none, and locked."""
    await tx.execute(
        """
        INSERT INTO memberships (id, account_id, line, state, updated_at) VALUES ($1, $2, $3, 'none', $4)
        ON CONFLICT (account_id, line) DO NOTHING
        """,
        tx.new_id("mbr"),
        account_id,
        line,
        tx.now,
    )
    row = await tx.fetchrow(
        f"SELECT {_MEMBERSHIP} FROM memberships WHERE account_id = $1 AND line = $2 FOR NO KEY UPDATE", account_id, line
    )
    return _membership(row)


def _or_nothing(name: str, n: int) -> str:
    return f"coalesce(${n}, 0)" if name == "worth_fen" else f"${n}"


async def save_membership(tx: Tx, before: Membership, after: Membership) -> bool:
    """Under the state and version it was read with."""
    run = after.run
    values = [None if run is None else getattr(run, name) for name in _RUN]
    written = await tx.execute(
        f"""
        UPDATE memberships
           SET state = $4, version = $5, updated_at = $6,
               {", ".join(f"{name} = {_or_nothing(name, n)}" for n, name in enumerate(_RUN, start=7))}
         WHERE id = $1 AND state = $2 AND version = $3
        """,
        before.id,
        before.state.value,
        before.version,
        after.state.value,
        after.version,
        after.updated_at,
        *values,
    )
    return written == 1


async def memberships_of(tx: Tx, account_id: str) -> list[Membership]:
    """All that somebody has or had, one a line."""
    rows = await tx.fetch(
        f"SELECT {_MEMBERSHIP} FROM memberships WHERE account_id = $1 AND state <> 'none' ORDER BY line LIMIT 20",
        account_id,
    )
    return [_membership(row) for row in rows]


async def members(
    tx: Tx, *, line: str | None, state: str | None, level: str | None, before_id: str, limit: int
) -> list[Membership]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_MEMBERSHIP} FROM memberships
         WHERE ($1::text IS NULL OR line = $1) AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR level = $3)
           AND state <> 'none' AND id < $4
         ORDER BY id DESC LIMIT $5
        """,
        line,
        state,
        level,
        before_id,
        limit,
    )
    return [_membership(row) for row in rows]


# Purchases


async def add_purchase(tx: Tx, new: MemberPurchase) -> None:
    await tx.execute(
        """
        INSERT INTO member_purchases (id, account_id, line, level, level_version, kind, price_fen, method, state,
                                      created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        new.id,
        new.account_id,
        new.line,
        new.level,
        new.level_version,
        new.kind,
        new.price_fen,
        new.method,
        new.state.value,
        new.created_at,
        new.expires_at,
    )


async def lock_purchase(tx: Tx, purchase_id: str) -> MemberPurchase | None:
    row = await tx.fetchrow(f"SELECT {_PURCHASE} FROM member_purchases WHERE id = $1 FOR NO KEY UPDATE", purchase_id)
    return None if row is None else _purchase(row)


async def lock_open(tx: Tx, account_id: str, line: str) -> MemberPurchase | None:
    """The one that waits for its money, if there is one."""
    row = await tx.fetchrow(
        f"""
        SELECT {_PURCHASE} FROM member_purchases WHERE account_id = $1 AND line = $2 AND state = 'created'
           FOR NO KEY UPDATE
        """,
        account_id,
        line,
    )
    return None if row is None else _purchase(row)


async def save_purchase(tx: Tx, before: MemberPurchase, after: MemberPurchase) -> bool:
    """Under the state and version it was read with."""
    written = await tx.execute(
        """
        UPDATE member_purchases
           SET state = $4, kind = $5, reason = $6, carried_fen = $7, starts_at = $8, ends_at = $9, ended_at = $10,
               version = $11, former = $12::jsonb, membership_version = $13, refunded_at = $14
         WHERE id = $1 AND state = $2 AND version = $3
        """,
        before.id,
        before.state.value,
        before.version,
        after.state.value,
        after.kind,
        after.reason,
        after.carried_fen,
        after.starts_at,
        after.ends_at,
        after.ended_at,
        after.version,
        # To the microsecond: what comes back is what there was.
        None if after.former is None else msgspec.json.encode(after.former).decode(),
        after.membership_version,
        after.refunded_at,
    )
    return written == 1


async def last_paid(tx: Tx, account_id: str, line: str) -> str | None:
    """The purchase that made the membership what it is; exact while the membership is locked."""
    found: str | None = await tx.fetchval(
        """
        SELECT id FROM member_purchases WHERE account_id = $1 AND line = $2 AND state IN ('paid', 'done')
         ORDER BY membership_version DESC NULLS LAST, ended_at DESC, id DESC LIMIT 1
        """,
        account_id,
        line,
    )
    return found


async def purchase(tx: Tx, purchase_id: str, account_id: str | None = None) -> MemberPurchase | None:
    """Of this account, if one is named."""
    row = await tx.fetchrow(
        f"SELECT {_PURCHASE} FROM member_purchases WHERE id = $1 AND ($2::text IS NULL OR account_id = $2)",
        purchase_id,
        account_id,
    )
    return None if row is None else _purchase(row)


async def purchases(
    tx: Tx, account_id: str | None, *, state: str | None, before_id: str, limit: int
) -> list[MemberPurchase]:
    """Newest first; all accounts' for None."""
    rows = await tx.fetch(
        f"""
        SELECT {_PURCHASE} FROM member_purchases
         WHERE ($1::text IS NULL OR account_id = $1) AND ($2::text IS NULL OR state = $2) AND id < $3
         ORDER BY id DESC LIMIT $4
        """,
        account_id,
        state,
        before_id,
        limit,
    )
    return [_purchase(row) for row in rows]


async def add_coupon(
    tx: Tx, purchase_id: str, n: int, template_id: str, *, coupon_id: str | None, skipped: str | None
) -> None:
    await tx.execute(
        """
        INSERT INTO member_coupons (purchase_id, n, template_id, coupon_id, skipped, at) VALUES ($1, $2, $3, $4, $5, $6)
        """,
        purchase_id,
        n,
        template_id,
        coupon_id,
        skipped,
        tx.now,
    )


async def coupons_of(tx: Tx, purchase_id: str) -> list[tuple[str, str | None, str | None]]:
    """Template, coupon, and why there is none, of each that the purchase gave."""
    rows = await tx.fetch(
        "SELECT template_id, coupon_id, skipped FROM member_coupons WHERE purchase_id = $1 ORDER BY n", purchase_id
    )
    return [tuple(row) for row in rows]


# Uses


async def use(tx: Tx, account_id: str, line: str, order_id: str, rights: Rights) -> None:
    await tx.execute(
        "SELECT member_use($1, $2, $3, $4, $5, $6)", account_id, line, order_id, rights.level, rights.ends_at, tx.now
    )


async def used_by(tx: Tx, membership_id: str, *, since_version: int) -> str | None:
    """An order that this version of the membership, or a later one, has made cheaper."""
    found: str | None = await tx.fetchval(
        "SELECT order_id FROM member_uses WHERE membership_id = $1 AND membership_version >= $2 LIMIT 1",
        membership_id,
        since_version,
    )
    return found
