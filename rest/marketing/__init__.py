"""Marketing: what makes customers come back, and brings others: coupons, memberships, referrals, rewards in points, and
what points buy.

It stands below trade, which prices orders with it, and above money: a coupon is a promise to ask for less, and points
are kept in the book.
"""
