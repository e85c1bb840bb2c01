"""Kinds of store, by URL scheme. Drivers are imported inside the store that needs them."""
