"""Connections: which protocol speaks first, and WebSockets without an HTTP server between them and the hub.

`front` looks at the first bytes of a connection; a WebSocket for Socket.IO goes to `rfc6455`, the rest to aiohttp.
"""
