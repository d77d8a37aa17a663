"""The metrics that ganbench ships."""
