"""REST: the business and its HTTP edge.

From top to bottom: `app` (builds the application) ► `lines` (business lines) ► `desk`, `fleet` ► `trade` ►
`marketing` ► `money` ► `people` ► `edge`. A folder imports those below it, never above or beside; sockets
are unknown here.
"""
