"""Calls a model: finds it by its name, waits in the queue, opens its engine, and runs the call."""
