"""Metrics for Prometheus, and whether the node is alive and ready."""
