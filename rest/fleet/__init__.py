"""Fleet: dispatch over HTTP, for the people who watch it (support, operations).

Routes    /v1/calls, /v1/calls/{call_id}, /v1/calls/{call_id}/candidates, /v1/areas, /v1/areas.geojson
Calls     dispatch (calls, candidates), geo.areas
Tells     nothing: it only reads
"""
