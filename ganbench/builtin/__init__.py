"""What ganbench ships: ordinary plugins, found by name through the same hooks as anybody's."""
