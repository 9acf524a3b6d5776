"""Billing: what orders are to invoices.

Tables    none of its own: reads orders and holds them still
Calls     invoices, when money of an order went back
Hears     money.order_refunded
Promises  an order is read and held before its invoice, as everywhere; what an invoice says is what the order keeps
"""

from rest.trade.billing.bills import SUBSCRIBERS, OrderBills

__all__ = ["SUBSCRIBERS", "OrderBills"]
