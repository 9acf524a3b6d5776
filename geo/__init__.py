"""Geo: where things are. Mostly pure mathematics, one live index, two stores.

Owns      points and datums, distances, service areas, the live nearest-worker index, the position pipeline,
          geofences, arrival estimates, last-known positions and position history
Tables    areas, worker_fixes (partitioned by day)
Redis     fieldhub:pos:<worker>
Tells     areas.changed
Deadlines geo.history (partitions ahead, old ones dropped)
Promises  WGS-84 inside, other datums only at the edge; every distance is `distance.haversine_m`;
          the index answers as a scan over all workers would, an area lookup as a scan over all polygons
Knows     no orders, no calls, no sockets
Source    HS-033, HS-038, HS-039, HS-102, HS-103, HS-205, HS-208; invariant I15
"""

from geo.distance import bearing_deg, geodesic_m, haversine_m
from geo.point import Point, PositionInvalid, check_point

__all__ = ["Point", "PositionInvalid", "bearing_deg", "check_point", "geodesic_m", "haversine_m"]
