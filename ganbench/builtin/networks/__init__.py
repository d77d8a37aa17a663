"""The networks that ganbench ships: multilayer perceptrons for any data, DCGANs for square images."""
