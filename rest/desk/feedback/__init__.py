"""Feedback: what customers, workers and tenants' staff say about us, and what they are answered.

Tables    feedback
States    open → in_progress → answered → closed; open, in_progress → closed (model.TRANSITIONS)
Calls     dispatch (who is a worker), storage.files
Tells     feedback.changed to who said it and to the desk; its answer reaches the inbox
Promises  five of one account in a business day, however many are sent at once; pictures are of who said it
Source    FR-193 to FR-196
"""
