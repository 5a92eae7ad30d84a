"The page `/live`: the model calls that run at the moment, with a button to stop each."
