"""`make bench`: runs every `bench_*.py` beside this file and writes `docs/benchmarks.md`.

Machines are shared and differ, so every figure that matters is a ratio of two things measured in the same run.
A bench is a module with a docstring and `run(quick) -> dict` of figures.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "benchmarks.md"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="run.py bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="which (bench_NAME.py), for their sections alone; or all")
    parser.add_argument("--quick", action="store_true", help="smaller numbers, no page written")
    arguments = parser.parse_args(argv)
    names = arguments.names or sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    sections = []
    for name in names:
        module = importlib.import_module(f"tests.bench.bench_{name}")
        print(f"— {name}", file=sys.stderr)
        started = time.monotonic()
        figures = module.run(arguments.quick)
        print(json.dumps(figures, indent=2, default=str))
        sections.append(section(name, module.__doc__ or "", figures, time.monotonic() - started))
    if not arguments.quick:
        PAGE.write_text(page(sections) if not arguments.names else with_sections(PAGE.read_text(), sections))
    return 0


def section(name: str, about: str, figures: dict[str, Any], took_s: float) -> str:
    """One bench as Markdown: what it measures, then its figures."""
    rows = "\n".join(f"| {label} | {shown(value)} |" for label, value in figures.items())
    return f"## {name}\n\n{about.strip()}\n\n| figure | value |\n|---|---|\n{rows}\n\nTook {took_s:.0f} s.\n"


def with_sections(text: str, sections: list[str]) -> str:
    """The page with these sections in place of those of the same names, in the order of names."""
    head, *kept = re.split(r"(?m)^(?=## )", text)
    by_name = {section.splitlines()[0]: section.rstrip() + "\n" for section in [*kept, *sections]}
    return "\n".join([head.rstrip() + "\n", *(by_name[name] for name in sorted(by_name))])


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def processor() -> str:
    """Its model where the system says so: the same program runs at half the speed on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def page(sections: list[str]) -> str:
    machine = f"{os.cpu_count()} cores, {processor()}, Python {platform.python_version()}, {platform.system()}"
    head = (
        "# Benchmarks\n\nWritten by `make bench` (`python run.py bench`). The machine is shared, so compare figures of "
        f"one run with each other, not with another day's.\n\nMachine: {machine}.\n"
    )
    return "\n".join([head, *sections])
