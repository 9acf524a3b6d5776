"""Casework of home service: what people are asked about its orders, and what each of their answers does (part 5.9).

Types     types.CASE_TYPES: title, priority, time to answer, the statuses in which the question stands, whose case it is
Outcomes  outcomes.OUTCOMES: each answer, where the order must stand for it, what it needs to know, who may give it;
          outcomes.PERMITTED: which answers a question of each type has
Calls     chat.cases, marketing.coupons; what an outcome does is in `decisions`, what the desk sees of it in `case_side`
Promises  an answer is a verb of the order's state machine, and closes its case in the transaction of that verb;
          what is not permitted changes nothing; what a preview shows is what deciding does, because it is the same
          thing, undone; a case whose question no longer stands closes by itself
Source    HS-190 to HS-197, parts 4.6 to 4.9 and 5.9
"""
