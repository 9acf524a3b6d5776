"""What a run says about itself: one line while it lasts, a table at its end, one JSON object for machines."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tests.replay.figures import Figures

COUNTS = (
    "workers", "fixes", "orders", "offers", "grabs", "completed", "cancelled", "lost", "duplicates", "facts",
    "connections", "drops", "audited", "positions", "late_news",
)  # fmt: skip
LABELS = {"order_to_offer_ms": "order→offer", "grab_to_answer_ms": "grab→answer", "fix_to_watcher_ms": "fix→watcher"}
FINDINGS_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run in the end."""

    figures: Figures
    findings: tuple[str, ...]
    duration_s: float
    seed: int
    speed: float
    interrupted: bool = False

    @property
    def is_ok(self) -> bool:
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """The figures by name; times in milliseconds."""
        counts = self.figures.counts
        return {
            "ok": self.is_ok,
            **{name: counts[name] for name in COUNTS},
            **self.figures.times(),
            "findings": list(self.findings),
            "refusals": dict(sorted(self.figures.refusals.items())),
            "duration_s": round(self.duration_s, 1),
            "seed": self.seed,
            "speed": self.speed,
        }

    def as_json(self) -> str:
        return orjson.dumps(self.as_dict()).decode()

    def as_table(self) -> str:
        """For people."""
        counts = self.figures.counts
        lines = ["", f"  {self.duration_s:.0f} s, seed {self.seed}, speed {self.speed:g}", ""]
        lines += [f"  {name:<14}{counts[name]:>10,}" for name in COUNTS]
        lines += ["", f"  {'ms':<14}{'p50':>10}{'p95':>10}{'p99':>10}{'count':>10}"]
        lines += [_times_row(LABELS[name], times) for name, times in self.figures.times().items()]
        lines += ["", "  refusals and incidents (all of them allowed):", *_refusals(self.figures)]
        lines += ["", *self._verdict()]
        return "\n".join(lines)

    def _verdict(self) -> list[str]:
        if self.is_ok:
            return ["  no findings: every order had one winner, nobody was double-booked, nothing was missed"]
        shown = [f"  - {finding}" for finding in self.findings[:FINDINGS_SHOWN]]
        more = len(self.findings) - len(shown)
        return [f"  {len(self.findings)} FINDINGS", *shown, *([f"  … and {more} more"] if more else [])]


def _times_row(label: str, times: Mapping[str, float | None]) -> str:
    cells = ["–" if times[name] is None else f"{times[name]:,.1f}" for name in ("p50", "p95", "p99")]
    return f"  {label:<14}" + "".join(f"{cell:>10}" for cell in cells) + f"{times['count']:>10,}"


def _refusals(figures: Figures) -> list[str]:
    rows = sorted(figures.refusals.items(), key=lambda row: (-row[1], row[0]))
    return [f"    {count:>8,}  {what}" for what, count in rows] or ["    none"]


class Progress:
    """One line that is written over on a terminal; elsewhere one line every ten seconds."""

    EVERY_S = 10

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._said_s = -1e9

    def say(self, elapsed_s: float, figures: Figures, *, running: int, connected: int) -> None:
        counts = figures.counts
        line = (
            f"{elapsed_s:5.0f} s  connected {connected:,}  fixes {counts['fixes']:,}  orders {counts['orders']:,} "
            f"({running} running)  offers {counts['offers']:,}  grabs {counts['grabs']:,}  "
            f"completed {counts['completed']:,}  drops {counts['drops']:,}"
        )
        if self._is_terminal:
            sys.stderr.write(f"\r\x1b[K{line}")
        elif elapsed_s - self._said_s >= self.EVERY_S:
            self._said_s = elapsed_s
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def note(self, text: str) -> None:
        """A line that stays."""
        sys.stderr.write(f"\r\x1b[K{text}\n" if self._is_terminal else f"{text}\n")
        sys.stderr.flush()
