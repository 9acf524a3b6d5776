"""Verbs of rewards. Lock order: the caller's rows → reward → points purse → ledger accounts."""

from __future__ import annotations

from rest.marketing.rewards import store
from rest.marketing.rewards.model import Event, Reward, Rule
from rest.money import points
from storage.base.log import log
from storage.tx import Tx


async def reward(tx: Tx, account_id: str, event: Event, *, ref: str, line: str = "", paid_fen: int = 0) -> int:
    """Give what the rule in force gives for this event, once per `ref`; how many points. 0 where no rule says so."""
    rule = await store.rule(tx, event, line)
    number = rule.points(paid_fen) if rule is not None and rule.active else 0
    if rule is None or number == 0:
        return 0
    new = Reward(
        ref=ref,
        account_id=account_id,
        event=event,
        line=line,
        rule=rule.version,
        base_fen=paid_fen,
        kept_fen=paid_fen,
        points=number,
        version=1,
        created_at=tx.now,
    )
    if not await store.add(tx, new):
        return 0
    await points.earn(
        tx,
        account_id,
        number,
        ref=ref,
        reason=event.value,
        available_at=rule.available_at(tx.now),
        expires_at=rule.expires_at(tx.now),
    )
    return number


async def keep(tx: Tx, ref: str, kept_fen: int) -> int:
    """Money went back: the reward is what its version gives for what is kept; how many points were taken back."""
    given = await store.lock(tx, ref)
    if given is None or kept_fen >= given.kept_fen:
        return 0
    rule = await store.rule_version(tx, given.event, given.line, given.rule)
    await store.save_kept(tx, given, kept_fen)
    number = rule.points(given.kept_fen) - rule.points(kept_fen)
    if number == 0:
        return 0
    return await points.claw_back(tx, number, earned_ref=ref, ref=f"{ref}:kept:{given.version}", reason="refund")


async def rules_in_force(tx: Tx) -> list[Rule]:
    """What gives points now."""
    return [rule for rule in await store.rules(tx) if rule.active]


async def set_rule(
    tx: Tx,
    *,
    event: Event,
    line: str,
    active: bool,
    fixed: int,
    per_100_yuan: int,
    points_max: int,
    pending_s: int,
    valid_days: int | None,
    by_id: str,
) -> Rule:
    """A new version, in force from now on (FR-092). Raises RewardRuleInvalid."""
    before = await store.rule(tx, event, line)
    rule = Rule(
        event=event,
        line=line,
        version=before.version + 1 if before is not None else 1,
        active=active,
        fixed=fixed,
        per_100_yuan=per_100_yuan,
        points_max=points_max,
        pending_s=pending_s,
        valid_days=valid_days,
        changed_by=by_id,
        created_at=tx.now,
    )
    await store.add_rule(tx, rule)
    log("reward_rule.set", reward_event=event.value, line=line, version=rule.version, by=by_id, active=active)
    return rule
