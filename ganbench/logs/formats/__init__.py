"""Readers of log formats: tables, JSON lines, TensorBoard event files, Parquet, and text with patterns."""
