"""People: who somebody is, and what they may do.

Tables    accounts, sessions, sign_in_codes              Owner of: accounts.roles, sessions.revoked_at
States    session: live → revoked; account: active → closed
Calls     nobody
Tells     session.revoked (to session:<id>)  account.roles_changed (to the account's live sessions)
Jobs      people.send_code (talks to the SMS gateway)  people.purge (hourly)
Promises  a code opens once; a refresh token is good once; a revoked session is refused everywhere within a second;
          answers never say whether a phone has an account; phones leave masked
Source    HS-001, HS-003, HS-209, HS-215, HS-219

Others use: `Keys.verify` and `SessionGate` to learn who calls, `grant_role` when a domain makes an account its own.
"""

from rest.people.actions import account_of, accounts_of, end_sessions, grant_role, send_code, use_code
from rest.people.auth import Keys
from rest.people.gate import SessionGate
from rest.people.model import Account, AccountStatus, Role, mask_phone

__all__ = [
    "Account",
    "AccountStatus",
    "Keys",
    "Role",
    "SessionGate",
    "account_of",
    "accounts_of",
    "end_sessions",
    "grant_role",
    "mask_phone",
    "send_code",
    "use_code",
]
