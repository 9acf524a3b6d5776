"""Passwords: six digits that a customer may have asked for before money of his wallet is spent (RV-038 to RV-042).

Tables    wallet_passwords
States    none → set; set → locked for a day after more than three wrong tries in a row → set
Calls     people (a code sent to the account's phone sets and resets it)
Heard by  signing: a device let in with the password speaks for it, and is counted with it
Promises  who has set none is asked for none; a wrong try is counted even though its request does nothing else; while
          it is locked nothing is compared; the right one forgets the wrong ones
Keeps     a slow hash made with a key that is not in the database: six digits alone would be guessed in no time
"""

from rest.money.passwords.actions import count_try
from rest.money.passwords.checking import require
from rest.money.passwords.model import PasswordRequired, PasswordWrong, PayLocked

REFUSALS = (PasswordRequired, PasswordWrong, PayLocked)
"""What a route that asks for the password may answer."""

__all__ = ["REFUSALS", "PasswordRequired", "PasswordWrong", "PayLocked", "count_try", "require"]
