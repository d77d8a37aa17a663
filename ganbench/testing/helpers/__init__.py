"""How components are tried: small trials, recorded histories, other processes, an executor under watch."""
