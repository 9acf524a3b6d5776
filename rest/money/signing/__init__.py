"""Signing: a device that its owner let in with his payment password signs a payment instead of it (RV-041, RV-043).

Tables    wallet_devices, wallet_challenges
States    challenge: open → used; it ends by itself after two minutes
Calls     passwords: the lock after wrong tries is one, whatever was tried
Tells     wallet.device_added to the owner: whoever let a device in unasked is found out
Promises  a signature is good for one payment: this account's, of this kind, for this subject, of this amount; a
          challenge works once, and in the transaction of its payment: a payment that fails has used up nothing; a
          wrong signature counts like a wrong password; a device signs nothing once its owner's password is another
          one, or it has been removed
Keeps     public keys alone: what the fingerprint or the face unlocks stays on the device
Source    RV-041 to RV-043

What is signed is a text that names all of it (`model.Challenge.message`), so that what the owner agreed to can be shown
and proved later. Signatures are those of `cryptography`: ECDSA over P-256 with SHA-256 (DER), or Ed25519.
"""

from rest.money.passwords import REFUSALS as PASSWORD_REFUSALS
from rest.money.signing.actions import spend
from rest.money.signing.checking import Digits, Proving, SignatureBody, prove, prove_in
from rest.money.signing.model import Action, ChallengeExpired, Proof, SignatureBad

REFUSALS = (*PASSWORD_REFUSALS, SignatureBad, ChallengeExpired)
"""What a route that asks for the password or a signature may answer."""

__all__ = [
    "REFUSALS",
    "Action",
    "ChallengeExpired",
    "Digits",
    "Proof",
    "Proving",
    "SignatureBad",
    "SignatureBody",
    "prove",
    "prove_in",
    "spend",
]
