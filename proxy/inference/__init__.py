"""A model call: names, queue, engines, and the run itself."""
