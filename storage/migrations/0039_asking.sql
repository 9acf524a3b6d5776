-- Which thread of the same customer this one follows: asked anew about the same thing when the other one was over.
ALTER TABLE desk_threads ADD COLUMN former_id text REFERENCES desk_threads (conversation_id);

-- Each time somebody turned to the service outside this program: WeCom, or a code to scan (MA-039).
CREATE TABLE service_entries (
    id         text        PRIMARY KEY,
    account_id text        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('general', 'after_sale')),
    method     text        NOT NULL CHECK (method IN ('wecom', 'qr', 'support')),
    order_id   text,
    at         timestamptz NOT NULL
);
CREATE INDEX service_entries_order ON service_entries (order_id, id) WHERE order_id IS NOT NULL;
CREATE INDEX service_entries_account ON service_entries (account_id, id);
