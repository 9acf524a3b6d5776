"""Fuzzing for as long as one likes.

    python -m tests.fuzz.soak --inputs 1000000 [--seed N] [--uvloop] [--folder DIR]
    python -m tests.fuzz.soak --replay FILE        what was sent on one connection, to a new server

Half of the inputs go to the parsers in this process, the others to a server over TCP. What fails is printed with its
seed, and what was sent on that connection is kept as lines of hex, one for each write.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random, SystemRandom

from tests.fuzz import codec, parsers
from tests.fuzz.attacks import Finding, Marks, Target
from tests.fuzz.battle import Battle, server

ROUND = 20_000


async def soak(inputs: int, seed: int, options: list[str], folder: Path) -> bool:
    """Whether nothing was found."""
    began, done = time.monotonic(), 0
    while done < inputs:
        size = min(ROUND, inputs - done)
        try:
            told = await one_round(f"{seed}:{done}", size, options)
        except (Finding, ExceptionGroup) as found:
            for number, finding in enumerate(_each(found)):
                path = folder / f"found-{seed}-{done}-{number}.hex"
                notes = getattr(finding, "__notes__", [])
                path.write_text("\n".join([f"# {finding}", *notes[:1], ""]))
                print(f"FOUND: {finding}\n  {' '.join(notes[1:])} kept in {path}")
            return False
        done += size
        print(f"{done:,} inputs of seed {seed}, {done / (time.monotonic() - began):,.0f}/s: {told}", flush=True)
    return True


async def one_round(seed: str, inputs: int, options: list[str]) -> str:
    """Half in this process, half over TCP; what it was like. Raises Finding."""
    for number in range(inputs // 2):
        (codec if number % 5 == 0 else parsers).check(seed, number)
    with server(*options) as port:
        async with Battle.begin(port, seed) as battle:
            began = time.monotonic()
            await battle.attack(inputs - inputs // 2)
            account = await battle.account(seconds=time.monotonic() - began)
            await battle.make_peace()
    return f"{dict(battle.inputs)}, longest turn {account['worst_ms']} ms, log {account['lines']}"


def _each(found: Exception) -> Iterator[Exception]:
    """The problems in a group of groups."""
    if isinstance(found, ExceptionGroup):
        for problem in found.exceptions:
            yield from _each(problem)
    else:
        yield found


async def replay(path: Path, options: list[str]) -> None:
    chunks = [bytes.fromhex(line) for line in path.read_text().splitlines() if line and not line.startswith("#")]
    with server(*options) as port:
        async with Target(port, Marks()).connect(Random(0)) as connection:
            await connection.send(*chunks)
            print((await connection.read_all())[:2_000])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000))
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--replay", type=Path)
    arguments = parser.parse_args()
    options = ["--uvloop"] if arguments.uvloop else []
    if arguments.replay:
        asyncio.run(replay(arguments.replay, options))
    elif not asyncio.run(soak(arguments.inputs, arguments.seed, options, arguments.folder)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
