"""`POST /v1/chat/completions`: request, answer, route."""
