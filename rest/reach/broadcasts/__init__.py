"""Broadcasts: what staff tell many people at once, now or at a time.

Tables    broadcasts; whom it has told are the notices with its id
States    scheduled → sending → sent; scheduled, sending → cancelled (model.TRANSITIONS)
Calls     people (crowds), reach (telling): a recipient is told as of any other notice, by wishes and quiet hours
Tells     broadcast.changed to the desk
Deadlines reach.broadcast (its time has come, or the next recipients are due), reach.broadcast_count
Promises  an audience is told in small transactions, each with the place it has come to, so that nobody is told twice
          and nobody left out, whoever dies when; pushes of a broadcast go by a lane of their own
Source    FR-189, FR-191
"""
