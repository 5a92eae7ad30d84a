"""The HTTP layer: authentication, trusted hosts, request bodies, errors and streams."""
