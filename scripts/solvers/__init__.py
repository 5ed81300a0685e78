"""Solvers without a model, each as strong as we could make it, to measure tasks by."""
