-- Houses that serve their own customers beside the platform: a carrier, a partner shop.
CREATE TABLE tenants (
    id         text        PRIMARY KEY,
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    version    int         NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
);

-- Whose staff an account is. Nobody works for two sides: a tenant's staff has none of the platform's roles.
ALTER TABLE accounts ADD COLUMN tenant_id text REFERENCES tenants (id);
ALTER TABLE accounts DROP CONSTRAINT accounts_roles_check;
ALTER TABLE accounts ADD CONSTRAINT accounts_roles_check
    CHECK ('user' = ANY (roles)
       AND roles <@ ARRAY['user', 'technician', 'support', 'finance', 'ops', 'supervisor', 'admin', 'tenant_agent',
                          'tenant_supervisor', 'tenant_admin']);
ALTER TABLE accounts ADD CONSTRAINT accounts_one_side
    CHECK ((tenant_id IS NOT NULL) = (roles && ARRAY['tenant_agent', 'tenant_supervisor', 'tenant_admin'])
       AND (tenant_id IS NULL OR NOT roles && ARRAY['support', 'finance', 'ops', 'supervisor', 'admin']));
CREATE INDEX accounts_tenant ON accounts (tenant_id, id) WHERE tenant_id IS NOT NULL;

-- Each desk has its own list of rules; a tenant without one goes by the platform's (scope '').
ALTER TABLE routing_tables ADD COLUMN scope text NOT NULL DEFAULT '';
ALTER TABLE routing_tables DROP CONSTRAINT routing_tables_pkey;
ALTER TABLE routing_tables ADD PRIMARY KEY (scope, version);

CREATE INDEX desk_queues_tenant ON desk_queues (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX desk_agents_tenant ON desk_agents (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX desk_threads_tenant ON desk_threads (tenant_id, conversation_id) WHERE tenant_id IS NOT NULL;
