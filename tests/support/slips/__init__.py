"""What the model writes although harmony does not allow it, and the expected outcome.

`row` has the types, `table` all rows, and the other modules the rows of one kind each. `play` plays a row.
"""
