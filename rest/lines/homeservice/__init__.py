"""Home service: a technician comes to the customer. The grab-pool order, from posted to completed or broken off.

Tables    homeservice_orders (one row per order), service_codes, order_shares; catalogue/, technicians/,
          vouchers/ have theirs; casework/ has none
States    in_pool ⇄ has_candidates → pending_payment → paid → accepted → departed → arrived → in_service
          → service_ended → leave_confirmed → completed; rejected beside accepted; before departure
          cancel_requested → cancelled or back; from departed and arrived closed_penalty (the customer broke off, or did
          not open) and terminated (nothing is kept), back to accepted with another technician, back to in_pool with
          its money (model.TABLE); support's verbs are outcomes of cases (casework.outcomes)
Calls     trade.orders (kernel), dispatch (pool, bookings), marketing (coupons, membership), money (payments, refunds,
          penalties, settlement), chat.cases (support)
Tells     order.changed order.offered order.clock payment.settled tracking.ended wait.started wait.over wait.ended
Deadlines no_grab choice lock pool_close answer departure wait service_end leave (model.TIMERS: functions of the state);
          silence (moved by positions)
Promises  of two choices one wins; money is decided by the stored state, late money is re-locked or given back whole;
          what was quoted, agreed, charged and stored are the same lines; a coupon is locked with its order, used
          when it is paid, back when nothing is kept; a voucher is its technician's cost, taken with the lock, back when
          he is let go or nothing is kept; a member's discount holds as long as he is one; an order keeps the prices,
          the rules and the refund policy it was posted under; after departure support decides a break, a penalty is
          what the policy says and was read out, and never more than was paid; a technician leaves a closed door when
          he has waited; no exact address before acceptance
Source    spec parts 4.4, 4.7 to 4.9, 5.3 to 5.5, 5.9, 6, 7, 8
"""
