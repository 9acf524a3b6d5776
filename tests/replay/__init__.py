"""Replay: real trips become technicians of the real system, driven from outside over HTTP and Socket.IO.

Nothing here is imported by the product, and nothing here looks into its database: it knows what phones know.

    trips, synthetic      where technicians move (files of three kinds, or random way-points)
    places                datums, areas, and which real points an order may be posted at
    wire, official        one Socket.IO connection: the official client, and a lean one for load
    client, journal       a phone: epoch and since, reconnects, and a record of every fact it ever heard
    board, world          where orders stand as one phone heard it; what the people of a run share
    technician, customer, what people do, decided by a seed
    support
    truth, audit, checks  an independent oracle: what the hub says happened against what the phones heard
    figures, report       what was measured, and how it is printed
    accounts, drive, cli  one run, against a hub of its own or somebody else's
"""
