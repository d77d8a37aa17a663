"""The reports that ganbench ships: CSV files, a web page, LaTeX tables and a Markdown page."""
