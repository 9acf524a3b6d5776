"""Benches: `python -m tests.bench.bench_<name>` prints a table; each has `run(quick) -> dict` of figures."""
