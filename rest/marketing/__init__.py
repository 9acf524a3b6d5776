"""Marketing: what makes customers come back, and brings others. Coupons and referrals so far.

It stands below trade, which prices orders with it, and above money, which it never moves: a coupon is a promise to
ask for less.
"""
