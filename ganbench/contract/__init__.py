"""What a plugin author reads: records, base classes of components, hooks, events, options, errors, failures."""
