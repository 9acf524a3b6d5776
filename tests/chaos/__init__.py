"""Real processes under faults: `python -m tests.chaos.run` for losses, `python -m tests.chaos.slow` for sleepers."""
