"Exports turns of the log as lines of JSON, and imports them into a log."
