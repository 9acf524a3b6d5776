"""Papers: documents made of what the database knows, as CSV, XLSX and PDF; knows no domain.

Owns      sheets (columns and cells as values), the writers, the press (one child process per document, bounded in time,
          memory and size), exports
Below it  people, edge; above it whoever registers a kind of export or has a document printed

`writers` and `printer` run in the child and import nothing of the database or the network.
"""
