"""Runs that others load by an address: written without what is local, pushed to a hub, fetched into a cache."""
