"""The description of the API in the form of OpenAPI, at `/openapi.json`.

Requests are described by the models that read them and by the endpoints' tables of fields. Answers are
described by the models in this package, which nothing else uses: the writers make plain JSON, and a test
compares what they make with these.
"""
