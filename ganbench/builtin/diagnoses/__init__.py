"""The diagnoses that ganbench ships: five that weigh readings of a history, and one of numbers that are not finite."""
