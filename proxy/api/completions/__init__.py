"""`POST /v1/completions`: request, answer, route."""
