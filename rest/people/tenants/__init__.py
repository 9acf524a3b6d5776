"""Tenants: houses that serve their own customers beside the platform, and whose staff somebody is.

Tables    tenants                                        Owner of: accounts.tenant_id
Calls     rest.people
Tells     account.roles_changed
Promises  nobody works for two sides; whoever leaves a tenant has no role of it from the same commit on
Source    FR-113, FR-114

The platform's administrators make tenants and say who is a tenant's staff; a tenant's own administrators change what
their staff may do, and let them go.
"""

from rest.people.tenants.actions import find_tenant

__all__ = ["find_tenant"]
