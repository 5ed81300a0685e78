"""Decisions: state machines without I/O, clock or dice. Events in, actions out."""
