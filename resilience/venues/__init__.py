"""Says what is known of each exchange, as data, and looks orders up by it. Imports no client.

`venue("okx")` returns the data of one exchange; the files are in `policies/venues/`. `integrations/ccxt/` binds
them to the exchanges of ccxt.
"""

from .known_venue import Venue
from .shipped_venues import add_venue, venue, venue_ids

__all__ = ["Venue", "add_venue", "venue", "venue_ids"]
