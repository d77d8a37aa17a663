"""The feature extractors that ganbench ships, for metrics of images."""
