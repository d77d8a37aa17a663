"""The data sets that ganbench ships; none is downloaded."""
