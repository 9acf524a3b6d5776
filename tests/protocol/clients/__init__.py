"""Official clients, unchanged, against the transport: each client over each transport through each check."""
