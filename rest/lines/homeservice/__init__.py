"""Home service: a technician comes to the customer. The grab-pool order, from posted to completed.

Tables    homeservice_orders (one row per order), service_codes, order_shares; catalogue/ and technicians/ have theirs
States    in_pool ⇄ has_candidates → pending_payment → paid → accepted → departed → arrived → in_service
          → service_ended → leave_confirmed → completed; rejected beside accepted; before departure
          cancel_requested → cancelled or back (model.TABLE)
Calls     trade.orders (kernel), dispatch (pool, bookings), marketing.coupons, money (payments, settlement), chat.cases
          (support)
Tells     order.changed order.offered order.clock payment.settled tracking.ended
Deadlines no_grab choice lock pool_close answer departure service_end leave (model.TIMERS: functions of the state)
Promises  of two choices one wins; money is decided by the stored state, late money is re-locked or given back whole;
          what was quoted, agreed, charged and stored are the same lines; a coupon is locked with its order, used
          when it is paid, back when nothing is kept; an order keeps the prices and rules it was posted under; no
          exact address before acceptance
Source    spec parts 4.4, 4.7, 4.8, 5.3 to 5.5, 6, 7, 8
"""
