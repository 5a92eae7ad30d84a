"The page `/live`: the model calls that are running, with a button to stop each."
