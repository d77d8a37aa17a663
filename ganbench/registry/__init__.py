"""Finds plugins, and turns a kind, a name and options into a component."""
