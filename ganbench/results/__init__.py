"""Stored results: written, read, reused, compared over seeds, and handed to reports."""
