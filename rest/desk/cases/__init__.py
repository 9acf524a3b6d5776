"""Cases over HTTP: the queue, who is on what, talking to both sides, and deciding (HS-190 to HS-197).

Tables    none of its own
Calls     chat.cases, chat.conversations, trade.orders, and the business lines through `CaseSide`
Promises  one assignee at a time, also of two decisions; a decision is one transaction: the line's verb and the close of
          the case; a preview is the decision itself, undone
Knows     no line: `rest.app` gives it one side for each, and each says what may be decided in its cases
"""

from rest.desk.cases.sides import (
    CaseSide,
    ConsentRequired,
    DecisionParams,
    Moved,
    Option,
    OutcomeNotAllowed,
    Sides,
    Word,
)

__all__ = ["CaseSide", "ConsentRequired", "DecisionParams", "Moved", "Option", "OutcomeNotAllowed", "Sides", "Word"]
