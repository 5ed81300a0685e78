"""GossipSub's router and all that it decides by."""
