"Turns of the log as lines of JSON, to standard output or a file, and back into a log."
