"""What the model writes although harmony does not allow it, and what has to come of it.

`row` has the types, `table` all rows, and the other modules the rows of one kind each. `play` plays a row.
"""
