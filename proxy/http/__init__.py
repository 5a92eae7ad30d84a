"""HTTP: who may connect, request bodies, errors, streams."""
