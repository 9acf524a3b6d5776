"""Fleet: dispatch over HTTP, for the people who watch it (support, operations).

Routes    /v1/calls, /v1/calls/{call_id}, /v1/calls/{call_id}/candidates, /v1/areas, /v1/areas.geojson,
          /v1/workers, /v1/workers/{worker_id}, /v1/pulse
Calls     dispatch (calls, candidates, overview), trade.orders (running), geo.areas
Tells     nothing: it only reads
"""
