"""Calling a model: its name, the queue, its engine, and the run."""
