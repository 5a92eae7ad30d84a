"""Requests that are built to keep the server busy, and a real server process to send them to.

`locations` finds every string, list, number and object in the bodies that the endpoints read. `payloads` has
bad values for each of them, `histories` long conversations, `heads` bad headers, paths and queries, `stored`
references to what is in the log, `answers` what a bad `engine` writes. `table` combines them. `target` runs
the server and a probe that watches it, and `play` sends one attack and judges.
"""
