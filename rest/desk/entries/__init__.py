"""Service entries: the one tap that leads to people outside this program, and that it was made (MA-038 to MA-040).

Tables    service_entries
Calls     trade.orders (whose order it is)
Tells     nothing
Promises  what leads there is the operator's setting: WeCom's customer service, else a code to scan, else this program's
          own support; each tap is a row with who, when, and the order if there is one; what is said there is not ours
Source    MA-038, MA-039, MA-040
"""
