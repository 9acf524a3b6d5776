"""Transport: Engine.IO 4 and Socket.IO 5 over WebSockets and long-polling, and nothing about what is said in them.

Owns      the door (`front`: a WebSocket goes to `rfc6455`, all else to aiohttp), sessions and their end (`session`,
          `polling`, `upgrade`, `engine`), how many there may be (`admission`), packets (`packets`), namespaces and
          acks (`emitter`, `links`), the classes of delivery (`classes`) and what waits for a slow reader (`outbound`)
Promises  nobody hears anything before being admitted; a client's messages are handled in order; a reader costs at most
          its buffer; whatever breaks the protocol ends the connection with one line in the log.
Knows     the `Edge` above it, an interface; python-socketio's packets and handshake, whose version is pinned for it.
"""
