"""Reconciliation, and fetching what it finds missing."""
