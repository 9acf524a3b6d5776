"""Working days: which days banks and finance work, so that a wait can be counted in them (RV-290).

Tables    odd_days: holidays, and weekends that are worked for them; all other days are what their weekday says
Calls     storage only
Tells     nothing; whoever waits looks again when its time has come
Promises  days are those of the business zone; what finance writes down about a day counts for every wait not over yet
Source    RV-290
"""

from rest.money.workdays.actions import due_after
from rest.money.workdays.model import end_of_wait

__all__ = ["due_after", "end_of_wait"]
