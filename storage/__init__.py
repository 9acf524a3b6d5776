"""Storage: what lasts and what is shared.

Owns      the transaction (`Tx`), the outbox and feed of facts, deadlines and jobs, idempotency keys, the audit,
          migrations, the embedded PostgreSQL and Redis, and in `storage.base` the value types all packages share.
Tables    schema_migrations, outbox, feed, feed_audience, relay_state, jobs, idempotency_keys, audit
Promises  a fact exists if and only if its transaction committed; a deadline fires once at or after its instant.
Knows     no domain: nothing of ours is imported here.
"""
