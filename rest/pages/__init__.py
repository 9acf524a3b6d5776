"""Pages: browser pages of the platform and the files they load.

Serves    GET /map, GET /desk, GET /help, GET /assets/{build}/{name}
Files     static/ (ours) and an allow-list of node_modules; read once at start, kept in memory with a gzip twin
Caching   the build, a digest of all files, is part of every address: files never change under their address
Safety    Content-Security-Policy without inline code or foreign hosts; names are looked up, paths are never joined
Modules   static/core for every page, static/chat for pages people talk on, one folder for each page
Knows     no domain: a page talks to the same REST routes and sockets as any other client
"""

from rest.pages.routes import add_pages

__all__ = ["add_pages"]
