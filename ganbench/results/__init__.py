"""Results on disk: stored trial by trial, reused by later runs, compared over seeds and handed to reports."""
