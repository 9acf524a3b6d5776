"""Value types every package shares: clock, ids, money, errors, facts, settings, log, codec. No I/O, no domain."""
